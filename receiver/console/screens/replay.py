"""One replay: what it selects, what it would do, how far it is, what became of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from receiver.console.desk import Desk
from receiver.console.handler_state import Tone
from receiver.console.rendering import segment
from receiver.console.screen import Act, Asked, ChangedError, Done, GoneError, Screen
from receiver.console.screens.replays import tone_of
from receiver.errors import ConfigurationError
from receiver.operations.audit_trail import words_of
from receiver.operations.replay_acts import replay_document
from receiver.operations.replaying import Standing
from receiver.replay.report import HandlerReport
from receiver.worker.replaying.record import ReplayRecord

_REPORT: Final = "report"
_QUICK: Final = 10_000
"""Of a replay of so many events the report is shown unasked, once it is over."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is: of `total` events `done` are done, so many a second since it began."""

    done: int
    total: int
    rate: float
    waits: str


@dataclass(frozen=True, slots=True)
class ReplayView:
    """A replay. `record` is its document of `yizhan replay list --json`; `why_not` says why it
    cannot be begun here, and `run` is the command that does; `report` is None where it was not
    read.
    """

    title: str
    command: str
    name: str
    state: str
    tone: Tone
    is_over: bool
    words: dict[str, str]
    record: dict[str, Any]
    first_at: datetime | None
    last_at: datetime | None
    planned_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    progress: Progress | None
    why_not: str
    run: str
    report: tuple[dict[str, Any], ...] | None


async def read(desk: Desk, asked: Asked) -> ReplayView:
    """Raises `GoneError` where there is none of this name (any more)."""
    record, state = await _found(desk, asked)
    standing = await desk.replays.progress(record)
    why_not = ""
    if state in {"planned", "interrupted"}:
        why_not = await desk.replays.why_not_here(record)
    reports = None
    if record.was_begun and (
        asked.others.get(_REPORT) or (record.is_over and record.count <= _QUICK)
    ):
        reports = await desk.replays.report(record)
    return view(record, state, standing, why_not, reports, asked.now)


def view(
    record: ReplayRecord,
    state: str,
    standing: Standing | None,
    why_not: str,
    reports: Sequence[HandlerReport] | None,
    now: datetime,
) -> ReplayView:
    """The page of a replay and what was read of it."""
    document = replay_document(record)
    return ReplayView(
        title=f"Replay {record.name}",
        command=shlex.join(["yizhan", "replay", "report", record.name]),
        name=record.name,
        state=state,
        tone=tone_of(state),
        is_over=record.is_over,
        words=words_of(record.chosen()),
        record=document,
        first_at=record.first_at,
        last_at=record.last_at,
        planned_at=record.planned_at,
        begun_at=record.begun_at,
        ended_at=record.ended_at,
        progress=_progress(standing, record, now),
        why_not=why_not,
        run=shlex.join(["yizhan", "replay", "run", record.name]),
        report=None if reports is None else tuple(one.document() for one in reports),
    )


async def act(desk: Desk, asked: Asked) -> Done:
    """Have the workers run it, or cancel it; raises `ChangedError` where it is another plan now."""
    record, _ = await _found(desk, asked)
    verb, given = asked.others.get("act", ""), asked.others
    if (given.get("plan"), given.get("count")) != (record.plan, str(record.count)):
        raise ChangedError(
            f"{record.name} is another plan by now, of {record.count:,} events: nothing was done."
        )
    page, trail = f"/replays/{segment(record.name)}", desk.trail(asked.viewer.name)
    if verb == "run":
        await desk.replays.begin(record, trail)
        return Done(page, "The workers run it.")
    if verb == "cancel":
        if record.is_over:
            return Done(page, f"It is {record.state} already.")
        await desk.replays.cancel(record, trail)
        return Done(page, "It is cancelled; what was given stays done.")
    raise ConfigurationError(f"act {shlex.quote(verb)}: is none: write run or cancel")


async def _found(desk: Desk, asked: Asked) -> tuple[ReplayRecord, str]:
    name = asked.path["name"]
    found = await desk.replays.get(name)
    if found is None:
        raise GoneError(
            f"There is no replay {name} (any more): a plan is kept for a day, another for 30."
        )
    return found


def _progress(standing: Standing | None, record: ReplayRecord, now: datetime) -> Progress | None:
    if standing is None or record.begun_at is None:
        return None
    seconds = max(1.0, (now - record.begun_at).total_seconds())
    rate = round(standing.done / seconds, 1)
    return Progress(standing.done, standing.total, rate, standing.waits)


SCREEN: Final = Screen(
    name="replay",
    path="/replays/{name}",
    template="replay.html",
    read=read,
    others=(_REPORT,),
    act=Act(act),
)
