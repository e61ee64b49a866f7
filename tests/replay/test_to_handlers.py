"""Replays into handlers: in the lanes of who holds them, resumed, and with their effects once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from receiver.bus.codec import encode_event
from receiver.bus.message import OutgoingMessage
from receiver.bus.read.filters import Filters
from receiver.event import Event
from receiver.testing import eventually, make_event
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import OrderCreated
from tests.replay.place import Place
from tests.worker.conftest import Bench


class Shop:
    """A handler that notes what it does, and has an effect."""

    def __init__(self) -> None:
        self.router = Router()
        self.runs: list[tuple[str | None, str | None]] = []
        self.effects: list[str] = []
        self.failing: set[str] = set()
        self.open = asyncio.Event()
        self.open.set()
        self.now: Counter[str] = Counter()
        self.overlaps = 0
        self.router.on(OrderCreated)(self.tell)

    async def tell(self, event: Event[OrderCreated], ctx: Context) -> None:
        order = event.order_id or ""
        self.now[order] += 1
        self.overlaps += self.now[order] > 1
        try:
            await self.open.wait()
            await asyncio.sleep(0)
            self.runs.append((order, event.replay))
            assert (event.origin == "replay") is (event.replay is not None)
            if order in self.failing:
                raise ValueError(order)
            async with ctx.once("mail") as effect:
                if effect.due:
                    self.effects.append(order)
        finally:
            self.now[order] -= 1

    def replayed(self) -> list[str | None]:
        return [order for order, replay in self.runs if replay is not None]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def place(bench: Bench, shop: Shop) -> AsyncIterator[Place]:
    made = Place(bench.connection, bench.publisher, bench.subjects, shop.router.handlers)
    await made.store.ensure()
    yield made
    await made.store.stop()


def orders(*numbers: int) -> list[OrderCreated]:
    return [OrderCreated(channel="1688", order_id=str(number)) for number in numbers]


async def test_a_worker_runs_what_is_replayed_and_the_effects_that_happened_stay_as_they_are(
    bench: Bench, place: Place, shop: Shop
) -> None:
    await bench.store(*orders(*range(20)))
    await bench.work(shop.router)
    await bench.handled(shop.router)

    await place.begin("tell", filters=Filters(event_type="order"))
    report = await place.ended(runs=20)

    assert shop.replayed() == [str(n) for n in range(20)]
    assert (report.replayed, report.succeeded) == (20, 20)
    assert (report.suppressed, report.effects) == ({"mail": 20}, {})
    assert len(shop.effects) == 20
    consumers = await bench.connection.jetstream.consumers_info(bench.subjects.stream)
    assert [info.name for info in consumers] == ["handler-tell"]


async def test_effects_happen_again_once_where_they_are_forced_however_often_it_is_resumed(
    bench: Bench, place: Place, shop: Shop
) -> None:
    await bench.store(*orders(1, 2, 3))
    worker = await bench.work(shop.router)
    await bench.handled(shop.router)
    shop.failing = {"2"}  # after its effect, for the second time

    record = await place.begin("tell", forced=True, filters=Filters(event_type="order"))
    await eventually(lambda: len(shop.effects) >= 5)
    await place.runs.interrupt(record)
    await worker.stop()
    shop.failing = set()
    await bench.work(shop.router)
    await place.runs.begin(await place.runs.of("one"), here=False)
    await place.until("one", "finished")

    assert Counter(shop.effects) == {"1": 2, "2": 2, "3": 2}


async def test_a_failure_is_a_letter_that_names_the_replay_and_is_reported_with_its_cause(
    bench: Bench, place: Place, shop: Shop
) -> None:
    await bench.store(*orders(1, 2, 3))
    await bench.work(shop.router)
    await bench.handled(shop.router)
    shop.failing = {"2"}

    await place.begin("tell", sequences=[2, 3])
    report = await place.ended(runs=4)

    (letter,) = await bench.dead()
    assert (letter["ce-replay"], letter["ce-origin"]) == ("one", "replay")
    assert (report.replayed, report.succeeded, report.failures) == (2, 1, 1)
    (failed,) = report.failed
    assert (failed["order_id"], failed["attempts"]) == ("2", 3)
    assert "ValueError" in failed["reason"]


async def test_an_event_of_an_older_schema_runs_and_one_of_a_newer_is_a_letter(
    bench: Bench, place: Place, shop: Shop
) -> None:
    await bench.work(shop.router)
    await bench.handled(shop.router)
    older, newer = [encode_event(make_event(made), bench.subjects) for made in orders(1, 2)]
    old = {k: v for k, v in older.headers.items() if k not in {"ce-factid", "ce-dataschema"}}
    new = dict(newer.headers) | {"ce-type": "yizhan.order.created.v2"}
    await bench.publisher.publish(
        [
            OutgoingMessage.of(older.subject, old, b'{"channel":"1688","order_id":"1","was":1}'),
            OutgoingMessage.of(newer.subject, new, newer.body),
        ]
    )
    await bench.handled(shop.router)

    await place.begin("tell", filters=Filters(event_type="order"))
    report = await place.ended(runs=2)

    assert shop.replayed() == ["1"]
    assert shop.effects == ["1"]
    assert (report.replayed, report.succeeded, report.failures) == (2, 1, 1)
    live, replayed = await bench.dead()
    assert [one["yizhan-reason"] for one in (live, replayed)] == [live["yizhan-reason"]] * 2
    assert "ce-type names no event type of ours" in live["yizhan-reason"]
    assert replayed["ce-replay"] == "one"


async def test_live_events_and_replayed_ones_of_an_order_run_one_at_a_time(
    bench: Bench, place: Place, shop: Shop
) -> None:
    await bench.store(*orders(*range(10)))
    await bench.work(shop.router)
    await bench.handled(shop.router)
    await place.begin("tell", filters=Filters(event_type="order"))
    for again in range(10):
        await bench.store(
            *[made.model_copy(update={"order_no": f"n{again}"}) for made in orders(*range(10))]
        )
    report = await place.ended(runs=10)
    await bench.handled(shop.router)

    assert (report.succeeded, shop.overlaps) == (10, 0)
    assert len(shop.runs) == 120


async def test_a_replay_waits_while_its_handler_is_paused_and_ends_where_it_is_cancelled(
    bench: Bench, place: Place, shop: Shop
) -> None:
    await bench.store(*orders(1, 2))
    await bench.work(shop.router)
    await bench.handled(shop.router)
    jetstream = bench.connection.jetstream
    paused = await jetstream.pause_consumer(
        bench.subjects.stream, "handler-tell", "2999-01-01T00:00:00Z"
    )
    assert paused.paused
    record = await place.begin("tell", filters=Filters(order_id="1"))
    held = await place.begin("tell", "two", filters=Filters(order_id="2"))
    await place.runs.cancel(held)
    await jetstream.resume_consumer(bench.subjects.stream, "handler-tell")
    await place.ended(runs=1)
    assert shop.replayed() == ["1"]
    assert record.name == "one"
    assert (await place.runs.of("two")).state == "cancelled"


async def test_the_next_worker_goes_on_where_one_was_cut_off(
    bench: Bench, place: Place, shop: Shop
) -> None:
    await bench.store(*orders(*range(30)))
    first = await bench.work(shop.router)
    await bench.handled(shop.router)
    shop.runs.clear()
    shop.failing = {"7"}
    await place.begin("tell", filters=Filters(event_type="order"), rate=100)
    await eventually(lambda: len(shop.replayed()) >= 10)
    await first.stop()
    shop.failing = set()
    await bench.work(shop.router)
    report = await place.ended(runs=30)

    assert set(shop.replayed()) == {str(n) for n in range(30)}
    assert report.succeeded == 30
    assert len(shop.effects) == 30
