"""States that are rebuilt from the log equal what was folded live, byte for byte."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from nats.js.errors import NotFoundError

from handlers import order_state
from receiver.bus.jetstream_api import call
from receiver.bus.state.keys import order_key
from receiver.event import Event
from receiver.operations.states import StateOperations
from receiver.testing import NOON, make_event
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import (
    AftersalesRefundUpdated,
    EventData,
    LogisticsShipped,
    OrderClosed,
    OrderCreated,
    OrderStatusChanged,
    OrderSynced,
    Parcel,
    PaymentSucceeded,
)
from schemas.statuses import OrderStatus, RefundStatus
from tests.worker.conftest import Bench
from tests.worker.conftest import bench as bench  # noqa: PLC0414 - a fixture

ORDERS = [f"27458120001234567{number:02}" for number in range(12)]


@pytest.fixture
async def states(bench: Bench) -> AsyncIterator[StateOperations]:
    made = StateOperations.of(bench.connection, bench.subjects)
    await made.store.ensure()
    yield made
    await made.store.stop()
    with contextlib.suppress(NotFoundError):
        await bench.connection.jetstream.delete_stream(bench.subjects.state_stream)


def history(order_id: str, chance: Random) -> list[Event[EventData]]:
    """Any events of an order in any order, one of them more than once."""
    fact: dict[str, Any] = {"channel": "1688", "order_id": order_id, "order_no": f"PO-{order_id}"}
    words = [OrderStatus.AWAITING_PAYMENT, OrderStatus.SHIPPED, OrderStatus.RECEIVED]
    made: list[EventData] = [
        OrderCreated(**fact, status=OrderStatus.AWAITING_PAYMENT),
        PaymentSucceeded(**fact, status=OrderStatus.AWAITING_SHIPMENT),
        LogisticsShipped(**fact, parcels=(Parcel(waybill_no=f"YT{order_id[-2:]}"),)),
        AftersalesRefundUpdated(**fact, refund_id="TQ1", status=RefundStatus.APPLIED),
        OrderSynced(**fact, status=chance.choice(words)),
        OrderClosed(**fact),
        *(OrderStatusChanged(**fact, status=word) for word in words),
    ]
    events = [
        make_event(data, time=NOON + timedelta(minutes=chance.randrange(60))) for data in made
    ]
    again = make_event(made[1], id=f"again-{order_id}.0", fact_id=events[1].fact_id)
    return chance.sample([*events, again], k=len(events))


async def live(bench: Bench) -> dict[str, bytes | None]:
    """Fold histories by the built-in handler and one more; the entries afterwards."""
    router = Router()

    @router.on(PaymentSucceeded, LogisticsShipped, OrderClosed, state=True)
    async def beside(event: Event[Any], ctx: Context) -> None:
        assert ctx.arrival

    chance = Random(15)
    events = [event for order in ORDERS for event in history(order, chance)]
    chance.shuffle(events)
    await bench.put(*events)
    await bench.work(order_state.router, router)
    await bench.handled(order_state.router, router)
    await bench.workers.pop().stop()  # which writes what is on its way
    return await entries(bench)


async def entries(bench: Bench) -> dict[str, bytes | None]:
    """Those of states by order id, and those of the index of numbers by their keys."""
    store = StateOperations.of(bench.connection, bench.subjects).store
    numbers = {key: entry.value async for key, entry in store.scan("number")}
    return numbers | {order: (await store.get(order_key("1688", order))).value for order in ORDERS}


async def test_a_rebuild_equals_what_was_folded_live(bench: Bench, states: StateOperations) -> None:
    before = await live(bench)
    assert None not in before.values()
    fields = Counter(key.split(".")[1] for key in before if key.startswith("number."))
    assert fields["order_no"] == len(ORDERS)
    assert min(fields["waybill_no"], fields["refund_id"]) > len(ORDERS) // 2

    found = [rebuilt async for rebuilt in states.rebuild(dry_run=False)]
    assert [(one.verdict, one.numbers) for one in found] == [("same", 0)] * len(ORDERS)

    delete = f"STREAM.DELETE.{bench.subjects.state_stream}"
    await call(bench.connection.client, delete, {})
    await states.store.ensure()
    dry = [rebuilt async for rebuilt in states.rebuild(dry_run=True)]
    found = [rebuilt async for rebuilt in states.rebuild(dry_run=False)]
    assert [one.verdict for one in found] == ["new"] * len(ORDERS)
    assert sum(one.numbers for one in found) == fields.total()
    assert dry == found
    assert await entries(bench) == before


async def test_a_dry_run_says_what_differs_and_writes_nothing(
    bench: Bench, states: StateOperations
) -> None:
    before = await live(bench)
    key = order_key("1688", ORDERS[3])
    (state,) = await states.show(ORDERS[3], "1688")
    spoilt = state.model_copy(update={"status": OrderStatus.PENDING}).to_json()
    await states.store.put(key, spoilt, (await states.store.get(key)).revision)

    found = [rebuilt async for rebuilt in states.rebuild(dry_run=True)]

    changed = [rebuilt for rebuilt in found if rebuilt.verdict != "same"]
    assert [(r.order_id, r.verdict, r.differs) for r in changed] == [
        (ORDERS[3], "changed", ["status"])
    ]
    assert await entries(bench) == before | {ORDERS[3]: spoilt}
    verdicts = [rebuilt.verdict async for rebuilt in states.rebuild(dry_run=False)]
    assert verdicts.count("changed") == 1
    assert await entries(bench) == before


async def test_what_the_log_has_no_more_stays(bench: Bench, states: StateOperations) -> None:
    before = await live(bench)
    first, *_ = await states.log.orders()
    state = await states.states.peek("1688", first[1])
    purge = f"STREAM.PURGE.{bench.subjects.stream}"
    await call(bench.connection.client, purge, {"seq": state.history[0].seq + 1})

    found = {r.order_id: r.verdict async for r in states.rebuild(dry_run=False)}

    assert found[first[1]] == "older"
    assert set(found.values()) <= {"older", "same"}
    assert await entries(bench) == before


async def test_an_order_that_is_not_kept_is_shown_from_the_log(
    bench: Bench, states: StateOperations
) -> None:
    await bench.put(*history(ORDERS[0], Random(1)))

    (state,) = await states.show(ORDERS[0], None)

    assert (state.channel, state.order_id, state.events) == ("1688", ORDERS[0], 9)
    assert (await states.store.get(order_key("1688", ORDERS[0]))).value is None
    assert await states.show("nothing", None) == []
