"""The kit that runs a handler for its test: what it shows, what it shares, how time goes on."""

from __future__ import annotations

import traceback
from datetime import timedelta

import pytest
from pydantic import BaseModel

from receiver.errors import BusError
from receiver.event import Event
from receiver.testing import NOON, Kit, ManualClock, RecordingPublisher, make_event
from receiver.worker.interface import Context, Drop, Retry
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Router
from schemas.events import (
    OrderClosed,
    OrderCreated,
    OrderPriceChanged,
    OrderSynced,
    PaymentSucceeded,
)

ORDER_ID = "2745812000123456789"
CREATED = make_event(OrderCreated(channel="1688", order_id=ORDER_ID))
SYNCED = OrderSynced(channel="1688", order_id=ORDER_ID)
router = Router()


class Desk(BaseModel):
    name: str = "first"


@router.on(OrderCreated, settings=Desk, retry=RetryPolicy(max_attempts=2, delays_s=(60,)))
async def fails(event: Event[OrderCreated], ctx: Context) -> None:
    ctx.log.info("asked", desk=ctx.settings.name)
    raise ValueError("the desk is closed")


async def sync(event: Event[OrderCreated], ctx: Context) -> OrderSynced:
    return SYNCED


async def poll(event: Event[OrderCreated], ctx: Context) -> None:
    if ctx.attempt < 4:
        raise Retry(after=timedelta(hours=1))


async def test_what_a_handler_raised_is_there_with_its_traceback() -> None:
    ran = await Kit(fails).run(CREATED)
    assert isinstance(ran.raised, ValueError)
    assert traceback.extract_tb(ran.raised.__traceback__)[-1].name == "fails"


async def test_a_function_is_run_as_it_is_registered() -> None:
    kit = Kit(fails)
    first, (second,) = await kit.run(CREATED), await kit.advance(timedelta(seconds=60))
    assert first.logs[0]["desk"] == "first"
    assert (first.outcome, second.outcome) == ("retried", "dead_lettered")


async def test_what_it_logs_is_there_with_event_and_handler() -> None:
    (line,) = (await Kit(fails).run(CREATED)).logs
    assert (line["event"], line["level"]) == ("asked", "info")
    assert (line["handler"], line["event_id"]) == ("fails", CREATED.id)
    assert (line["order_id"], line["event_type"]) == (ORDER_ID, "order.created")


async def test_a_second_run_of_an_event_publishes_nothing_more() -> None:
    kit = Kit(sync)
    first, again = await kit.run(CREATED), await kit.run(CREATED)
    assert [event.data for event in first.published] == [SYNCED]
    assert list(again.published) == []
    assert [event.data for event in kit.published] == [SYNCED]


async def test_a_retransmission_is_another_event_of_the_same_fact() -> None:
    seen: list[Event[OrderCreated]] = []

    async def note(event: Event[OrderCreated], ctx: Context) -> None:
        seen.append(event)

    kit = Kit(note)
    await kit.run(CREATED)
    await kit.retransmit(CREATED)
    first, again = seen
    assert first.id != again.id
    assert first.fact_id == again.fact_id


async def test_each_retransmission_has_an_id_of_its_own() -> None:
    kit = Kit(sync)
    told = [await kit.retransmit(CREATED) for _ in range(3)]
    assert len({ran.published[0].id for ran in told}) == 3


@pytest.mark.parametrize(("timed", "same"), [(True, True), (False, False)])
async def test_a_fact_that_is_known_by_its_time_is_the_same_where_that_is_given(
    timed: bool, same: bool
) -> None:
    seen: list[str] = []

    async def note(event: Event[OrderPriceChanged], ctx: Context) -> None:
        seen.append(event.fact_id)

    data = OrderPriceChanged(channel="1688", order_id=ORDER_ID)
    event = make_event(data, time=NOON) if timed else make_event(data)
    kit = Kit(note)
    await kit.run(event)
    await kit.retransmit(event)
    assert (seen[0] == seen[1]) is same


async def test_a_replay_runs_at_once_and_not_again_where_it_fails() -> None:
    kit = Kit(fails)
    assert (await kit.replay(CREATED)).outcome == "retried"
    assert list(await kit.advance(timedelta(days=1))) == []
    assert (await Kit(newest).replay(CREATED)).outcome == "done"


async def test_the_clock_runs_what_is_due_each_at_its_time() -> None:
    kit = Kit(poll)
    first = await kit.run(CREATED)
    ran = await kit.advance(timedelta(hours=5))
    assert first.outcome == "postponed"
    assert [(run.attempt, run.outcome) for run in ran] == [
        (2, "postponed"),
        (3, "postponed"),
        (4, "done"),
    ]
    assert [run.at for run in ran] == [NOON + timedelta(hours=hour) for hour in (1, 2, 3)]
    assert kit.clock() == NOON + timedelta(hours=5)


async def test_nothing_runs_before_it_is_due() -> None:
    kit = Kit(poll)
    await kit.run(CREATED)
    assert list(await kit.advance(timedelta(minutes=59))) == []
    assert len(await kit.advance(timedelta(minutes=1))) == 1


async def test_a_retry_is_no_failure_in_the_next_run_either() -> None:
    tries: list[int] = []

    async def waits_and_fails(event: Event[OrderCreated], ctx: Context) -> None:
        tries.append(ctx.attempt)
        if ctx.attempt <= 3:
            raise Retry(after=10)
        raise ValueError

    kit = Kit(waits_and_fails, policy=RetryPolicy(max_attempts=2, delays_s=(10,)))
    await kit.run(CREATED)
    ran = await kit.advance(timedelta(minutes=5))
    assert tries == [1, 2, 3, 4, 5]
    assert [run.outcome for run in ran[-2:]] == ["retried", "dead_lettered"]
    assert len(ran[-1].dead_letters) == 1


async def test_a_dropped_event_comes_no_more() -> None:
    async def drop(event: Event[OrderCreated], ctx: Context) -> None:
        if ctx.attempt == 1:
            raise Retry(after=10)
        raise Drop("too old")

    kit = Kit(drop)
    await kit.run(CREATED)
    (ran,) = await kit.advance(timedelta(days=1))
    assert ran.outcome == "dropped"
    assert isinstance(ran.raised, Drop)
    assert list(await kit.advance(timedelta(days=1))) == []


async def test_a_log_that_is_away_is_shown_by_a_publisher_that_fails() -> None:
    publisher = RecordingPublisher(BusError("no answer"))
    kit = Kit(sync, publisher=publisher)
    failed = await kit.run(CREATED)
    publisher.error = None
    (again,) = await kit.advance(timedelta(seconds=5))
    assert (failed.outcome, again.outcome) == ("retried", "done")
    assert len(again.published) == 1


async def test_a_clock_of_ones_own_cannot_be_moved() -> None:
    async with Kit(sync, clock=lambda: NOON) as kit:
        with pytest.raises(TypeError, match="ManualClock"):
            await kit.advance(timedelta(seconds=1))


def test_a_clock_goes_back_where_it_is_told_to() -> None:
    clock = ManualClock()
    clock.advance(timedelta(hours=-1))
    assert clock() == NOON - timedelta(hours=1)


async def test_a_method_can_be_a_handler() -> None:
    class Shop:
        async def close(self, event: Event[OrderCreated], ctx: Context) -> OrderClosed:
            return OrderClosed(channel="1688", order_id=event.order_id)

    close = Router().on(OrderCreated)(Shop().close)
    ran = await Kit(close).run(CREATED)
    assert [event.order_id for event in ran.published] == [ORDER_ID]


@router.on(OrderCreated, coalesce=timedelta(seconds=10))
async def newest(event: Event[OrderCreated], ctx: Context) -> None:
    ctx.log.info("newest")


async def test_events_that_come_close_together_make_one_run_of_the_newest() -> None:
    kit = Kit(newest)
    second = make_event(CREATED.data, id="2.0", time=NOON + timedelta(minutes=1))
    put_off = [await kit.run(CREATED), await kit.run(second), await kit.run(CREATED)]
    (ran,) = await kit.advance(timedelta(seconds=10))
    assert [run.outcome for run in put_off] == ["coalesced"] * 3
    assert (ran.outcome, ran.logs[0]["event_id"]) == ("done", "2.0")


@router.on(OrderCreated, PaymentSucceeded)
async def remind(event: Event[OrderCreated | PaymentSucceeded], ctx: Context) -> None:
    if isinstance(event.data, PaymentSucceeded):
        await ctx.cancel("unpaid")
    elif ctx.timer is None:
        await ctx.schedule(after=timedelta(hours=1), key="unpaid")
    elif ctx.attempt == 1:
        raise ValueError("no one there")


async def test_a_timer_is_shown_and_fires_at_its_time() -> None:
    kit = Kit(remind)
    first = await kit.run(CREATED)
    fired, again = await kit.advance(timedelta(hours=2))
    due = NOON + timedelta(hours=1)
    assert (first.outcome, first.scheduled, first.timer) == ("done", {"unpaid": due}, None)
    assert (fired.outcome, fired.timer, fired.attempt, fired.at) == ("retried", "unpaid", 1, due)
    assert (again.outcome, again.timer, again.attempt) == ("done", "unpaid", 2)
    assert list(await kit.advance(timedelta(days=1))) == []


async def test_a_timer_that_is_cancelled_does_not_fire() -> None:
    kit = Kit(remind)
    await kit.run(CREATED)
    paid = await kit.run(make_event(PaymentSucceeded(channel="1688", order_id=ORDER_ID)))
    assert paid.cancelled == ["unpaid"]
    assert list(await kit.advance(timedelta(days=1))) == []


async def test_a_timer_of_another_order_stays() -> None:
    kit = Kit(remind)
    await kit.run(CREATED)
    await kit.run(make_event(PaymentSucceeded(channel="1688", order_id="7")))
    assert [run.timer for run in await kit.advance(timedelta(days=1))] == ["unpaid", "unpaid"]


async def test_a_timer_that_was_never_set_is_shown_as_cancelled_by_its_key() -> None:
    ran = await Kit(remind).run(make_event(PaymentSucceeded(channel="1688", order_id="7")))
    assert ran.cancelled == ["unpaid"]


async def test_an_effect_is_shown_as_it_stood_at_the_end_of_its_run() -> None:
    async def book(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("book", safe=(KeyError,)) as effect:
            if effect.due:
                effect.result = {"run": ctx.attempt}
                if ctx.attempt == 1:
                    raise KeyError

    kit = Kit(book)
    first, (second,) = await kit.run(CREATED), await kit.advance(timedelta(seconds=1))
    told = await kit.retransmit(CREATED)
    states = [[(e.name, e.state, e.result) for e in ran.effects] for ran in (first, second, told)]
    assert states == [
        [("book", "released", None)],
        [("book", "done", {"run": 2})],
        [("book", "done", {"run": 2})],
    ]


async def test_an_effect_in_doubt_is_never_run_again() -> None:
    ran = list[int]()

    async def book(event: Event[OrderCreated], ctx: Context) -> None:
        async with ctx.once("book") as effect:
            if effect.due:
                ran.append(ctx.attempt)
                raise ValueError

    kit = Kit(book)
    first, later = await kit.run(CREATED), await kit.advance(timedelta(days=1))
    assert [effect.state for effect in first.effects] == ["in_doubt"]
    assert (later[-1].outcome, ran) == ("dead_lettered", [1])
