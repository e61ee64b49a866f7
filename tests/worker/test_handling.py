"""Handlers on a real stream: every outcome, order, parallelism, and what is told of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from receiver.bus.codec import encode_event
from receiver.bus.consumers import consumer_info
from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.bus.subjects import input_subject
from receiver.errors import APIRejectedError, ConfigurationError
from receiver.event import Event
from receiver.testing import eventually, make_event
from receiver.worker.interface import Context, Drop, Retry
from receiver.worker.limits import ConsumerLimits
from receiver.worker.routing import Router
from schemas.events import OrderClosed, OrderCreated, OrderSynced
from tests.worker.conftest import Bench

Created = Event[OrderCreated]


def created(order_id: str = "1") -> OrderCreated:
    return OrderCreated(channel="1688", order_id=order_id)


def closed(order_id: str) -> OrderClosed:
    return OrderClosed(channel="1688", order_id=order_id)


async def test_what_a_handler_returns_is_stored_with_its_cause(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def sync(event: Created, ctx: Context) -> OrderSynced:
        return OrderSynced(channel="1688", order_id=event.order_id)

    (event,) = await bench.store(created())
    worker = await bench.work(router)
    await bench.handled(router)
    (made,) = await bench.stored("order.synced")
    assert made["ce-id"] == f"{event.id}.sync.0"
    assert made["ce-causationid"] == event.id
    assert made["ce-origin"] == "handler"
    assert worker.counts.read() == {("sync", "done"): 1}


async def test_what_a_run_stored_before_the_duplicate_window_is_not_stored_again(
    bench: Bench,
) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def sync(event: Created, ctx: Context) -> OrderSynced:
        return OrderSynced(channel="1688", order_id=event.order_id)

    old, fresh = make_event(created("1")), make_event(created("2"), received_at=datetime.now(UTC))
    for cause in (old, fresh):  # under another id, which is what the window would have forgotten
        made = make_event(OrderSynced(channel="1688", order_id=cause.order_id or ""))
        message = encode_event(replace(made, id=f"{cause.id}.sync.0"), bench.subjects)
        headers = {**message.headers, MSG_ID: f"forgotten-{cause.id}"}
        await bench.publisher.publish([OutgoingMessage.of(message.subject, headers, message.body)])
        await bench.publisher.publish([encode_event(cause, bench.subjects)])
    await bench.work(router)
    await bench.handled(router)
    ids = sorted(made["ce-id"] for made in await bench.stored("order.synced"))
    # That of the fresh one is there twice only since its window was forged: it was not looked up.
    assert ids == sorted([f"{old.id}.sync.0", *[f"{fresh.id}.sync.0"] * 2])


async def test_a_handler_sees_only_its_models(bench: Bench) -> None:
    router, seen = Router(), []

    @router.on(OrderClosed)
    async def note(event: Event[OrderClosed], ctx: Context) -> None:
        seen.append(event.event_type)

    await bench.store(created(), OrderClosed(channel="taobao", order_id="2"))
    await bench.work(router)
    await bench.handled(router)
    assert seen == ["order.closed"]


async def test_a_failure_is_retried_after_its_delay(bench: Bench) -> None:
    router, times = Router(), []

    @router.on(OrderCreated)
    async def stumble(event: Created, ctx: Context) -> None:
        times.append(asyncio.get_running_loop().time())
        if ctx.attempt == 1:
            raise ValueError

    await bench.store(created())
    worker = await bench.work(router)
    await bench.handled(router)
    assert times[1] - times[0] >= 0.1
    assert worker.counts.read() == {("stumble", "retried"): 1, ("stumble", "done"): 1}


async def test_a_retry_comes_back_when_the_handler_said(bench: Bench) -> None:
    router, times = Router(), []

    @router.on(OrderCreated)
    async def poll(event: Created, ctx: Context) -> None:
        times.append(asyncio.get_running_loop().time())
        if ctx.attempt < 5:  # beyond max_attempts: a wish to wait is no failure
            raise Retry(after=timedelta(seconds=0.2))

    await bench.store(created())
    worker = await bench.work(router)
    await bench.handled(router)
    assert min(later - now for now, later in itertools.pairwise(times)) >= 0.2
    assert worker.counts.of("poll", "postponed") == 4


async def test_a_drop_is_not_delivered_again(bench: Bench) -> None:
    router, attempts = Router(), []

    @router.on(OrderCreated)
    async def drop(event: Created, ctx: Context) -> None:
        attempts.append(ctx.attempt)
        raise Drop("not ours")

    await bench.store(created())
    worker = await bench.work(router)
    await bench.handled(router)
    assert attempts == [1]
    assert worker.counts.of("drop", "dropped") == 1
    assert await bench.dead() == []


async def test_what_fails_to_the_last_is_dead_lettered_with_its_cause(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def fail(event: Created, ctx: Context) -> None:
        raise ValueError("no such shelf")

    (event,) = await bench.store(created())
    worker = await bench.work(router)
    await bench.handled(router)
    (letter,) = await bench.dead()
    assert letter["ce-id"] == event.id
    assert letter["yizhan-handler"] == "fail"
    assert letter["yizhan-reason"] == "ValueError: no such shelf"
    assert "fail:" in letter["yizhan-place"]
    assert letter["yizhan-attempts"] == "3"
    assert worker.counts.read() == {("fail", "retried"): 2, ("fail", "dead_lettered"): 1}


async def test_a_foreign_header_spoils_no_dead_letter(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def fail(event: Created, ctx: Context) -> None:
        raise ConfigurationError("never")

    message = encode_event(make_event(created("1")), bench.subjects)
    odd = message._replace(head=message.head + b"x-odd: a\nb\r\n")
    await bench.publisher.publish([odd])
    await bench.work(router)
    await bench.handled(router)
    (letter,) = await bench.dead()
    assert letter["x-odd"] == "a\nb"


async def test_a_refusal_of_the_platform_is_dead_lettered_at_once(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def ask(event: Created, ctx: Context) -> None:
        raise APIRejectedError("no such order", code=404)

    await bench.store(created())
    await bench.work(router)
    await bench.handled(router)
    (letter,) = await bench.dead()
    assert letter["yizhan-attempts"] == "1"
    assert letter["yizhan-reason"] == "APIRejectedError: no such order"


async def test_what_does_not_decode_is_dead_lettered(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def never(event: Created, ctx: Context) -> None: ...

    subject = bench.subjects.event("1688", "order.created", "1")
    await bench.connection.client.publish(input_subject(subject), b"\xff")
    await bench.work(router)
    await bench.handled(router)
    (letter,) = await bench.dead()
    assert letter["yizhan-reason"].startswith("DecodingError")
    assert letter["yizhan-subject"] == subject


async def test_one_order_at_a_time_and_orders_in_parallel(bench: Bench) -> None:
    router, running, seen = Router(), set[str | None](), []
    both = asyncio.Event()

    @router.on(OrderCreated, OrderClosed)
    async def meet(event: Event[OrderCreated | OrderClosed], ctx: Context) -> None:
        assert event.order_id not in running
        running.add(event.order_id)
        if len(running) == 2:
            both.set()
        await both.wait()
        seen.append((event.order_id, event.event_type))
        await asyncio.sleep(0)
        running.remove(event.order_id)

    await bench.store(*(made for n in "12" for made in (created(n), closed(n))))
    worker = await bench.work(router)
    await bench.handled(router)
    assert worker.counts.read() == {("meet", "done"): 4}
    for order_id in "12":
        of_order = [event_type for seen_id, event_type in seen if seen_id == order_id]
        assert of_order == ["order.created", "order.closed"]


async def test_no_more_run_at_once_than_the_limit(bench: Bench) -> None:
    router, running, most = Router(), set[str | None](), [0]
    full = asyncio.Event()

    @router.on(OrderCreated)
    async def count(event: Created, ctx: Context) -> None:
        running.add(event.order_id)
        most.append(len(running))
        if len(running) == 3:
            full.set()
        await full.wait()
        await asyncio.sleep(0)  # a turn for whatever else would begin now
        running.remove(event.order_id)

    await bench.store(*(created(str(n)) for n in range(12)))
    await bench.work(router, limits=ConsumerLimits(concurrency=3, prefetch=2))
    await bench.handled(router)
    assert max(most) == 3


async def test_a_slow_handler_does_not_hold_up_another(bench: Bench) -> None:
    router, released, seen = Router(), asyncio.Event(), []

    @router.on(OrderCreated)
    async def slow(event: Created, ctx: Context) -> None:
        await released.wait()

    @router.on(OrderCreated)
    async def quick(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    await bench.store(*(created(str(n)) for n in range(40)))
    worker = await bench.work(router, limits=ConsumerLimits(concurrency=2, prefetch=2))
    await eventually(lambda: len(seen) == 40)
    assert worker.counts.of("slow", "done") == 0
    released.set()
    await bench.handled(router)
    assert worker.counts.of("slow", "done") == 40


@pytest.mark.serial
async def test_long_runs_and_what_waits_behind_them_are_kept_alive(bench: Bench) -> None:
    router, released, attempts = Router(), asyncio.Event(), []

    @router.on(OrderCreated, OrderClosed)
    async def linger(event: Event[OrderCreated | OrderClosed], ctx: Context) -> None:
        attempts.append(ctx.attempt)
        await released.wait()

    await bench.store(created("1"), closed("1"))
    await bench.work(router, limits=ConsumerLimits(ack_wait_s=0.6))
    await eventually(lambda: attempts == [1])
    until = asyncio.get_running_loop().time() + 2.0
    await eventually(lambda: asyncio.get_running_loop().time() > until)
    info = await consumer_info(bench.connection.client, bench.subjects.stream, "handler-linger")
    assert info is not None
    assert (info["num_redelivered"], info["num_ack_pending"]) == (0, 2)
    released.set()
    await bench.handled(router)
    assert attempts == [1, 1]


async def test_without_an_api_what_needs_it_is_not_started(bench: Bench) -> None:
    router = Router(needs_api=True)

    @router.on(OrderCreated)
    async def ask(event: Created, ctx: Context) -> None: ...

    with structlog.testing.capture_logs() as logs:
        await bench.work(router)
    assert [(line["event"], line["handler"]) for line in logs] == [("handler_not_started", "ask")]
    assert "add an [api] section" in logs[0]["error"]
    client, stream = bench.connection.client, bench.subjects.stream
    assert await consumer_info(client, stream, "handler-ask") is None


async def test_a_handler_that_is_off_is_not_started_and_gets_no_consumer(bench: Bench) -> None:
    router, _ = noting()
    with structlog.testing.capture_logs() as logs:
        await bench.work(replace(router.handlers[0], off="it is a test"))
    told = [(line["event"], line["handler"], line["log_level"]) for line in logs]
    assert told == [("handler_off", "note", "info")]
    client, stream = bench.connection.client, bench.subjects.stream
    assert await consumer_info(client, stream, "handler-note") is None


async def test_a_handler_that_was_off_goes_on_where_it_was(bench: Bench) -> None:
    router, seen = noting()
    await bench.store(created("1"))
    before = await bench.work(router)
    await bench.handled(router)
    await before.stop()
    meanwhile = await bench.work(replace(router.handlers[0], off="it is a test"))
    await bench.store(created("2"))
    await meanwhile.stop()
    assert seen == ["1"]
    await bench.work(router)
    await bench.handled(router)
    assert seen == ["1", "2"]


def noting() -> tuple[Router, list[str | None]]:
    """A router with one handler, `note`, and the orders that it has seen."""
    router, seen = Router(), list[str | None]()

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    return router, seen


async def test_two_handlers_of_one_name_are_refused(bench: Bench) -> None:
    routers: Sequence[Router] = (Router(), Router())
    for router in routers:

        @router.on(OrderCreated)
        async def note(event: Created, ctx: Context) -> None: ...

    with pytest.raises(ConfigurationError, match="two handlers are named 'note'"):
        await bench.work(*routers)


async def test_each_event_makes_one_line(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def stumble(event: Created, ctx: Context) -> None:
        if ctx.attempt == 1:
            raise ValueError("no such shelf")

    with structlog.testing.capture_logs() as logs:
        (event,) = await bench.store(created())
        worker = await bench.work(router)
        await eventually(lambda: worker.counts.of("stumble", "done") == 1)
    lines: list[dict[str, Any]] = [dict(line) for line in logs if "outcome" in line]
    failed, done = lines
    assert failed["event"] == "handler_failed"
    assert failed["error"] == "ValueError: no such shelf"
    assert 'raise ValueError("no such shelf")' in failed["traceback"]
    assert {key: done[key] for key in ("event", "event_id", "event_type", "attempt")} == {
        "event": "event_handled",
        "event_id": event.id,
        "event_type": "order.created",
        "attempt": 2,
    }
    assert {"handler", "duration_ms", "outcome"} <= done.keys()


async def test_a_rerun_stores_nothing_twice(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def stumble(event: Created, ctx: Context) -> OrderSynced:
        await ctx.publish(OrderSynced(channel="1688", order_id="first"))
        if ctx.attempt == 1:
            raise ValueError
        return OrderSynced(channel="1688", order_id="last")

    (event,) = await bench.store(created())
    await bench.work(router)
    await bench.handled(router)
    ids = [headers["ce-id"] for headers in await bench.stored("order.synced")]
    assert ids == [f"{event.id}.stumble.0", f"{event.id}.stumble.1"]
