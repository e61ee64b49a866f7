"""What all processes counted together, those that are gone included; it never goes back.

A life whose process is gone is added to the total by compare-and-set, and then its report is
deleted. Until that is done the total names it, so that no reader adds it twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from receiver.bus.metrics_stream import Kept, MetricsStream, ReportConflictError
from receiver.bus.subjects import Subjects
from receiver.observability.figures import Figures, read_figures

FRESH: Final = timedelta(seconds=15)
"""An older report is of a process that does not run now, as far as gauges go."""
_DEAD: Final = timedelta(hours=1)
_NAMED: Final = timedelta(hours=1)
"""For how long the total names a life that was added: longer than any reading takes."""
_MAX_FOLDED: Final = 500


@dataclass(frozen=True, slots=True)
class Life:
    """One process, by its last report."""

    subject: str
    name: str
    kind: str
    ended: bool
    figures: Figures
    kept: Kept

    def is_fresh(self, now: datetime) -> bool:
        """Whether it runs now."""
        return not self.ended and now - self.kept.time < FRESH

    def is_dead(self, now: datetime, dead: timedelta) -> bool:
        """Whether it will not report again; one that does begins another life."""
        return now - self.kept.time >= (min(dead, FRESH) if self.ended else dead)


@dataclass(frozen=True, slots=True)
class Counted:
    """The total of lives that were added, `added` when, and the lives that were not yet."""

    total: Figures
    added: Mapping[str, datetime]
    seq: int
    lives: list[Life]

    def sum(self, now: datetime) -> tuple[Figures, dict[str, int]]:
        """What all processes counted, with the gauges of those that run, and how many run of each
        kind.
        """
        figures, running = Figures(), dict[str, int]()
        figures.add(self.total, gauges=False)
        for life in self._own():
            fresh = life.is_fresh(now)
            figures.add(life.figures, gauges=fresh)
            running[life.kind] = running.get(life.kind, 0) + fresh
        return figures, running

    def _own(self) -> Iterator[Life]:
        return (life for life in self.lives if life.name not in self.added)


async def read_counted(stream: MetricsStream, subjects: Subjects) -> Counted:
    """What is reported; the total is read last, so that what is added meanwhile is in it. Raises
    `BusError`.
    """
    lives = []
    for subject in await stream.lives():
        kept = await stream.get(subject)
        if kept is not None and (life := _life(subject, kept)) is not None:
            lives.append(life)
    kept = await stream.get(subjects.metrics_total)
    if kept is None:
        return Counted(Figures(), {}, 0, lives)
    added = {
        name: datetime.fromisoformat(at) for name, at in kept.document.get("added", {}).items()
    }
    return Counted(read_figures(kept.document["figures"]), added, kept.seq, lives)


async def fold(
    stream: MetricsStream,
    subjects: Subjects,
    counted: Counted,
    now: datetime,
    *,
    dead: timedelta = _DEAD,
) -> int:
    """Add the lives that ended to the total, and delete their reports; gives how many. Another that
    does the same at the same time wins. Raises `BusError`.
    """
    gone = [life for life in counted.lives if life.is_dead(now, dead)][:_MAX_FOLDED]
    fresh = [life for life in gone if life.name not in counted.added]
    if fresh:
        total = Figures()
        total.add(counted.total)
        for life in fresh:
            total.add(life.figures, gauges=False)
        added = {name: at for name, at in counted.added.items() if now - at < _NAMED}
        added |= {life.name: now for life in fresh}
        document = _document(total, added)
        try:
            await stream.put(subjects.metrics_total, document, counted.seq)
        except ReportConflictError:
            return 0
    for life in gone:
        await stream.delete(life.kept.seq)
    return len(fresh)


def _document(total: Figures, added: Mapping[str, datetime]) -> dict[str, Any]:
    return {
        "figures": total.document(),
        "added": {name: at.isoformat(timespec="seconds") for name, at in added.items()},
    }


def _life(subject: str, kept: Kept) -> Life | None:
    """None for what is no report that we can read."""
    document = kept.document
    try:
        return Life(
            subject,
            str(document["life"]),
            str(document["kind"]),
            bool(document["ended"]),
            read_figures(document["figures"]),
            kept,
        )
    except (KeyError, TypeError, ValueError):
        return None
