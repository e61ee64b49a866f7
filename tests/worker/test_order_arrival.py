"""What handlers see of their event's order: `ctx.arrival`, `ctx.order()`, `only="advance"`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from receiver.errors import APIRejectedError, APIUnavailableError
from receiver.event import Event
from receiver.projection.state import Arrival, OrderState
from receiver.testing import NOON, Kit, make_event
from receiver.testing.fake_api import FakeAPI
from receiver.worker.interface import Context
from receiver.worker.order_states import MAX_CACHED
from receiver.worker.routing import Router
from schemas.api.alibaba_order_detail import AlibabaOrderDetail, OrderHead
from schemas.events import (
    EventData,
    LogisticsShipped,
    OrderStatusChanged,
    OrderSynced,
    Parcel,
    PaymentSucceeded,
)
from schemas.statuses import OrderStatus
from tests.worker.conftest import Bench

ORDER = "2745812000123456789"
Status = Event[OrderStatusChanged]


def status(word: OrderStatus, minute: int, **more: Any) -> Status:
    data = OrderStatusChanged(channel="1688", order_id=ORDER, status=word)
    time = NOON + timedelta(minutes=minute - 600)
    return make_event(data, id=f"{word}-{minute}.0", time=time, **more)


SHIPPED = status(OrderStatus.SHIPPED, 10)
BACK = status(OrderStatus.AWAITING_SHIPMENT, 20)


def seeing() -> tuple[Router, list[tuple[Arrival, OrderState]]]:
    router, seen = Router(), []

    @router.on(OrderStatusChanged, state=True)
    async def see(event: Status, ctx: Context) -> None:
        seen.append((ctx.arrival, await ctx.order()))

    return router, seen


def detail(word: str) -> AlibabaOrderDetail:
    return AlibabaOrderDetail(base_info=OrderHead(status=word))


async def arrivals(api: FakeAPI | None, *events: Status) -> Sequence[Arrival]:
    router, seen = seeing()
    async with Kit(router.handlers[0], api=api) as kit:
        for event in events:
            await kit.run(event)
    return [arrival for arrival, _ in seen]


async def test_a_handler_sees_what_its_event_is_to_the_order() -> None:
    late = status(OrderStatus.AWAITING_PAYMENT, 5)
    again = replace(SHIPPED, id="again.0")

    seen = await arrivals(None, SHIPPED, late, again, BACK)

    assert seen == ["advance", "stale", "duplicate", "conflict"]


@pytest.mark.parametrize(
    ("word", "arrival", "stands"),
    [
        ("waitsellersend", "advance", OrderStatus.AWAITING_SHIPMENT),
        ("waitbuyerreceive", "stale", OrderStatus.SHIPPED),
        ("success", "stale", OrderStatus.COMPLETED),
        ("tomorrows_word", "conflict", OrderStatus.SHIPPED),
    ],
)
async def test_a_conflict_is_settled_by_what_the_api_says(
    word: str, arrival: Arrival, stands: OrderStatus
) -> None:
    router, seen = seeing()
    api = FakeAPI()
    api.answer(api.alibaba.orders.detail, detail(word))
    async with Kit(router.handlers[0], api=api) as kit:
        await kit.run(SHIPPED)
        ran = await kit.run(BACK)
        (made,) = ran.published
        again = await kit.run(BACK)

    assert [arrival, arrival] == [a for a, _ in seen[1:2]] * 2
    assert seen[1][1].status is stands
    assert isinstance(made.data, OrderSynced)
    assert (made.trust, made.origin, made.causation_id) == ("requeried", "handler", BACK.id)
    assert again.outcome == "done"


async def test_a_conflict_is_asked_about_once() -> None:
    router, seen = seeing()
    api = FakeAPI()
    api.answer(api.alibaba.orders.detail, detail("waitsellersend"))
    async with Kit(router.handlers[0], api=api) as kit:
        await kit.run(SHIPPED)
        message = kit.stored(BACK)
        for attempt in (1, 2):
            await kit.attempt(message, attempt, attempt - 1)

    assert [arrival for arrival, _ in seen] == ["advance", "advance", "advance"]
    assert len(api.asked) == 1


async def test_a_conflict_waits_for_an_api_that_does_not_answer() -> None:
    router, seen = seeing()
    api = FakeAPI()
    api.answer(api.alibaba.orders.detail, APIUnavailableError("away"), detail("waitsellersend"))
    async with Kit(router.handlers[0], api=api) as kit:
        await kit.run(SHIPPED)
        first = await kit.run(BACK)
        (second,) = await kit.advance(timedelta(minutes=5))

    assert (first.outcome, second.outcome) == ("retried", "done")
    assert [arrival for arrival, _ in seen] == ["advance", "advance"]


async def test_a_conflict_of_an_order_that_the_api_refuses_stays_one() -> None:
    api = FakeAPI()
    api.answer(api.alibaba.orders.detail, APIRejectedError("no such order"))

    assert await arrivals(api, SHIPPED, BACK) == ["advance", "conflict"]


async def test_only_what_advances_the_order_is_run() -> None:
    router, ran = Router(), []

    @router.on(OrderStatusChanged, only="advance")
    async def act(event: Status, ctx: Context) -> None:
        ran.append((event.id, ctx.arrival))

    async with Kit(router.handlers[0]) as kit:
        outcomes = [
            await kit.run(event)
            for event in (SHIPPED, status(OrderStatus.PENDING, 1), replace(SHIPPED, id="2.0"))
        ]

    assert ran == [(SHIPPED.id, "advance")]
    assert [run.outcome for run in outcomes] == ["done", "dropped", "dropped"]
    assert outcomes[1].error == "to its order it is no advance: stale"


async def test_a_payment_that_is_reported_late_is_an_advance() -> None:
    router, seen = Router(), []

    @router.on(PaymentSucceeded, LogisticsShipped, state=True)
    async def see(event: Event[EventData], ctx: Context) -> None:
        seen.append(ctx.arrival)

    parcel = Parcel(waybill_no="YT1")
    shipped = make_event(
        LogisticsShipped(channel="1688", order_id=ORDER, parcels=(parcel,)), time=NOON
    )
    paid = PaymentSucceeded(channel="1688", order_id=ORDER, status=OrderStatus.AWAITING_SHIPMENT)
    async with Kit(router.handlers[0]) as kit:
        await kit.run(shipped)
        await kit.run(make_event(paid, time=NOON - timedelta(hours=1)))
        await kit.run(make_event(paid, id="again.0", time=NOON))

    assert seen == ["advance", "advance", "duplicate"]


async def test_without_state_there_is_no_arrival_and_still_the_order() -> None:
    router, seen = Router(), []

    @router.on(OrderStatusChanged)
    async def see(event: Status, ctx: Context) -> None:
        seen.append((await ctx.order()).status)
        assert ctx.arrival

    async with Kit(router.handlers[0]) as kit:
        ran = await kit.run(SHIPPED)

    assert seen == [OrderStatus.SHIPPED]
    assert ran.outcome == "dead_lettered"
    assert "asks for ctx.arrival and keeps no state: write @router.on(..., state=True)" in ran.error


async def test_an_event_without_an_order_has_no_state() -> None:
    router, seen = Router(), []

    @router.on(OrderStatusChanged, only="advance")
    async def see(event: Status, ctx: Context) -> None:
        seen.append(ctx.arrival)
        await ctx.order()

    nameless = make_event(OrderStatusChanged(channel="1688", status=OrderStatus.SHIPPED))
    async with Kit(router.handlers[0]) as kit:
        ran = await kit.run(nameless)

    assert seen == ["advance"]
    assert "asks for ctx.order() and the event names no order" in ran.error


async def test_workers_see_the_state_of_the_log(bench: Bench) -> None:
    router, seen = Router(), {}

    @router.on(LogisticsShipped, state=True)
    async def see(event: Event[LogisticsShipped], ctx: Context) -> None:
        seen[event.order_id] = (ctx.arrival, await ctx.order())

    @router.on(LogisticsShipped)
    async def look(event: Event[LogisticsShipped], ctx: Context) -> None:
        seen[f"{event.order_id} again"] = ("advance", await ctx.order())

    orders = [f"{ORDER}-{number}" for number in range(20)]
    for order in orders:
        paid = PaymentSucceeded(channel="1688", order_id=order)
        await bench.store(paid, LogisticsShipped(channel="1688", order_id=order))
    await bench.work(router)
    await bench.handled(router)

    assert len(seen) == 2 * len(orders) < MAX_CACHED
    for arrival, state in seen.values():
        assert (arrival, state.status, state.is_paid) == ("advance", OrderStatus.SHIPPED, True)
        assert state.events == 2
