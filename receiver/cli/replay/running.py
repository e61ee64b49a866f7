"""Running a replay with a person watching: progress, Ctrl-C, and what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import typer
from rich.console import Console
from rich.progress import Progress

from receiver.cli.options import option
from receiver.cli.process import EXIT_FAILED, EXIT_PARTLY
from receiver.cli.replay.targets import file_sink
from receiver.composition.api import opened_api
from receiver.composition.replays import ReplayDesk
from receiver.errors import BusError, YizhanError
from receiver.operations.audit_trail import Act, AuditTrail
from receiver.replay.replay import Progress as OnProgress
from receiver.replay.replay import Sink, Summary
from receiver.replay.replay import replay as give_all
from receiver.replay.resumed import Resumed
from receiver.replay.runs import consumer_of
from receiver.replay.sinks.handler import HandlerSink
from receiver.replay.sinks.subject import SubjectSink
from receiver.resilience.cancellation import cancel_all
from receiver.worker.replaying.frozen import Frozen
from receiver.worker.replaying.pace import Pace
from receiver.worker.replaying.record import SUBJECT, ReplayRecord
from receiver.worker.routing import Handler

_END_S: Final = 5.0
_LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a run was asked for."""

    by: str
    force: bool = False
    as_json: bool = False
    yes: bool = False


async def run_replay(
    desk: ReplayDesk,
    record: ReplayRecord,
    handlers: Sequence[Handler],
    stop: asyncio.Event,
    manner: Manner,
) -> int:
    """Begin a replay, or go on with it, to its end; the exit code."""
    trail = AuditTrail(desk.bus.connection, desk.bus.subjects, manner.by)
    words = {"replay": record.name, **record.filters}
    numbers = {"selected": record.count}
    where = ", ".join(record.targets)
    async with (
        trail.act("replay", target=where, filters=words, numbers=numbers) as act,
        _giving(desk, record, handlers, manner) as giving,
    ):
        record = await desk.runs.begin(record, here=True)
        return await _watched(desk, record, giving, stop, manner, act)


class Giving:
    """What gives the events of a replay in this process: to one sink a target."""

    def __init__(self, desk: ReplayDesk, record: ReplayRecord, sinks: Sequence[Sink]) -> None:
        self.summary = Summary(selected=record.count)
        self._desk = desk
        self._record = record
        self._sinks = sinks

    async def run(self, progress: OnProgress) -> None:
        """To its end; raises `BusError`."""
        for target, sink in zip(self._record.targets, self._sinks, strict=True):
            if self._record.count:
                await self._give(target, sink, progress)

    async def _give(self, target: str, sink: Sink, progress: OnProgress) -> None:
        record, bus = self._record, self._desk.bus
        frozen = Frozen.of(record, target, bus.subjects)
        pace = Pace(record.rate, record.ramp_s, time.monotonic)
        if isinstance(sink, SubjectSink | HandlerSink):
            consumer = consumer_of(record, target, self._desk.replays)
            await Resumed(
                bus.connection,
                consumer,
                frozen,
                sink,
                summary=self.summary,
                progress=progress,
                pace=pace,
            ).run()
            return
        await give_all(
            bus.connection,
            bus.subjects.stream,
            frozen,
            sink,
            summary=self.summary,
            progress=progress,
            pace=pace,
        )


@contextlib.asynccontextmanager
async def _giving(
    desk: ReplayDesk, record: ReplayRecord, handlers: Sequence[Handler], manner: Manner
) -> AsyncIterator[Giving]:
    to, bus, settings = record.targets[0], desk.bus, desk.settings
    if handlers:
        async with opened_api(settings, bus) as opened:
            api = opened.with_priority("replay") if opened else None
            kept = timedelta(days=settings.nats.max_age_days)
            sinks = [
                HandlerSink.of(one, bus.publisher, bus.connection, bus.subjects, api=api, kept=kept)
                for one in handlers
            ]
            yield Giving(desk, record, sinks)
            for sink in sinks:
                await sink.close()
        return
    if to.startswith(SUBJECT):
        prefix = to.removeprefix(SUBJECT)
        subject_sink = SubjectSink(bus.connection, bus.subjects, prefix, record.marks())
        with option("--to"):
            await subject_sink.check()
        yield Giving(desk, record, [subject_sink])
        return
    file = file_sink(to, force=manner.force)
    with contextlib.ExitStack() as stack:
        with option("--to"):
            stack.enter_context(file)
        yield Giving(desk, record, [file])


async def _watched(
    desk: ReplayDesk,
    record: ReplayRecord,
    giving: Giving,
    stop: asyncio.Event,
    manner: Manner,
    act: Act,
) -> int:
    console, summary = Console(stderr=True), giving.summary
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task("replaying", total=record.count)

        def show(so_far: Summary) -> None:
            bar.update(row, completed=so_far.done)

        working = asyncio.create_task(giving.run(show))
        stopping = asyncio.create_task(stop.wait())
        cancelled = asyncio.create_task(_until_over(desk, record))
        tasks = {working, stopping, cancelled}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        ended, was_cancelled = working.done(), cancelled.done()
        await cancel_all(tasks, patience_s=_END_S)
        act.numbers |= summary.numbers
        if working.done() and not working.cancelled():
            working.result()
    sys.stdout.flush()  # the events before the summary, also where both go into one pipe
    if ended:
        await desk.runs.finish(record)
    elif not was_cancelled:
        await desk.runs.interrupt(record)
    if summary.failed or summary.undecodable:
        act.outcome = "partly"
    _say(record, summary, console, manner)
    if was_cancelled and not ended:
        raise YizhanError(f"the replay {record.name} was cancelled")
    if not ended:  # an error, so that the sink does not take the part for the whole
        raise YizhanError(
            f"the replay was interrupted: go on with it by `yizhan replay run {record.name}`"
        )
    return _exit_code(summary)


def _say(record: ReplayRecord, summary: Summary, console: Console, manner: Manner) -> None:
    if manner.as_json:
        found = {"name": record.name, **summary.numbers, "reasons": summary.failures}
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    console.print(
        f"{summary.delivered} delivered, {summary.failed} failed, "
        f"{summary.undecodable} not decodable, of {summary.selected} selected, "
        f"in {summary.duration_s:.1f} s"
    )
    for failure in summary.failures:
        console.print(f"  {failure}", markup=False)


def _exit_code(summary: Summary) -> int:
    if not (summary.failed or summary.undecodable):
        return 0
    return EXIT_PARTLY if summary.delivered else EXIT_FAILED


async def _until_over(desk: ReplayDesk, record: ReplayRecord) -> None:
    """Return once somebody cancelled it."""
    while True:
        await asyncio.sleep(_LOOK_S)
        with contextlib.suppress(BusError):
            found = await desk.replays.get(record.name)
            if found is None or found.record.plan != record.plan or found.record.is_over:
                return
