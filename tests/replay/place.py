"""Replays of one stream, planned and run as the commands do it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.publish.contract import Publisher
from receiver.bus.state.store import StateStore
from receiver.bus.subjects import Subjects
from receiver.replay.plan import Planning, Wish
from receiver.replay.replay import Summary
from receiver.replay.report import HandlerReport, report_of
from receiver.replay.resumed import Resumed
from receiver.replay.runner import Runner
from receiver.replay.runs import Runs
from receiver.replay.sinks.subject import SubjectSink
from receiver.testing import make_event
from receiver.worker.replaying.frozen import Frozen
from receiver.worker.replaying.pace import Pace
from receiver.worker.replaying.record import ReplayRecord
from receiver.worker.replaying.store import Replays
from receiver.worker.routing import Handler
from schemas.events import EventData


def now() -> datetime:
    return datetime.now(UTC)


class Place:
    """One stream, and replays of it as a command has them."""

    def __init__(
        self,
        connection: Connection,
        publisher: Publisher,
        subjects: Subjects,
        handlers: Sequence[Handler] = (),
    ) -> None:
        self.connection = connection
        self.publisher = publisher
        self.subjects = subjects
        self.store = StateStore(connection, subjects)
        self.replays = Replays(self.store, connection, subjects)
        self.runs = self.other_runs()
        self.planning = Planning(self.replays, handlers, clock=now)

    def other_runs(self) -> Runs:
        """As another process has them."""
        return Runs(self.replays, Runner(self.connection, self.subjects), clock=now)

    async def put(self, *made: EventData) -> None:
        events = [encode_event(make_event(data), self.subjects) for data in made]
        await self.publisher.publish(events)

    async def plan(self, name: str, **wish: Any) -> ReplayRecord:
        asked = Wish(**{"targets": [f"subject:{self.subjects.root}.replay.{name}"], **wish})
        record = await self.planning.freeze(name, asked, "ann@desk")
        await self.planning.keep(record)
        return record

    async def give(
        self, record: ReplayRecord, sink: SubjectSink | None = None, *, patience_s: float = 0.0
    ) -> Summary:
        """Everything that is left, as the command does it."""
        target, summary = record.targets[0], Summary()
        prefix = target.removeprefix("subject:")
        await Resumed(
            self.connection,
            record.consumer(target, self.subjects.stream),
            Frozen.of(record, target, self.subjects),
            sink or SubjectSink(self.connection, self.subjects, prefix, record.marks()),
            summary=summary,
            progress=lambda _: None,
            pace=Pace(0, 0, clock=lambda: 0.0),
        ).run(patience_s=patience_s)
        return summary

    async def begin(self, handler: str, name: str = "one", **wish: Any) -> ReplayRecord:
        """A replay to a handler, which whoever holds that runs."""
        asked = {"targets": [f"handler:{handler}"], "rate": 0, **wish}
        return await self.runs.begin(await self.plan(name, **asked), here=False)

    async def until(self, name: str, state: str) -> ReplayRecord:
        """Once it is in a state."""
        async with asyncio.timeout(100):
            while (record := await self.runs.of(name)).state != state:
                await asyncio.sleep(0.05)
        return record

    async def ended(self, name: str = "one", *, runs: int) -> HandlerReport:
        """The report once it is finished, and so many runs are on record."""
        record = await self.until(name, "finished")
        async with asyncio.timeout(100):
            while (reports := await report_of(record, self.replays))[0].runs < runs:
                await asyncio.sleep(0.05)
        return reports[0]
