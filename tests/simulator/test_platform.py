"""The platform as a whole: whose lives are pushed, in which order, and what is told of them."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from receiver.simulator.orders import Wanted
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.pusher import Counts
from tests.simulator.conftest import Receiver


async def run(receiver: Receiver, *, orders: int = 10, **options: Any) -> Counts:
    receiver.deliveries.clear()
    async with SimulatedPlatform(receiver.config(**options)) as platform:
        return await platform.run(orders=orders)


def ids_and_types(receiver: Receiver) -> list[tuple[str, str]]:
    """What is the same in two runs: the bodies hold the time of their making."""
    found = []
    for body in receiver.bodies:
        message = json.loads(body)
        inner = message["messageBody"]
        inner = json.loads(inner) if isinstance(inner, str) else inner
        order_id = inner.get("orderId") or inner.get("salesOrderId")
        found.append((message["messageType"], str(order_id)))
    return found


async def test_the_same_seed_lives_the_same_lives(receiver: Receiver) -> None:
    rates: dict[str, Any] = {"duplicate_rate": 0.2, "disorder_rate": 0.2}
    await run(receiver, seed=5, concurrency=1, **rates)
    first = ids_and_types(receiver)
    await run(receiver, seed=5, concurrency=1, **rates)
    assert ids_and_types(receiver) == first
    await run(receiver, seed=5, concurrency=8, **rates)
    assert Counter(ids_and_types(receiver)) == Counter(first)
    await run(receiver, seed=6, concurrency=1, **rates)
    assert ids_and_types(receiver) != first


async def test_disorder_changes_the_order_and_loses_nothing(receiver: Receiver) -> None:
    await run(receiver, seed=5, concurrency=1, orders=1)
    straight = receiver.types
    await run(receiver, seed=5, concurrency=1, orders=1, disorder_rate=1.0)
    mixed = [name.removeprefix("1688_") for name in receiver.types]
    assert mixed[0].endswith("PRICE_MODIFY")
    assert mixed[1] == "ORDER_CREATE"
    assert len(mixed) == len(straight)


async def test_every_push_can_be_a_duplicate(receiver: Receiver) -> None:
    counts = await run(receiver, orders=2, duplicate_rate=1.0)
    assert counts.duplicates == counts.pushed == counts.acknowledged
    assert counts.deliveries == 2 * counts.pushed
    assert set(Counter(receiver.bodies).values()) == {2}


async def test_life_goes_on_while_a_callback_waits_for_its_retry(receiver: Receiver) -> None:
    receiver.answer = lambda number, _body: 503 if number == 1 else 200
    counts = await run(receiver, orders=1, concurrency=1)
    assert counts.acknowledged == counts.pushed
    assert receiver.bodies.count(receiver.bodies[0]) == 2
    assert receiver.bodies[1] != receiver.bodies[0]


async def test_retries_that_find_no_room_hold_life_up(receiver: Receiver) -> None:
    receiver.answer = lambda _number, _body: 503
    async with SimulatedPlatform(receiver.config(limit_waiting=3, speed=1.0)) as platform:
        running = asyncio.create_task(platform.run(orders=None))
        async with asyncio.timeout(60):
            while platform.counts.pushed < 3 + 16:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait({running})
        assert platform.counts.pushed == 3 + 16


async def test_a_push_that_was_given_up_is_reported(receiver: Receiver) -> None:
    receiver.answer = lambda _number, _body: 503
    told: list[bool] = []
    config = receiver.config(speed=1e6)
    platform = SimulatedPlatform(config, on_push=lambda _type, ok: told.append(ok))
    async with platform:
        counts = await platform.run(orders=2)
    assert counts.given_up == counts.pushed == len(told)
    assert counts.deliveries == 6 * counts.pushed
    assert not any(told)


async def test_the_journal_lists_what_was_acknowledged(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answer = lambda number, _body: 503 if number == 2 else 200
    journal = tmp_path / "journal"
    async with SimulatedPlatform(receiver.config(journal=journal)) as platform:
        counts = await platform.run(orders=3)
        lines = [json.loads(line) for line in journal.read_text().splitlines()]  # flushed by now
    assert [line["callback_id"] for line in lines] == list(counts.acknowledged_ids)
    digests = {hashlib.sha256(b"dev\n" + body).hexdigest()[:32] for body in receiver.bodies}
    assert set(counts.acknowledged_ids) == digests


async def test_an_endless_run_can_be_cancelled_and_goes_on_afterwards(receiver: Receiver) -> None:
    async with SimulatedPlatform(receiver.config(interval_s=0.01)) as platform:
        running = asyncio.create_task(platform.run(orders=None))
        async with asyncio.timeout(60):
            while platform.counts.acknowledged < 20:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled()
        before = set(platform.book.orders)
        await platform.run(orders=2)
        assert len(platform.book.orders) == len(before) + 2


async def test_what_is_paid_by_a_call_is_delivered_by_itself(receiver: Receiver) -> None:
    async with SimulatedPlatform(receiver.config()) as platform:
        product = platform.world.catalogue.of("1688")[0]
        order = platform.world.buy("1688", [Wanted(product, product.skus[0], 1)], None)
        platform.world.pay([order])
        while platform.counts.acknowledged < 7:
            await asyncio.sleep(0.01)
    assert order.parcel is not None
    assert [step.word for step in order.parcel.steps][-1] == "SIGN"
    assert [name.removeprefix("1688_") for name in receiver.types] == [
        *("ORDER_CREATE", "ORDER_PAY_SUCCESS", "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS"),
        *["LOGISTICS_BUYER_VIEW_TRACE"] * 4,
    ]


async def test_the_console_check_needs_no_run(receiver: Receiver) -> None:
    async with SimulatedPlatform(receiver.config()) as platform:
        assert await platform.console_check() == 200
        assert await platform.console_check("GET", b"") == 200
    assert receiver.bodies == [b"{}", b""]


@pytest.mark.parametrize(
    "options",
    [{"duplicate_rate": 1.5}, {"disorder_rate": -0.1}, {"concurrency": 0}, {"limit_waiting": 0}],
)
def test_a_senseless_setting_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Receiver().config(**options)
