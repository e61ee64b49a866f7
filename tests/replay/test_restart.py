"""NATS restarts in the middle of replays: to a handler, to subjects, to a file; each goes on."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.event import Event
from receiver.replay.replay import PATIENCE_S, replay
from receiver.replay.sinks.file import FileSink
from receiver.replay.sinks.subject import SubjectSink
from receiver.testing import eventually, make_event
from receiver.worker.interface import Context
from receiver.worker.replaying.frozen import Frozen
from receiver.worker.routing import Router
from schemas.events import EventData, OrderCreated
from tests.bus.cluster import free_ports
from tests.replay.place import Place
from tests.worker.conftest import Bench

COUNT = 600
RUN = 120
ORDERS = [str(number) for number in range(COUNT)]


class Halfway:
    """Where replays wait: that to a file until NATS is gone, the others until it is back."""

    def __init__(self) -> None:
        self.reached = set[str]()
        self.gone, self.back = asyncio.Event(), asyncio.Event()

    async def wait(self, who: str, until: asyncio.Event) -> None:
        self.reached.add(who)
        await until.wait()


class ToFile(FileSink):
    def __init__(self, path: Path, halfway: Halfway) -> None:
        super().__init__(path, stdout=io.StringIO())
        self.count, self.halfway = 0, halfway

    async def put(self, event: Event[EventData], stored: StoredMessage) -> str:
        self.count += 1
        if self.count == COUNT // 2:
            await self.halfway.wait("file", self.halfway.gone)
        return await super().put(event, stored)


class ToSubject(SubjectSink):
    def __init__(self, place: Place, prefix: str, halfway: Halfway) -> None:
        super().__init__(place.connection, place.subjects, prefix)
        self.given, self.halfway = list[str](), halfway

    async def put(self, event: Event[EventData], stored: StoredMessage) -> str:
        reason = await super().put(event, stored)
        self.given.append(event.order_id or "")
        if len(self.given) == COUNT // 2:
            await self.halfway.wait("subject", self.halfway.back)
        return reason


@dataclass
class Shop:
    """A handler with an effect."""

    router: Router
    halfway: Halfway
    runs: list[str]
    effects: list[str]

    async def ship(self, event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("ship") as effect:
            if effect.due:
                self.effects.append(event.order_id or "")
        self.runs.append(event.order_id or "")
        if len(self.runs) >= RUN // 2:
            await self.halfway.wait("shop", self.halfway.back)


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[list[EmbeddedServer]]:
    """One that runs, and one on the same data and port."""
    (port,) = free_ports(1)
    config = EmbeddedServerConfig(data_dir=tmp_path / "data", port=port, sync_always=False)
    made = [EmbeddedServer(config), EmbeddedServer(config)]
    await made[0].start()
    yield made
    await made[1].stop()


async def test_replays_go_on_after_a_restart_of_nats_and_effects_happen_once(
    servers: list[EmbeddedServer], tmp_path: Path, subjects: Subjects
) -> None:
    connection = Connection(servers[0].url, plans(subjects, [timedelta(hours=2)]))
    assert await connection.start(patience_s=60)
    publisher = GroupCommitPublisher(connection, timeout_s=10)
    halfway = Halfway()
    shop = Shop(Router(), halfway, [], [])
    shop.router.on(OrderCreated)(shop.ship)
    place = Place(connection, publisher, subjects, shop.router.handlers)
    await place.store.ensure()
    events = [make_event(OrderCreated(channel="1688", order_id=order)) for order in ORDERS]
    await publisher.publish([encode_event(event, subjects) for event in events])

    to_file = await place.plan("file", targets=["file:out"])
    file = ToFile(tmp_path / "out", halfway)
    to_subject = await place.plan("subject")
    sink = ToSubject(place, "try", halfway)

    async def write() -> None:
        frozen = Frozen.of(to_file, "file:out", subjects)
        with file:
            await replay(
                connection, subjects.stream, frozen, file, silence_s=0.2, patience_s=PATIENCE_S
            )

    bench = Bench(connection, publisher, subjects)
    worker = await bench.work(shop.router, as_they_say=True)
    begun = await place.runs.begin(to_subject, here=True)
    giving = [
        asyncio.create_task(write()),
        asyncio.create_task(place.give(begun, sink, patience_s=PATIENCE_S)),
    ]
    await place.begin("ship", sequences=range(1, RUN + 1))
    await eventually(lambda: len(halfway.reached) == 3)
    await servers[0].stop()
    halfway.gone.set()
    await servers[1].start()
    halfway.back.set()
    await asyncio.gather(*giving)
    await place.until("one", "finished")
    lines = (tmp_path / "out").read_text().splitlines()
    await worker.stop()
    await place.store.stop()
    await publisher.stop()
    await connection.stop()

    assert [json.loads(line)["subject"] for line in lines] == ORDERS
    assert list(dict.fromkeys(sink.given)) == ORDERS
    assert Counter(shop.effects) == Counter(ORDERS[:RUN])
    assert set(shop.runs) == set(ORDERS[:RUN])
