"""The same tests against a real server: what the kit shows is what a worker does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.testing import Kit, make_event
from receiver.testing.fake_api import FakeAPI
from receiver.testing.real import RealKit
from receiver.worker.interface import Context, Drop, Retry
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Router
from schemas.api.alibaba_orders import OrderDetailRequest
from schemas.events import (
    LogisticsShipped,
    OrderClosed,
    OrderCreated,
    OrderSynced,
    PaymentSucceeded,
)

router = Router()


@router.on(OrderCreated, retry=RetryPolicy(max_attempts=2, delays_s=(0.1,)))
async def follow(event: Event[OrderCreated], ctx: Context) -> OrderClosed | OrderSynced:
    """Does a thing of each kind, by the order's id."""
    ctx.log.info("followed", attempt_was=ctx.attempt)
    match event.order_id:
        case "drop":
            raise Drop("not ours")
        case "fail":
            raise ValueError("the desk is closed")
        case "wait" if ctx.attempt < 3:
            raise Retry(after=0.2)
        case "ask":
            await ctx.api.alibaba.orders.detail("7")
    return OrderClosed(channel="1688", order_id=event.order_id)


@pytest.fixture(params=[Kit, RealKit], ids=["memory", "server"], scope="module")
async def kit(request: pytest.FixtureRequest) -> AsyncIterator[Kit]:
    async with request.param(follow, api=FakeAPI.of_samples()) as opened:
        yield opened


def created(order_id: str) -> Event[OrderCreated]:
    return make_event(OrderCreated(channel="1688", order_id=order_id))


async def test_what_is_published_is_shown_once(kit: Kit) -> None:
    event = created("1")
    first, again, told = await kit.run(event), await kit.run(event), await kit.retransmit(event)
    assert [run.outcome for run in (first, again, told)] == ["done"] * 3
    assert [made.causation_id for made in first.published] == [event.id]
    assert list(again.published) == []
    assert len(told.published) == 1


async def test_what_is_dropped_says_why(kit: Kit) -> None:
    ran = await kit.run(created("drop"))
    assert ran.outcome == "dropped"
    assert isinstance(ran.raised, Drop)


async def test_what_fails_is_run_again_and_then_a_dead_letter(kit: Kit) -> None:
    first, (second,) = (
        await kit.run(created("fail")),
        await kit.advance(timedelta(seconds=0.5)),
    )
    assert (first.outcome, second.outcome) == ("retried", "dead_lettered")
    assert isinstance(second.raised, ValueError)
    assert len(second.dead_letters) == 1


async def test_what_waits_runs_when_it_is_due(kit: Kit) -> None:
    await kit.run(created("wait"))
    ran = await kit.advance(timedelta(seconds=1))
    assert [(run.attempt, run.outcome) for run in ran] == [(2, "postponed"), (3, "done")]


async def test_what_it_asked_and_logged_is_shown(kit: Kit) -> None:
    ran = await kit.run(created("ask"))
    assert [asked.request for asked in ran.asked] == [OrderDetailRequest("7")]
    (line,) = ran.logs
    assert (line["event"], line["handler"], line["order_id"]) == ("followed", "follow", "ask")


async def test_an_event_of_another_type_is_refused(kit: Kit) -> None:
    with pytest.raises(ConfigurationError, match=r"follow is not registered for order\.closed"):
        await kit.run(make_event(OrderClosed(channel="1688", order_id="1")))


async def test_what_a_worker_would_not_run_is_refused() -> None:
    async def unknown(event: Event[OrderCreated], ctx: Context) -> None: ...

    with pytest.raises(ConfigurationError, match="register it"):
        RealKit(unknown)


async def test_the_time_of_a_server_is_not_moved() -> None:
    kit = RealKit(follow)
    with pytest.raises(TypeError, match="shorten the delays"):
        await kit.advance(timedelta(hours=1))


@router.on(OrderCreated, coalesce=timedelta(seconds=0.5))
async def newest(event: Event[OrderCreated], ctx: Context) -> None:
    ctx.log.info("newest")


@pytest.mark.parametrize("kind", [Kit, RealKit])
async def test_what_was_put_off_runs_when_it_is_due(kind: type[Kit]) -> None:
    async with kind(newest) as kit:
        put_off = await kit.run(created("1"))
        (ran,) = await kit.advance(timedelta(seconds=1))
    assert (put_off.outcome, ran.outcome) == ("coalesced", "done")


@router.on(OrderCreated)
async def remind(event: Event[OrderCreated], ctx: Context) -> None:
    if ctx.timer is None:
        await ctx.schedule(after=timedelta(seconds=0.5), key="unpaid")
        await ctx.schedule(after=timedelta(seconds=0.5), key="other")
        await ctx.cancel("other")


@pytest.mark.parametrize("kind", [Kit, RealKit])
async def test_a_timer_fires(kind: type[Kit]) -> None:
    async with kind(remind) as kit:
        first = await kit.run(created("1"))
        (fired,) = await kit.advance(timedelta(seconds=1))
    assert (list(first.scheduled), first.cancelled) == (["unpaid"], ["other"])
    assert (fired.timer, fired.outcome) == ("unpaid", "done")


@router.on(PaymentSucceeded, only="advance")
async def pack(event: Event[PaymentSucceeded], ctx: Context) -> None:
    async with ctx.once("pack") as effect:
        if effect.due:
            effect.result = (await ctx.order()).status


PAID = make_event(PaymentSucceeded(channel="1688", order_id="1"))


@pytest.mark.parametrize("kind", [Kit, RealKit])
async def test_state_and_effects_are_shown(kind: type[Kit]) -> None:
    async with kind(pack) as kit:
        await kit.given(make_event(LogisticsShipped(channel="1688", order_id="1")))
        first, told, again = await kit.run(PAID), await kit.retransmit(PAID), await kit.replay(PAID)
    assert [run.arrival for run in (first, told, again)] == ["advance", "duplicate", "advance"]
    assert [run.outcome for run in (first, told, again)] == ["done", "dropped", "done"]
    assert [effect.result for effect in (*first.effects, *again.effects)] == ["shipped"] * 2
    assert first.state is not None
    assert (first.state.is_paid, len(first.state.parcels)) == (True, 0)


@pytest.mark.parametrize("kind", [Kit, RealKit])
async def test_what_a_handler_published_is_in_the_state_of_its_order(kind: type[Kit]) -> None:
    seen: list[str] = []

    @Router().on(PaymentSucceeded)
    async def close(event: Event[PaymentSucceeded], ctx: Context) -> OrderClosed:
        seen.append((await ctx.order()).status)
        return OrderClosed(channel="1688", order_id=event.order_id)

    async with kind(close) as kit:
        await kit.run(PAID)
        ran = await kit.retransmit(PAID)
    assert seen == ["unknown", "closed"]
    assert ran.arrival is None


async def test_what_the_handler_would_run_on_is_not_given(kit: Kit) -> None:
    with pytest.raises(ConfigurationError, match=r"follow is registered for order\.created: run"):
        await kit.given(created("1"))
