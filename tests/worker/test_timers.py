"""Timers of handlers on a real server: set, fired, replaced, cancelled, and outliving restarts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.message import StoredMessage
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.contract.asyncapi import asyncapi
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.testing import Kit, eventually, make_event
from receiver.worker.interface import Context, Drop, Retry
from receiver.worker.limits import ConsumerLimits
from receiver.worker.routing import Router
from schemas.events import EventData, OrderClosed, OrderCreated, UnknownReceived
from tests.worker.conftest import Bench

SHORT = timedelta(milliseconds=1)
LONG = timedelta(hours=1)


def created(order_id: str = "1") -> OrderCreated:
    return OrderCreated(channel="1688", order_id=order_id)


def closed(order_id: str = "1") -> OrderClosed:
    return OrderClosed(channel="1688", order_id=order_id)


async def schedules(bench: Bench, kind: str = "timer") -> list[StoredMessage]:
    subject = f"{bench.subjects.root}.schedules.{kind}.>"
    return await bench.messages(bench.subjects.stream, subject)


async def test_a_timer_runs_its_handler_again_on_the_same_event(bench: Bench) -> None:
    router, runs = Router(), list[tuple[str, int, str | None]]()

    @router.on(OrderCreated)
    async def remind(event: Event[OrderCreated], ctx: Context) -> None:
        runs.append((event.id, ctx.attempt, ctx.timer))
        if ctx.timer is None:
            await ctx.schedule(after=SHORT, key="unpaid?")

    (event,) = await bench.store(created())
    worker = await bench.work(router)
    await eventually(lambda: worker.counts.of("remind", "done") == 2, within_s=60)
    assert runs == [(event.id, 1, None), (event.id, 1, "unpaid?")]
    assert await schedules(bench) == []


async def test_a_timer_in_the_past_fires_at_once(bench: Bench) -> None:
    router, fired = Router(), list[str | None]()

    @router.on(OrderCreated)
    async def remind(event: Event[OrderCreated], ctx: Context) -> None:
        fired.append(ctx.timer)
        if ctx.timer is None:
            await ctx.schedule(at=datetime(2020, 1, 1, tzinfo=UTC), key="late")

    await bench.store(created())
    await bench.work(router)
    await eventually(lambda: fired == [None, "late"], within_s=60)


async def test_a_run_that_a_timer_fires_counts_attempts_of_its_own(bench: Bench) -> None:
    router, runs = Router(), list[tuple[str | None, int]]()

    @router.on(OrderCreated)
    async def remind(event: Event[OrderCreated], ctx: Context) -> None:
        runs.append((ctx.timer, ctx.attempt))
        if ctx.attempt == 1:
            if ctx.timer is None:
                await ctx.schedule(after=SHORT, key="a")
            raise ValueError
        if ctx.timer is not None and ctx.attempt == 2:
            raise Retry(after=SHORT)
        if ctx.timer is not None:
            raise Drop("seen enough")

    await bench.store(created())
    worker = await bench.work(router, limits=ConsumerLimits(short_retry_s=0.01))
    await eventually(lambda: worker.counts.of("remind", "dropped") == 1, within_s=60)
    of_timer = [attempt for timer, attempt in runs if timer == "a"]
    assert [attempt for timer, attempt in runs if timer is None] == [1, 2]
    assert of_timer == [1, 2, 3]


async def test_a_timer_that_is_set_again_replaces_the_first(bench: Bench) -> None:
    router, runs = Router(), list[str | None]()

    @router.on(OrderCreated)
    async def remind(event: Event[OrderCreated], ctx: Context) -> None:
        runs.append(ctx.timer)
        if ctx.timer is None:
            await ctx.schedule(after=LONG, key="a")
        if ctx.timer is None and ctx.attempt == 1:
            raise ValueError  # the rerun sets it anew

    await bench.store(created())
    worker = await bench.work(router)
    await eventually(lambda: worker.counts.of("remind", "done") == 1)
    assert len(await schedules(bench)) == 1


async def test_keys_and_handlers_have_timers_of_their_own_and_orders_share_theirs(
    bench: Bench,
) -> None:
    router = Router()

    async def remind(event: Event[EventData], ctx: Context) -> None:
        await ctx.schedule(after=LONG, key="订单 a.*>")
        await ctx.schedule(after=LONG, key="b" * 300)
        await ctx.schedule(after=LONG, key="b" * 299)

    router.on(OrderCreated, OrderClosed)(remind)
    await bench.store(created("1"), closed("1"), created("2"))
    await bench.work(router)
    await bench.handled(router)
    held = await schedules(bench)
    orders = sorted(stored.nats_subject.split(".")[5] for stored in held)
    assert orders == ["1"] * 3 + ["2"] * 3
    assert max(len(stored.nats_subject) for stored in held) < 200


async def test_events_without_an_order_have_timers_of_their_own(bench: Bench) -> None:
    router, fired = Router(), list[str | None]()

    @router.on(UnknownReceived)
    async def look(event: Event[UnknownReceived], ctx: Context) -> None:
        if ctx.timer:
            fired.append(event.data.message_type)
        else:
            await ctx.schedule(after=SHORT, key="again")

    await bench.store(
        *(UnknownReceived(channel="1688", message_type=kind, body="{}") for kind in ("A", "B"))
    )
    await bench.work(router)
    await eventually(lambda: set(fired) == {"A", "B"}, within_s=60)


async def test_a_cancelled_timer_does_not_fire(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated, OrderClosed)
    async def remind(event: Event[OrderCreated | OrderClosed], ctx: Context) -> None:
        if isinstance(event.data, OrderCreated):
            await ctx.schedule(after=LONG, key="a")
            await ctx.schedule(after=LONG, key="b")
        else:
            await ctx.cancel("a")
            await ctx.cancel("never set")

    await bench.store(created(), closed())
    await bench.work(router)
    await bench.handled(router)
    (held,) = await schedules(bench)
    assert held.headers["yizhan-timer"] == "b"
    cancels = await schedules(bench, "cancel")
    assert {stored.headers["Nats-TTL"] for stored in cancels} == {f"{90 * 86_400}s"}


async def test_a_timer_cancelled_after_it_fired_does_not_run(bench: Bench) -> None:
    router, runs = Router(), list[tuple[str, str | None]]()

    @router.on(OrderCreated, OrderClosed)
    async def remind(event: Event[OrderCreated | OrderClosed], ctx: Context) -> None:
        runs.append((event.event_type, ctx.timer))
        if event.event_type == "order.closed":
            await ctx.cancel("a")
            return
        await ctx.schedule(after=SHORT, key="a")
        due = bench.subjects.all_due("remind")

        async def fired() -> bool:
            return bool(await bench.messages(bench.subjects.stream, due))

        await eventually(fired, within_s=60)  # it waits behind this run, and the other event

    await bench.store(created(), closed())
    with structlog.testing.capture_logs() as logs:
        worker = await bench.work(router)
        await eventually(lambda: worker.counts.of("remind", "dropped") == 1, within_s=60)
    assert runs == [("order.created", None), ("order.closed", None)]
    (line,) = [line for line in logs if line.get("outcome") == "dropped"]
    assert (line["timer"], "cancelled" in line["error"]) == ("a", True)


async def test_a_renamed_handler_tries_a_run_again_that_set_its_own_timer_and_failed(
    bench: Bench,
) -> None:
    router, runs = Router(), list[tuple[str | None, int]]()

    @router.on(OrderCreated, was="old")
    async def remind(event: Event[OrderCreated], ctx: Context) -> None:
        runs.append((ctx.timer, ctx.attempt))
        await ctx.schedule(after=SHORT if ctx.timer is None else LONG, key="a")
        if ctx.timer is not None and ctx.attempt == 1:
            raise ValueError

    await bench.store(created())
    worker = await bench.work(router)
    await eventually(lambda: sum(worker.counts.read().values()) == 3, within_s=60)
    assert runs == [(None, 1), ("a", 1), ("a", 2)]


async def test_a_run_that_set_its_own_timer_again_and_did_not_end_is_run_again(
    bench: Bench,
) -> None:
    router, runs, stays = Router(), list[str | None](), asyncio.Event()

    @router.on(OrderCreated)
    async def remind(event: Event[OrderCreated], ctx: Context) -> None:
        await ctx.schedule(after=SHORT if ctx.timer is None else LONG, key="a")
        runs.append(ctx.timer)
        if runs == [None, "a"]:
            await stays.wait()

    await bench.store(created())
    worker = await bench.work(router, grace_s=0.01)
    await eventually(lambda: runs == [None, "a"], within_s=60)
    await worker.stop()
    # As a lone server that begins anew: what is known of attempts is in its memory alone.
    await call(bench.connection.client, f"STREAM.PURGE.{bench.subjects.workers_stream}", {})
    worker = await bench.work(router)
    await eventually(lambda: bool(worker.counts.read()), within_s=60)
    assert worker.counts.read() == {("remind", "done"): 1}
    assert runs == [None, "a", "a"]


async def test_a_timer_outlives_the_worker_that_set_it(bench: Bench) -> None:
    router, fired = Router(), list[str | None]()

    @router.on(OrderCreated)
    async def remind(event: Event[OrderCreated], ctx: Context) -> None:
        fired.append(ctx.timer)
        if ctx.timer is None:
            await ctx.schedule(after=SHORT, key="a")

    await bench.store(created())
    worker = await bench.work(router)
    await eventually(lambda: worker.counts.of("remind", "done") == 1)
    await worker.stop()
    await bench.work(router)
    await eventually(lambda: fired == [None, "a"], within_s=60)


async def test_a_timer_outlives_a_kill_of_nats(tmp_path: Path, subjects: Subjects) -> None:
    config = EmbeddedServerConfig(data_dir=tmp_path / "nats", port=0, sync_always=False)
    async with EmbeddedServer(config) as server:
        connection = Connection(server.url, plans(subjects, [timedelta(minutes=1)]))
        await connection.start(patience_s=10)
        bench = Bench(connection, JetStreamPublisher(connection, timeout_s=10), subjects)
        router, fired = Router(), list[str | None]()

        @router.on(OrderCreated)
        async def remind(event: Event[OrderCreated], ctx: Context) -> None:
            fired.append(ctx.timer)
            if ctx.timer is None:
                await ctx.schedule(after=timedelta(seconds=2), key="a")

        worker = await bench.work(router)
        await bench.store(created())
        await bench.handled(router)
        os.kill(server.pid, signal.SIGKILL)
        await server.wait_dead()
        await server.start()
        await eventually(lambda: fired == [None, "a"], within_s=60)
        await worker.stop()
        await connection.stop()


async def test_the_timers_of_a_renamed_handler_go_on_and_can_be_cancelled(bench: Bench) -> None:
    before, after, runs = Router(), Router(), list[str | None]()

    @before.on(OrderCreated)
    async def old(event: Event[OrderCreated], ctx: Context) -> None:
        await ctx.schedule(after=LONG, key="a")
        await ctx.schedule(after=timedelta(seconds=1), key="b")

    @after.on(OrderCreated, OrderClosed, was="old")
    async def new(event: Event[OrderCreated | OrderClosed], ctx: Context) -> None:
        runs.append(ctx.timer)
        await ctx.cancel("a")

    await bench.store(created())
    worker = await bench.work(before)
    await bench.handled(before)
    await worker.stop()
    await bench.store(closed())
    await bench.work(after)
    await eventually(lambda: sorted(map(str, runs)) == ["None", "b"], within_s=60)
    assert await schedules(bench) == []


async def test_a_letter_names_the_timer_and_lists_its_attempts_alone(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def remind(event: Event[OrderCreated], ctx: Context) -> None:
        if ctx.timer:
            raise KeyError if ctx.attempt == 1 else ConfigurationError("never")
        if ctx.attempt == 1:
            raise ValueError
        await ctx.schedule(after=SHORT, key="a b")

    await bench.store(created())
    worker = await bench.work(router)
    await eventually(lambda: worker.counts.of("remind", "dead_lettered") == 1, within_s=60)
    (letter,) = await bench.dead()
    assert letter["yizhan-timer"] == "a b"
    assert len(json.loads(letter["yizhan-history"])) == 2
    timers = [record["timer"] for record in await bench.records("remind")]
    assert timers == [None, None, "a b", "a b"]


async def test_what_cannot_be_scheduled_is_said() -> None:
    plain = datetime.fromisoformat("2026-01-01T00:00:00")

    async def remind(event: Event[OrderCreated], ctx: Context) -> None:
        for asked in (
            ctx.schedule(after=timedelta(days=90), key="a"),
            ctx.schedule(after=1, at=datetime.now(UTC), key="a"),
            ctx.schedule(key="a"),
            ctx.schedule(at=plain, key="a"),
            ctx.schedule(after=1e30, key="a"),
            ctx.schedule(after=1, key=""),
            ctx.cancel("k" * 1001),
        ):
            with pytest.raises(ConfigurationError) as raised:
                await asked
            said.append(str(raised.value))

    said = list[str]()
    await Kit(remind).run(make_event(created()))
    words = (
        "drops what is 90 days old",
        "one of after= and at=",
        "one of after= and at=",
        "with its offset",
        "after=1e+30",
        "1 to 1000 characters",
        "1 to 1000 characters",
    )
    assert [text for text, word in zip(said, words, strict=True) if word not in text] == []


async def test_a_kit_keeps_what_a_handler_schedules() -> None:
    async def remind(event: Event[OrderCreated], ctx: Context) -> None:
        await ctx.schedule(after=60, key="a")
        await ctx.schedule(after=60, key="b")
        await ctx.cancel("a")

    kit = Kit(remind)
    await kit.run(make_event(created()))
    assert dict(kit.schedules.timers) == {"b": kit.clock() + timedelta(seconds=60)}


async def test_the_headers_of_schedules_and_of_what_is_due_are_documented(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def remind(event: Event[OrderCreated], ctx: Context) -> None:
        if ctx.timer is None:
            await ctx.schedule(after=SHORT, key="a")
            await ctx.schedule(after=LONG, key="b")
            return
        await ctx.schedule(after=LONG, key="c")
        if ctx.attempt < 2:
            raise Retry(after=1)

    @router.on(OrderCreated, coalesce=60)
    async def sync(event: Event[OrderCreated], ctx: Context) -> None: ...

    await bench.store(created())
    worker = await bench.work(router, limits=ConsumerLimits(short_retry_s=0.1))
    await eventually(lambda: worker.counts.of("remind", "done") == 2, within_s=60)
    stored = await bench.messages(bench.subjects.stream, f"{bench.subjects.root}.due.>")
    for kind in ("timer", "coalesce"):
        stored += await schedules(bench, kind)
    sent = {
        name
        for message in stored
        for name in message.headers
        if name.startswith(("yizhan-", "Nats-Schedule"))
    }
    messages = asyncapi(Subjects())["components"]["messages"]
    documented = messages["schedule"]["headers"]["properties"].keys()
    assert sent - {"Nats-Scheduler", "Nats-Schedule-Next"} == documented  # those are the server's
    assert messages["dueEvent"]["headers"]["properties"].keys() < documented


async def test_what_each_run_of_a_timer_publishes_is_stored(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def close(event: Event[OrderCreated], ctx: Context) -> OrderClosed:
        if ctx.timer is not None and ctx.attempt == 1:
            await ctx.publish(closed())
            raise Retry(after=0.1)
        if len(await bench.stored("order.closed")) < 3:
            await ctx.schedule(after=SHORT, key="again")
        return closed()

    (event,) = await bench.store(created())
    await bench.work(router)

    async def three() -> bool:
        return len(await bench.stored("order.closed")) >= 3

    await eventually(three, within_s=60)
    await bench.handled(router)
    ids = [made["ce-id"] for made in await bench.stored("order.closed")]
    assert ids[0] == f"{event.id}.close.0"
    assert [id_.startswith(f"{event.id}.close.t") for id_ in ids[1:]] == [True, True]
    assert len(set(ids)) == 3
