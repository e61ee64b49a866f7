"""ReceiverProcesses that stop, start again, and outlive their consumer and their server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from receiver.bus.connection import Connection
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.testing import eventually
from receiver.worker.interface import Context
from receiver.worker.limits import ConsumerLimits
from receiver.worker.routing import Router
from schemas.events import EventData, OrderClosed, OrderCreated, OrderSynced
from tests.freezing import freeze
from tests.worker.conftest import Bench

Created = Event[OrderCreated]


def created(order_id: str = "1") -> OrderCreated:
    return OrderCreated(channel="1688", order_id=order_id)


def closed(order_id: str) -> OrderClosed:
    return OrderClosed(channel="1688", order_id=order_id)


async def test_a_stop_lets_what_runs_finish_within_the_grace(bench: Bench) -> None:
    router, started, released = Router(), asyncio.Event(), asyncio.Event()

    @router.on(OrderCreated)
    async def finish(event: Created, ctx: Context) -> OrderSynced:
        started.set()
        await released.wait()
        return OrderSynced(channel="1688", order_id=event.order_id)

    await bench.store(created())
    worker = await bench.work(router)
    await started.wait()
    stopping = asyncio.create_task(worker.stop())
    await asyncio.wait({stopping}, timeout=0.05)
    assert not stopping.done()
    released.set()
    await stopping
    await bench.handled(router)
    assert worker.counts.read() == {("finish", "done"): 1}
    assert len(await bench.stored("order.synced")) == 1


async def test_a_stop_gives_back_what_does_not_finish(bench: Bench) -> None:
    router, attempts, cancelled = Router(), list[int](), list[str | None]()

    @router.on(OrderCreated, OrderClosed)
    async def hang(event: Event[OrderCreated | OrderClosed], ctx: Context) -> None:
        attempts.append(ctx.attempt)
        if not cancelled:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(event.order_id)
                raise

    await bench.store(created("1"), closed("1"))
    worker = await bench.work(router, grace_s=0.05)
    await eventually(lambda: attempts == [1])
    await worker.stop()
    assert cancelled == ["1"]
    assert worker.counts.read() == {("hang", "released"): 2}
    await bench.work(router)
    await bench.handled(router)
    assert attempts == [1, 2, 1]  # what waited was not begun


async def test_a_later_start_goes_on_where_the_last_one_stopped(bench: Bench) -> None:
    router, seen = Router(), list[str | None]()

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    await bench.store(created("1"))
    worker = await bench.work(router)
    await bench.handled(router)
    await worker.stop()
    await bench.store(created("2"))
    await bench.work(router)
    await bench.handled(router)
    assert seen == ["1", "2"]


async def test_a_durable_with_other_filters_is_brought_up_to_date(bench: Bench) -> None:
    seen = list[tuple[str, str | None]]()

    async def note(event: Event[EventData], ctx: Context) -> None:
        seen.append((event.event_type, event.order_id))

    before, after = Router(), Router()
    before.on(OrderCreated)(note)
    after.on(OrderCreated, OrderClosed)(note)
    await bench.store(created("1"))
    worker = await bench.work(before)
    await bench.handled(before)
    await worker.stop()
    await bench.work(after)
    await bench.store(created("2"), closed("2"))
    await bench.handled(after)
    assert sorted(seen) == [("order.closed", "2"), ("order.created", "1"), ("order.created", "2")]


async def test_a_consumer_that_cannot_serve_is_refused_with_a_sentence(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None: ...

    await bench.connection.jetstream.add_consumer(
        bench.subjects.stream, durable_name="handler-note", deliver_subject="elsewhere"
    )
    with pytest.raises(ConfigurationError, match="pulled from: change that by hand"):
        await bench.work(router)


async def test_a_consumer_deleted_meanwhile_is_made_again(bench: Bench) -> None:
    router, seen = Router(), list[str | None]()

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    await bench.work(router)
    await bench.store(created("1"))
    await eventually(lambda: seen == ["1"])
    await bench.connection.jetstream.delete_consumer(bench.subjects.stream, "handler-note")
    await bench.store(created("2"))
    await eventually(lambda: "2" in seen)


async def stopped(server: EmbeddedServer) -> None:
    await server.stop()


async def killed(server: EmbeddedServer) -> None:
    os.kill(server.pid, signal.SIGKILL)
    await server.wait_dead()


@pytest.mark.parametrize("end", [stopped, killed])
async def test_handling_goes_on_after_a_restart_of_nats(
    tmp_path: Path, subjects: Subjects, end: Callable[[EmbeddedServer], Awaitable[None]]
) -> None:
    config = EmbeddedServerConfig(data_dir=tmp_path / "nats", port=0, sync_always=False)
    async with EmbeddedServer(config) as server:
        connection = Connection(server.url, plans(subjects, [timedelta(minutes=1)]))
        await connection.start(patience_s=10)
        bench = Bench(connection, JetStreamPublisher(connection, timeout_s=10), subjects)
        router, seen, go = Router(), list[str | None](), asyncio.Event()

        @router.on(OrderCreated)
        async def sync(event: Created, ctx: Context) -> OrderSynced:
            seen.append(event.order_id)
            await go.wait()
            return OrderSynced(channel="1688", order_id=event.order_id)

        worker = await bench.work(router)
        await bench.store(created("1"))
        await eventually(lambda: seen == ["1"])
        await end(server)
        await eventually(lambda: not connection.ready)
        go.set()
        await eventually(lambda: worker.counts.of("sync", "retried") == 1)
        await server.start()
        await eventually(lambda: connection.ready)
        await bench.store(created("2"))
        await bench.handled(router)
        made = {headers["ce-subject"] for headers in await bench.stored("order.synced")}
        assert made == {"1", "2"}
        await worker.stop()
        await connection.stop()


async def test_handling_goes_on_after_a_freeze_of_nats(tmp_path: Path, subjects: Subjects) -> None:
    config = EmbeddedServerConfig(data_dir=tmp_path / "nats", port=0, sync_always=False)
    async with EmbeddedServer(config) as server:
        connection = Connection(server.url, plans(subjects, [timedelta(minutes=1)]))
        await connection.start(patience_s=10)
        bench = Bench(connection, JetStreamPublisher(connection, timeout_s=10), subjects)
        router, seen = Router(), list[str | None]()

        @router.on(OrderCreated)
        async def note(event: Created, ctx: Context) -> None:
            seen.append(event.order_id)

        with structlog.testing.capture_logs() as logs:
            worker = await bench.work(router, limits=ConsumerLimits(heartbeat_s=0.2))
            await bench.store(created("1"))
            await eventually(lambda: seen == ["1"])
            await freeze(server.pid)
            try:
                await eventually(lambda: any("no heartbeat" in str(line) for line in logs))
            finally:
                os.kill(server.pid, signal.SIGCONT)
        await bench.store(created("2"))
        await eventually(lambda: seen == ["1", "2"])
        await worker.stop()
        await connection.stop()


async def test_a_worker_started_without_nats_begins_when_it_is_there(
    tmp_path: Path, subjects: Subjects
) -> None:
    config = EmbeddedServerConfig(data_dir=tmp_path / "nats", port=0, sync_always=False)
    server = EmbeddedServer(config)
    await server.start()
    await server.stop()
    connection = Connection(server.url, plans(subjects, [timedelta(minutes=1)]))
    assert not await connection.start(patience_s=0.01)
    bench = Bench(connection, JetStreamPublisher(connection, timeout_s=10), subjects)
    router, seen = Router(), list[str | None]()

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    worker = await bench.work(router)
    await server.start()
    await eventually(lambda: connection.ready)
    await bench.store(created("1"))
    await eventually(lambda: seen == ["1"])
    await worker.stop()
    await connection.stop()
    await server.stop()
