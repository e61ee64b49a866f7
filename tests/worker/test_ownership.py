"""Two workers on one handler: one runs it, and the other takes over."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from nats.aio.msg import Msg

from receiver.bus.connection import Connection
from receiver.bus.consumers import ConsumerPlan, consumer_info, ensure_consumer
from receiver.bus.jetstream_api import call
from receiver.bus.pinned import Delivered, give_back, look
from receiver.bus.server_watch import RETURN_S
from receiver.bus.subjects import Subjects
from receiver.event import Event
from receiver.testing import eventually
from receiver.worker.interface import Context, Retry
from receiver.worker.limits import ConsumerLimits
from receiver.worker.ownership.presence import Presence
from receiver.worker.routing import Router
from schemas.events import OrderClosed, OrderCreated
from tests.worker.conftest import Bench

Created = Event[OrderCreated]


def created(order_id: str, number: int = 0) -> OrderCreated:
    return OrderCreated(channel="1688", order_id=order_id, order_no=str(number))


async def test_one_of_two_workers_runs_a_handler_one_order_at_a_time(bench: Bench) -> None:
    router, running = Router(), set[str | None]()

    @router.on(OrderCreated)
    async def count(event: Created, ctx: Context) -> None:
        assert event.order_id not in running
        running.add(event.order_id)
        await asyncio.sleep(0)
        running.remove(event.order_id)

    first, second = await bench.work(router), await bench.work(router)
    await bench.store(*(created(str(n % 5), n) for n in range(60)))
    await bench.handled(router)
    done = sorted(worker.counts.of("count", "done") for worker in (first, second))
    assert done == [0, 60]


class Standby:
    """Notes when the process that it watches is gone."""

    announced = None

    def __init__(self) -> None:
        self.found_gone = asyncio.Event()

    def heard(self, worker: str, pin: str) -> None: ...

    def left(self, worker: str) -> None: ...

    def gone(self) -> None:
        self.found_gone.set()

    async def release(self) -> bool:
        return True


async def test_after_a_start_of_nats_an_owner_has_the_time_to_come_back(
    connection: Connection, subjects: Subjects
) -> None:
    now, pings, standby = 100.0, 0, Standby()

    async def pinged(message: Msg) -> None:
        nonlocal pings
        pings += 1

    presence = Presence(connection, subjects, clock=lambda: now, sleep=asyncio.sleep)
    client = connection.client
    owner = await client.subscribe(subjects.workers("ping", "owner"), cb=pinged)
    presence.join("note", standby)
    presence.watch("note", "owner")
    await presence.start()
    await eventually(lambda: pings > 0)
    await owner.unsubscribe()
    announcements = await client.subscribe(subjects.workers("owners"))
    for _ in range(3):  # it pings twice between two of them
        await announcements.next_msg(timeout=60)
    assert not standby.found_gone.is_set()
    now += RETURN_S
    await standby.found_gone.wait()
    assert presence.deaths("owner") > 0
    await presence.stop()


async def test_a_stop_hands_over_what_waits_to_the_worker_that_stands_by(bench: Bench) -> None:
    router, begun, seen = Router(), list[str | None](), list[str | None]()
    go = asyncio.Event()

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None:
        begun.append(event.order_id)
        await go.wait()
        seen.append(event.order_id)

    limits = ConsumerLimits(concurrency=1)
    first = await bench.work(router, limits=limits, grace_s=0.05)
    await bench.store(*map(created, "123"))
    await eventually(lambda: begun == ["1"])
    second = await bench.work(router, limits=limits)
    await first.stop()
    go.set()
    await bench.handled(router)
    assert seen == ["1", "2", "3"]
    assert second.counts.of("note", "done") == 3


async def test_restarts_use_up_no_attempts(bench: Bench) -> None:
    """Case: an API that answers slowly, and seven deployments meanwhile."""
    router, attempts, go = Router(), list[tuple[str | None, int]](), asyncio.Event()

    @router.on(OrderCreated)
    async def ask(event: Created, ctx: Context) -> None:
        attempts.append((event.order_id, ctx.attempt))
        await go.wait()
        if ctx.attempt == 1:
            raise ValueError("its first failure")

    await bench.store(*map(created, "123"))
    for count in range(1, 5):  # more restarts than attempts
        worker = await bench.work(router, limits=ConsumerLimits(concurrency=1), grace_s=0.01)
        await eventually(lambda count=count: len(attempts) == count)  # type: ignore[misc]
        await worker.stop()
    go.set()
    worker = await bench.work(router, limits=ConsumerLimits(concurrency=1))
    await bench.handled(router)
    assert attempts[:5] == [("1", n) for n in range(1, 6)]
    assert sorted(attempts[5:]) == [("2", 1), ("2", 2), ("3", 1), ("3", 2)]
    assert await bench.dead() == []


async def test_what_is_pending_comes_again_at_once_when_it_is_given_back(
    connection: Connection, subjects: Subjects, bench: Bench
) -> None:
    """The server's leniency that taking over relies on: anyone may give back a delivery."""
    plan = ConsumerPlan(subjects.stream, "handler-x", [subjects.all_events], ack_wait_s=600)
    client = connection.client
    await ensure_consumer(client, plan)
    await bench.store(*map(created, "12345"))
    subject = f"$JS.API.CONSUMER.MSG.NEXT.{plan.stream}.{plan.durable}"
    gone = await client.subscribe("gone")
    await client.publish(subject, b'{"batch":5,"expires":1000000000,"group":"lane"}', reply="gone")
    for _ in range(5):
        first = await gone.next_msg(timeout=60)
    await gone.unsubscribe()
    pin = (first.headers or {})["Nats-Pin-Id"]
    assert (await look(client, plan)).pin == pin
    kept = first.metadata.sequence.stream
    assert await give_back(client, plan, keep=lambda seq: seq == kept) == 5
    heir = await client.subscribe("heir")
    again = f'{{"batch":4,"expires":60000000000,"group":"lane","id":"{pin}"}}'
    await client.publish(subject, again.encode(), reply="heir")
    found = [await heir.next_msg(timeout=60) for _ in range(4)]
    assert sorted(m.metadata.sequence.stream for m in found) == list(range(kept - 4, kept))
    assert {message.metadata.num_delivered for message in found} == {2}


def info(**more: Any) -> dict[str, Any]:
    return {
        "ack_floor": {"stream_seq": 3, "consumer_seq": 2},
        "delivered": {"stream_seq": 9, "consumer_seq": 7},
        "num_ack_pending": 4,
        **more,
    }


def test_what_is_delivered_is_read_from_a_lone_server_and_from_one_of_a_cluster() -> None:
    groups = [{"group": "lane", "pinned_client_id": "p"}]
    assert Delivered.of(info()) == Delivered(4, 9, 7, 4, "", "")
    found = Delivered.of(info(priority_groups=groups, cluster={"leader": "b"}))
    assert (found.pin, found.leader) == ("p", "b")


async def test_a_durable_of_an_older_version_is_pinned_and_keeps_its_position(
    bench: Bench,
) -> None:
    router, seen = Router(), list[str | None]()

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    stream = bench.subjects.stream
    await bench.store(*map(created, "12"))
    older = await bench.connection.jetstream.pull_subscribe(
        bench.subjects.events_of_type("order.created"), durable="handler-note", stream=stream
    )
    (message,) = await older.fetch(1)
    await message.ack_sync()
    await older.unsubscribe()
    await bench.work(router)
    await bench.handled(router)
    assert seen == ["2"]
    now = await consumer_info(bench.connection.client, stream, "handler-note")
    assert now is not None
    assert now["config"]["priority_policy"] == "pinned_client"


async def test_a_new_handler_begins_with_what_comes_and_can_be_rewound(bench: Bench) -> None:
    router, seen = Router(), list[str | None]()

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    await bench.store(*map(created, "12"))
    worker = await bench.work(router, as_they_say=True)
    await bench.store(created("3"))
    await bench.handled(router)
    assert seen == ["3"]

    def idle() -> bool:
        note = worker.status().handlers["note"]
        return note.running == note.waiting == 0

    await eventually(idle)  # or what is rewound could be taken for what still runs
    rewound = f"CONSUMER.RESET.{bench.subjects.stream}.handler-note"
    assert "error" not in await call(bench.connection.client, rewound, {"seq": 1})
    await eventually(lambda: sorted(map(str, seen)) == ["1", "2", "3", "3"])


async def test_a_handler_may_begin_at_a_time(bench: Bench) -> None:
    router, seen = Router(), list[str | None]()
    await bench.store(created("1"))
    await asyncio.sleep(0.01)  # the two are stored at different times
    then = datetime.now(UTC)

    @router.on(OrderCreated, start=then)
    async def note(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    await bench.store(created("2"))
    await bench.work(router, as_they_say=True)
    await bench.store(created("3"))
    await bench.handled(router)
    assert seen == ["2", "3"]


async def test_a_renamed_handler_goes_on_where_it_stood(bench: Bench) -> None:
    before, after, seen = Router(), Router(), list[str | None]()

    @before.on(OrderCreated)
    async def old(event: Created, ctx: Context) -> None: ...

    @after.on(OrderCreated, was="old")
    async def new(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    await bench.store(created("1"))
    worker = await bench.work(before)
    await bench.handled(before)
    await worker.stop()
    await bench.store(created("2"))
    await bench.work(after, as_they_say=True)
    await bench.handled(after)
    assert seen == ["2"]


async def test_a_start_goes_on_with_a_durable_that_is_half_made(bench: Bench) -> None:
    router, seen = Router(), list[str | None]()

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    await bench.store(*map(created, "12"))
    stream, created_ones = bench.subjects.stream, bench.subjects.events_of_type("order.created")
    config = {
        **ConsumerPlan(stream, "handler-note", [created_ones]).config(),
        "pause_until": "2999-12-31T00:00:00Z",
        "metadata": {"yizhan-start": "2"},
    }
    body = {"stream_name": stream, "config": config, "action": "create"}
    made = await call(bench.connection.client, f"CONSUMER.CREATE.{stream}.handler-note", body)
    assert made["paused"]
    await bench.work(router, as_they_say=True)
    await bench.handled(router)
    assert seen == ["2"]


async def test_a_long_retry_waits_in_a_schedule_and_holds_nothing_back(bench: Bench) -> None:
    router, attempts = Router(), list[tuple[str, int]]()

    @router.on(OrderCreated, OrderClosed)
    async def poll(event: Event[OrderCreated | OrderClosed], ctx: Context) -> None:
        attempts.append((event.event_type, ctx.attempt))
        if event.event_type == "order.created" and ctx.attempt < 3:
            raise Retry(after=0.5)

    (event, _) = await bench.store(created("1"), OrderClosed(channel="1688", order_id="1"))
    await bench.work(router, limits=ConsumerLimits(short_retry_s=0.2))
    await eventually(lambda: len(attempts) == 4)
    await bench.handled(router)
    assert attempts[:2] == [("order.created", 1), ("order.closed", 1)]
    assert attempts[2:] == [("order.created", 2), ("order.created", 3)]
    assert event.id


async def test_where_order_is_strict_what_follows_waits_for_the_retry(bench: Bench) -> None:
    router, seen = Router(), list[tuple[str | None, str, int]]()

    @router.on(OrderCreated, OrderClosed, order="strict")
    async def note(event: Event[OrderCreated | OrderClosed], ctx: Context) -> None:
        seen.append((event.order_id, event.event_type, ctx.attempt))
        if event.event_type == "order.created" and ctx.attempt == 1:
            raise ValueError

    closed = [OrderClosed(channel="1688", order_id=n) for n in "12"]
    await bench.store(created("1"), created("2"), *closed)
    await bench.work(router)
    await bench.handled(router)
    for order_id in "12":
        of_order = [(event_type, attempt) for one, event_type, attempt in seen if one == order_id]
        assert of_order == [("order.created", 1), ("order.created", 2), ("order.closed", 1)]
