"""NATS restarts in the middle: an export and an import wait for it, and go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from receiver.bus.codec import encode_event
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.testing import make_event
from schemas.events import OrderCreated
from tests.bus.cluster import free_ports
from tests.transfer.moving import Place, opened_place

COUNT = 600


async def test_nats_restarts_in_the_middle_of_an_export_and_of_an_import(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    config = EmbeddedServerConfig(data_dir=tmp_path / "data", port=port, sync_always=False)
    servers = [EmbeddedServer(config)]
    await servers[0].start()
    restarts: list[asyncio.Task[None]] = []

    async def restart() -> None:
        await servers[-1].stop()
        servers.append(EmbeddedServer(config))
        await servers[-1].start()

    def once() -> Callable[[int], None]:
        begun = len(restarts)

        def progress(done: int) -> None:
            if done >= 300 and len(restarts) == begun:
                restarts.append(asyncio.create_task(restart()))

        return progress

    url = servers[0].url
    async with (
        opened_place(url, Subjects("here")) as here,
        opened_place(url, Subjects("there"), commit_s=1) as there,
    ):
        await store(here)
        file = tmp_path / "events.zst"
        assert await here.export(file, ("events",), progress=once()) == {"events": COUNT}
        report = await there.take(file, progress=once())
        assert report.failed == 0
        after = await there.holds(there.subjects.stream)
        before = await here.holds(here.subjects.stream)
        assert {m.headers["ce-id"] for m in after} == {m.headers["ce-id"] for m in before}
        assert len(after) == COUNT
        assert len(restarts) == 2
        await asyncio.gather(*restarts)
    await servers[-1].stop()


async def store(place: Place) -> None:
    events = [
        make_event(OrderCreated(channel="1688", order_id=str(number))) for number in range(COUNT)
    ]
    messages = [encode_event(event, place.subjects) for event in events]
    await asyncio.gather(*(place.publisher.publish([message]) for message in messages))
