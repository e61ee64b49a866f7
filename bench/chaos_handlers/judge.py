"""What the notes of all worker processes say. Performs no I/O but reading them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an event; `ended` is None where its process did not survive it."""

    worker: str
    order: str
    number: int
    attempt: int
    started: float
    ended: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost` events were never handled to an end; `overlaps` are runs that began before another of
    their order was over; `disorder` counts events that were first finished after a later one of
    their order. `takeovers_s` is how long after each hurt another process began its first run."""

    events: int
    lost: int
    overlaps: int
    disorder: int
    runs: int
    lasted_s: float
    takeovers_s: Sequence[float]

    @property
    def kept(self) -> bool:
        """Whether all were handled, one at a time and in order."""
        return not (self.lost or self.overlaps or self.disorder)

    @property
    def rate(self) -> float:
        """Events a second, from the first start to the last end."""
        return self.events / self.lasted_s if self.lasted_s else 0.0

    def takeover_s(self, share: float) -> float:
        """A quantile of the takeovers; 0 where there were none."""
        ordered = sorted(self.takeovers_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def read_runs(log: Path) -> list[Run]:
    """The runs that one worker noted."""
    begun: dict[int, tuple[float, str, int]] = {}
    found: list[Run] = []
    for line in log.read_text(encoding="ascii").splitlines():
        what, at, order, number, attempt = line.split()
        if what == "S":
            begun[int(number)] = float(at), order, int(attempt)
        else:
            started, _, _ = begun.pop(int(number))
            found.append(Run(log.name, order, int(number), int(attempt), started, float(at)))
    found += [
        Run(log.name, order, number, attempt, started, None)
        for number, (started, order, attempt) in begun.items()
    ]
    return found


def last_note(log: Path) -> float:
    """When a worker noted something last, which is when it died by itself; 0 where it never did."""
    *_, last = ["", *log.read_text(encoding="ascii").splitlines()]
    return float(last.split()[1]) if last else 0.0


def judge(
    runs: Collection[Run], events: int, died: Mapping[str, float], hurt: Sequence[tuple[str, float]]
) -> Verdict:
    """Of `events` numbered from 0; `died` is when a worker was killed, `hurt` who was hurt when."""
    of_order: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.started):
        of_order.setdefault(run.order, []).append(run)
    finished = {run.number for run in runs if run.ended is not None}
    ends = [run.ended for run in runs if run.ended is not None]
    begun = min((run.started for run in runs), default=0.0)
    return Verdict(
        events=events,
        lost=events - len(finished),
        overlaps=sum(_overlaps(one, died) for one in of_order.values()),
        disorder=sum(map(_disorder, of_order.values())),
        runs=len(runs),
        lasted_s=max(ends, default=begun) - begun,
        takeovers_s=[s for worker, at in hurt if (s := _takeover_s(runs, worker, at)) is not None],
    )


def _overlaps(runs: Sequence[Run], died: Mapping[str, float]) -> int:
    count, busy_until = 0, 0.0
    for run in runs:
        count += run.started < busy_until
        end = died.get(run.worker, run.started) if run.ended is None else run.ended
        busy_until = max(busy_until, end)
    return count


def _disorder(runs: Sequence[Run]) -> int:
    seen: set[int] = set()
    count, newest = 0, -1
    for run in runs:
        if run.ended is None or run.number in seen:
            continue
        seen.add(run.number)
        count += run.number < newest
        newest = max(newest, run.number)
    return count


def _takeover_s(runs: Collection[Run], worker: str, at: float) -> float | None:
    later = [run.started for run in runs if run.worker != worker and run.started > at]
    return min(later) - at if later else None
