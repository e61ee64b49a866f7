"""One payment, reported again and again to a real receiver: its effect happens once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from receiver.bus.codec import encode_event
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from receiver.event import Event
from receiver.testing import eventually
from receiver.worker.effects.states import read_record
from receiver.worker.interface import Context
from receiver.worker.routing import Handler, Router
from schemas.events import PaymentSucceeded
from tests.identity.receiving import Receiver, receiving
from tests.identity.test_fact_ids import ORDER_ID, PAID, aop, order, xport
from tests.replay.place import Place
from tests.worker.conftest import Bench

pytestmark = pytest.mark.anyio


class Shipping:
    """A handler that ships what was paid, and what it did."""

    def __init__(self) -> None:
        self.router = Router()
        self.shipped: list[str] = []
        self.seen: list[str] = []
        self.router.on(PaymentSucceeded)(self.ship_it)

    @property
    def handler(self) -> Handler:
        return self.router.handlers[0]

    async def ship_it(self, event: Event[PaymentSucceeded], ctx: Context) -> None:
        async with ctx.once("ship") as effect:
            if effect.due:
                self.shipped.append(effect.key)
                effect.result = {"parcel": "SF1"}
        assert effect.result == {"parcel": "SF1"}
        self.seen.append(event.id)


@pytest.fixture
async def receiver(bench: Bench, publisher: GroupCommitPublisher) -> AsyncIterator[Receiver]:
    async with receiving(publisher, bench.connection, bench.subjects) as running:
        yield running


async def test_a_payment_that_is_reported_again_and_again_ships_once(
    receiver: Receiver, bench: Bench
) -> None:
    shipping = Shipping()
    for source, body in (
        xport("ORDER_PAY_SUCCESS", PAID, 1),
        xport("ORDER_PAY_SUCCESS", PAID, 2),  # another timestamp
        xport("ORDER_BUYER_VIEW_ORDER_PAY", order(currentStatus="waitsellersend"), 3),
        aop("ORDER_BUYER_VIEW_ORDER_PAY", {"orderId": int(ORDER_ID)}),
    ):
        assert await receiver.post(source, body) in {"stored", "retransmission"}
    worker = await bench.work(shipping.router)
    await bench.handled(shipping.router)
    first, *_ = await receiver.events()
    reparsed = replace(first, id="reparsed.0", origin="reparse")
    await bench.publisher.publish([encode_event(reparsed, bench.subjects)])
    await bench.handled(shipping.router)
    place = Place(bench.connection, bench.publisher, bench.subjects, [shipping.handler])

    await place.begin("ship_it")
    report = await place.ended(runs=5)
    await worker.stop()
    await place.store.stop()

    assert (report.succeeded, report.failures, report.suppressed) == (5, 0, {"ship": 5})
    assert len(set(shipping.seen)) == 5
    assert len(shipping.seen) == 10
    assert len(shipping.shipped) == 1


async def test_what_is_cut_off_by_a_stop_is_in_doubt_and_what_did_not_begin_is_not(
    receiver: Receiver, bench: Bench, subjects: Subjects
) -> None:
    router, began = Router(), asyncio.Event()
    bodies: list[str] = []

    @router.on(PaymentSucceeded)
    async def ship_it(event: Event[PaymentSucceeded], ctx: Context) -> None:
        async with ctx.once("book") as effect:
            began.set()
            await asyncio.sleep(0 if bodies else 3600)
            if effect.due:
                bodies.append("book")
        async with ctx.once("ship") as effect:
            if effect.due:
                bodies.append("ship")
                began.set()
                await asyncio.sleep(3600)

    await receiver.post(*xport("ORDER_PAY_SUCCESS", PAID, 1))
    first = await bench.work(router, grace_s=0)
    await began.wait()
    await first.stop()
    bodies.append("")  # the next run waits no more before it begins
    began.clear()
    second = await bench.work(router, grace_s=0)
    await eventually(lambda: "ship" in bodies)
    await second.stop()

    third = await bench.work(router)
    await eventually(lambda: third.counts.of("ship_it", "dead_lettered") == 1)

    assert bodies == ["", "book", "ship"]
    (letter,) = await bench.dead()
    assert letter["yizhan-reason"].startswith("InDoubtError: in_doubt: ")
    entries = await bench.messages(subjects.state_stream, subjects.all_state)
    states = {record.name: record for record in (read_record(e.body) for e in entries)}
    assert {name: record.state for name, record in states.items()} == {
        "book": "done",
        "ship": "in_doubt",
    }
    assert states["ship"].why == "CancelledError"
