"""Running a replay with a person watching: progress, Ctrl-C, and what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from receiver.cli.desk import asked
from receiver.cli.look.output import terminal_progress
from receiver.cli.process import StoppedError
from receiver.cli.replay.to_handlers import ToHandlers
from receiver.cli.replay.to_reparse import ToReparse
from receiver.cli.replay.to_sink import ToSink
from receiver.composition.replays import ReplayDesk
from receiver.errors import BusError, YizhanError
from receiver.operations.audit_trail import AuditTrail, words_of
from receiver.resilience.cancellation import cancel_all
from receiver.worker.replaying.record import REPARSE, ReplayRecord
from receiver.worker.routing import Handler

_END_S: Final = 10.0
_LOOK_S: Final = 1.0

Show = Callable[[int, int, str], None]
Ended = Literal["done", "cancelled", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a run was asked for."""

    by: str
    force: bool = False
    as_json: bool = False


async def run_replay(
    desk: ReplayDesk,
    record: ReplayRecord,
    handlers: Sequence[Handler],
    stop: asyncio.Event,
    manner: Manner,
) -> int:
    """Begin a replay, or go on with it, to its end; the exit code."""
    trail = AuditTrail(desk.bus.connection, desk.bus.subjects, manner.by)
    words = {"replay": record.name, **words_of(record.chosen())}
    numbers = {"selected": record.count}
    where, console = ", ".join(record.targets), Console(stderr=True)
    giving: ToHandlers | ToReparse | ToSink
    if record.targets == [REPARSE]:
        giving = ToReparse(desk, record)
    elif handlers:
        giving = ToHandlers(desk, record, handlers)
    else:
        giving = ToSink(desk, record, force=manner.force)
    async with (
        trail.act("replay", target=where, filters=words, numbers=numbers) as act,
        giving,
    ):
        record = await desk.runs.begin(record, here=not handlers)
        with _shown(record) as show:
            ended = await _watched(desk, record, giving.run(show), stop)
        sys.stdout.flush()  # the events before the summary, also where both go into one pipe
        if ended == "done":
            await desk.runs.finish(record)
        elif ended == "interrupted":
            await desk.runs.interrupt(record)
        code = await giving.say(console, as_json=manner.as_json)
        act.numbers |= giving.numbers
        act.outcome = "partly" if code else "done"
        if ended == "cancelled":
            raise YizhanError(f"the replay {record.name} was cancelled")
        if ended == "interrupted":  # an error, so that a file is not taken for the whole
            raise StoppedError(stopped(record.name))
    return code


def stopped(name: str) -> str:
    """What to say where a run of a replay was stopped."""
    return f"the replay was interrupted: go on with it by `yizhan replay run {name}`"


def questions(record: ReplayRecord, handlers: Sequence[Handler]) -> list[str]:
    """What a person has to know before a replay goes on; nothing of most."""
    found = []
    if record.forced:
        found.append(
            "effects that happened before happen again, once each: mails are sent, orders are "
            "shipped a second time"
        )
    for handler in handlers:
        planned = record.code.get(handler.name, handler.code_version)
        if planned != handler.code_version:
            found.append(
                f"the code of {handler.name} changed since the plan ({planned} to "
                f"{handler.code_version}), and what was foreseen may not hold"
            )
    return found


def confirmed(record: ReplayRecord, handlers: Sequence[Handler], *, yes: bool) -> bool:
    """Whether it is to go on, asked where there is a question."""
    found = questions(record, handlers)
    for sentence in found:
        typer.echo(sentence, err=True)
    return yes or not found or asked("Run it?", err=True)


async def _watched(
    desk: ReplayDesk, record: ReplayRecord, work: Coroutine[Any, Any, bool], stop: asyncio.Event
) -> Ended:
    """Have it worked on until it is done, somebody cancels it, or this process is to stop."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    over = asyncio.create_task(_until_over(desk, record))
    tasks: set[asyncio.Task[Any]] = {working, stopping, over}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    done, was_cancelled = working.done(), over.done()
    if not (done or was_cancelled):  # workers hear it before a guest leaves
        with contextlib.suppress(BusError):
            await desk.runs.interrupt(record)
    await cancel_all(tasks, patience_s=_END_S)
    if done:
        return "done" if working.result() else "cancelled"
    return "cancelled" if was_cancelled else "interrupted"


async def _until_over(desk: ReplayDesk, record: ReplayRecord) -> None:
    """Return once somebody cancelled it."""
    while True:
        await asyncio.sleep(_LOOK_S)
        with contextlib.suppress(BusError):
            found = await desk.replays.get(record.name)
            if found is None or found.record.plan != record.plan:
                return
            if found.record.state == "cancelled":
                return


@contextlib.contextmanager
def _shown(record: ReplayRecord) -> Iterator[Show]:
    """Gives what takes how many are done, of how many, and why nothing goes on."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[waits]}", markup=False),
    )
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    with terminal_progress(*columns) as bar:
        row = bar.add_task(record.name, total=record.count, rate="", waits="")

        def show(done: int, total: int, waits: str) -> None:
            speed = bar.tasks[row].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            bar.update(row, completed=done, total=total, rate=rate, waits=waits)

        yield show
