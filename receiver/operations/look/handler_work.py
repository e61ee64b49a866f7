"""What a handler did lately, and what waits for its time with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.selection import StreamSelection
from receiver.bus.subjects import ANY, decode_token
from receiver.operations.look.archive import Archive
from receiver.operations.look.documents import run_document, schedule_document
from receiver.operations.look.newest import newest

RUNS: Final = 500
"""So many of the newest runs are looked at."""
FAILURES: Final = 20
WAITING: Final = 20
_MAX_READ: Final = 1_000
_FAILED: Final = frozenset({"retried", "dead_lettered"})


@dataclass(frozen=True, slots=True)
class RecentRuns:
    """The newest runs of a handler, at most `RUNS`: how many were looked at, how they ended, how
    long they took, and the newest that failed, as documents with their `order_id`.
    """

    count: int
    outcomes: dict[str, int]
    median_ms: float | None
    p95_ms: float | None
    longest_ms: float | None
    failures: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is put off for a handler: how many were looked at, the first ones to come, as documents;
    `is_all` is False where more wait than are read.
    """

    count: int
    is_all: bool
    first: tuple[dict[str, Any], ...]


async def recent_runs(archive: Archive, handler: str) -> RecentRuns:
    """Of the records that are kept; raises what `Reader` raises."""
    chosen = selection.runs(Filters(handler=handler), archive.subjects)
    found: list[dict[str, Any]] = []
    for stored in await newest(archive.reader, chosen, RUNS):
        if (run := run_document(stored)) is not None:
            order_id = decode_token(stored.nats_subject.rpartition(".")[2])
            found.append({**run, "order_id": order_id})
    times = sorted(run["duration_ms"] for run in found)
    return RecentRuns(
        count=len(found),
        outcomes=dict(Counter(run["outcome"] for run in found).most_common()),
        median_ms=_share(times, 0.5),
        p95_ms=_share(times, 0.95),
        longest_ms=_share(times, 1),
        failures=tuple([run for run in found if run["outcome"] in _FAILED][:FAILURES]),
    )


async def waiting(archive: Archive, handler: str) -> Waiting:
    """Retries, timers and events that coalesce, by when they come; raises what `Reader` raises."""
    subject = f"{archive.subjects.root}.schedules.{ANY}.{handler}.{ANY}.{ANY}"
    chosen = StreamSelection(archive.subjects.stream, [subject, f"{subject}.{ANY}"])
    found: list[dict[str, Any]] = []
    is_all = True
    async with aclosing(archive.reader.read(chosen)) as reading:
        async for stored in reading:
            if len(found) >= _MAX_READ:
                is_all = False
                break
            if (document := schedule_document(stored))["at"] is not None:
                found.append(document)
    found.sort(key=lambda one: str(one["at"]))
    return Waiting(len(found), is_all, tuple(found[:WAITING]))


def _share(ordered: Sequence[float], share: float) -> float | None:
    """The value below which a share of them lies; None of nothing."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
