"""Events that the platform's API confirms before a run; the simulator is the platform."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from receiver.bus.codec import encode_event
from receiver.callback import EventDraft, InboundRequest, Proof, VerifiedRequest
from receiver.dialects import xport
from receiver.errors import ConfigurationError, UnconfirmedError
from receiver.event import Event
from receiver.settings import SourceSettings
from receiver.simulator.envelope import Form, envelope
from receiver.simulator.life import Course, live
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.platform import PlatformConfig, SimulatedPlatform
from receiver.simulator.signing import Account
from receiver.simulator.trade import Notice
from receiver.testing import eventually, make_event
from receiver.worker.confirmation import confirmed, decide_unconfirmed
from receiver.worker.interface import Context
from receiver.worker.options import HandlerOptions
from receiver.worker.outcomes import DeadLetter, NakWithDelay
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Router
from schemas.events import (
    AftersalesRefundUpdated,
    Amounts,
    EventData,
    LogisticsPackageChanged,
    LogisticsProgressed,
    LogisticsShipped,
    OrderClosed,
    OrderCreated,
    OrderPriceChanged,
    OrderStatusChanged,
    OrderSynced,
    Parcel,
    PaymentBatchSettled,
    PaymentResult,
    PaymentSucceeded,
    UnknownReceived,
)
from schemas.statuses import OrderStatus, PaymentOutcome, RefundStatus
from schemas.values import Money
from tests.simulator.calling import Caller, calling
from tests.worker.conftest import Bench

SOURCE = SourceSettings(name="main", dialect="xport", verification="none")
COURSES = [
    Course(channel, fate)
    for channel in ("1688", "taobao")
    for fate in ("completed", "cancelled", "refunded")
]


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    config = PlatformConfig("http://127.0.0.1:9/", Account("key", "secret"), sellers_act=False)
    async with SimulatedPlatform(config) as platform, calling(platform) as made:
        yield made


def read(notice: Notice) -> list[EventDraft]:
    body = envelope(notice, Form.drawn(random.Random(1)), pushed_at_ms=1)
    request = InboundRequest(SOURCE, (), body, datetime.now(UTC))
    return list(xport.parse(VerifiedRequest(request, Proof("none"))).events)


def untrusted(data: EventData, **attributes: Any) -> Event[Any]:
    return make_event(data, trust="none", received_at=datetime.now(UTC), **attributes)


async def refused(caller: Caller, data: EventData) -> UnconfirmedError:
    with pytest.raises(UnconfirmedError) as raised:
        await confirmed(untrusted(data), caller.v2)
    return raised.value


@pytest.mark.parametrize("course", COURSES, ids=lambda course: f"{course.channel}-{course.fate}")
async def test_all_that_a_platform_says_of_an_order_is_confirmed(
    caller: Caller, course: Course
) -> None:
    platform, chance = caller.platform, random.Random(1)
    said = live(platform.book, course, TaobaoNames(), chance, platform.world.refunds)
    drafts = list[EventDraft]()
    for notice in said:  # each is made as it happens
        for draft in read(notice):
            drafts.append(draft)
            event = await confirmed(untrusted(draft.data), caller.v2)
            assert event.trust == "requeried"
    for draft in drafts:  # and is still confirmed once more has happened
        await confirmed(untrusted(draft.data), caller.v2)
    assert len({type(draft.data) for draft in drafts}) > 1


async def test_what_did_not_happen_is_not_confirmed(caller: Caller) -> None:
    order = await caller.bought()
    ours = {"channel": "1688", "order_id": order.order_id}
    price = Money.yuan(Decimal(order.total_fen) / 100 + 1)
    succeeded = PaymentResult(order_id=order.order_id, outcome=PaymentOutcome.SUCCEEDED)
    failed = PaymentResult(order_id=order.order_id, outcome=PaymentOutcome.ACCOUNT_FROZEN)
    for forged in (
        PaymentSucceeded.model_validate(ours),
        OrderClosed.model_validate(ours),
        LogisticsShipped.model_validate(ours),
        OrderPriceChanged.model_validate(ours | {"amounts": Amounts(total=price)}),
        OrderPriceChanged.model_validate(ours),
        OrderStatusChanged.model_validate(ours | {"status": OrderStatus.SHIPPED}),
        OrderStatusChanged.model_validate(ours | {"platform_status": "another"}),
        OrderStatusChanged.model_validate(
            ours | {"lines": [{"line_id": "1", "status": "shipped"}]}
        ),
        OrderStatusChanged.model_validate(ours),
        PaymentBatchSettled.model_validate(ours | {"results": [succeeded]}),
        PaymentBatchSettled.model_validate(ours | {"results": [failed]}),
        OrderCreated(channel="1688", order_id="1"),
        AftersalesRefundUpdated.model_validate(ours | {"refund_id": "TQ1", "status": "refunded"}),
        LogisticsProgressed.model_validate(ours | {"parcel": Parcel(waybill_no="SF1")}),
    ):
        assert not (await refused(caller, forged)).final, forged


async def test_a_case_of_another_order_confirms_nothing(caller: Caller) -> None:
    order, other = await caller.paid(), await caller.paid()
    case = caller.platform.world.refund(
        order, order.line_ids, payment_fen=order.total_fen, asked={}
    )
    data = AftersalesRefundUpdated(
        channel="1688",
        order_id=order.order_id,
        refund_id=case.refund_id,
        status=RefundStatus.APPLIED,
    )
    assert (await confirmed(untrusted(data), caller.v2)).trust == "requeried"
    await refused(caller, data.model_copy(update={"order_id": other.order_id}))
    await refused(caller, data.model_copy(update={"status": RefundStatus.REFUNDED}))
    named = {"status": RefundStatus.UNKNOWN, "platform_status": "another"}
    await refused(caller, data.model_copy(update=named))


async def test_a_closed_order_was_paid_where_it_says_when(caller: Caller) -> None:
    paid, unpaid = await caller.paid(), await caller.bought()
    for order in (paid, unpaid):
        caller.platform.world.cancel(order)
    data = PaymentSucceeded(channel="1688", order_id=paid.order_id)
    assert (await confirmed(untrusted(data), caller.v2)).trust == "requeried"
    await refused(caller, PaymentSucceeded(channel="1688", order_id=unpaid.order_id))


async def test_what_has_no_call_or_no_id_is_given_up_at_once(caller: Caller) -> None:
    for data in (
        OrderSynced(channel="1688", order_id="1"),
        OrderCreated(channel="unknown", order_id="1"),
        OrderCreated(channel="1688"),
        AftersalesRefundUpdated(channel="taobao", order_id="1"),
        LogisticsProgressed(channel="taobao", order_id="1"),
    ):
        assert (await refused(caller, data)).final


async def test_an_event_that_was_confirmed_costs_no_call(caller: Caller) -> None:
    event = make_event(OrderCreated(channel="1688", order_id="1"), trust="requeried")
    assert await confirmed(event, caller.v2) is event


async def test_a_forged_event_becomes_a_letter_and_a_true_one_runs_once(
    bench: Bench, caller: Caller
) -> None:
    router, runs = Router(), list[tuple[str | None, str, str | None]]()

    @router.on(PaymentSucceeded, trust="requeried")
    async def ship(event: Event[PaymentSucceeded], ctx: Context) -> None:
        runs.append((event.order_id, event.trust, ctx.timer))
        if ctx.timer is None:
            await ctx.schedule(after=0, key="a")

    true, false = await caller.paid(), await caller.bought()
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    events = [
        replace(
            untrusted(PaymentSucceeded(channel="1688", order_id=o.order_id)), received_at=long_ago
        )
        for o in (true, false)
    ]
    await bench.publisher.publish([encode_event(event, bench.subjects) for event in events])
    worker = await bench.work(router, api=caller.v2)
    await eventually(lambda: worker.counts.of("ship", "done") == 2, within_s=60)
    await bench.handled(router)
    assert runs == [(true.order_id, "requeried", None), (true.order_id, "requeried", "a")]
    (letter,) = await bench.dead()
    assert letter["ce-id"] == events[1].id
    assert letter["ce-trust"] == "none"
    assert letter["yizhan-reason"].startswith("unconfirmed: payment.succeeded: the platform does")
    api_counts = [record["api_count"] for record in await bench.records("ship")]
    assert sorted(api_counts) == [0, 1, 1]  # the run that the timer fired has asked nothing


async def test_a_platform_that_lags_confirms_later(bench: Bench, caller: Caller) -> None:
    router, runs = Router(), list[int]()

    @router.on(PaymentSucceeded, trust="requeried")
    async def ship(event: Event[PaymentSucceeded], ctx: Context) -> None:
        runs.append(ctx.attempt)

    order = await caller.bought()
    event = untrusted(PaymentSucceeded(channel="1688", order_id=order.order_id))
    await bench.publisher.publish([encode_event(event, bench.subjects)])
    worker = await bench.work(router, api=caller.v2)
    await eventually(lambda: worker.counts.of("ship", "postponed") >= 4, within_s=60)
    caller.platform.world.pay([order])
    await eventually(lambda: worker.counts.of("ship", "done") == 1, within_s=60)
    assert runs[0] > 4  # beyond the attempts that failures have
    assert await bench.dead() == []


def test_what_no_call_confirms_is_not_registered_for_it() -> None:
    for model in (UnknownReceived, LogisticsPackageChanged):

        async def look(event: Event[Any], ctx: Context) -> None: ...

        with pytest.raises(ConfigurationError, match=f"no call .* {model.event_type}"):
            Router().on(model, trust="requeried")(look)


def test_what_is_to_be_confirmed_is_not_left_out_for_what_was_not() -> None:
    async def book(event: Event[Any], ctx: Context) -> None: ...

    with pytest.raises(ConfigurationError, match="an invented one would hold back a true one"):
        Router().on(PaymentSucceeded, trust="requeried", only="advance")(book)


def test_the_last_question_is_asked_as_the_limit_is_over() -> None:
    policy, options = RetryPolicy(jitter=lambda: 0.0), HandlerOptions(confirm_within_s=1800)

    def after(waited_s: float, *, final: bool = False) -> NakWithDelay | DeadLetter:
        error = UnconfirmedError("not seen", final=final)
        return decide_unconfirmed(error, waited_s, 4, options, policy)

    assert after(60) == NakWithDelay(120, "postponed", failed=False)
    assert after(1790) == NakWithDelay(10, "postponed", failed=False)
    assert after(1800) == after(0, final=True) == DeadLetter("unconfirmed: not seen")
