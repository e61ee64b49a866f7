"""Single cases of the fold: what an event changes, and what it is to its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from receiver.event import Event
from receiver.projection.orders import fold
from receiver.projection.state import MAX_HISTORY, MAX_PARCELS, Arrival, OrderState, empty
from receiver.testing import NOON, make_event
from schemas.events import (
    AftersalesRefundUpdated,
    AftersalesSynced,
    EventData,
    LogisticsPartlyShipped,
    LogisticsProgressed,
    LogisticsShipped,
    LogisticsWaybillChanged,
    OrderClosed,
    OrderCompleted,
    OrderCreated,
    OrderPriceChanged,
    OrderStatusChanged,
    OrderSynced,
    PaymentBatchSettled,
    PaymentStageSucceeded,
    PaymentSucceeded,
    UnknownReceived,
)
from schemas.parts import Amounts, Line, Parcel, PaymentResult
from schemas.statuses import OrderStatus, PaymentOutcome, Progress, RefundStatus
from schemas.values import Money

FACT: dict[str, Any] = {"channel": "1688", "order_id": "1"}
WORD = OrderStatus
_ids = iter(range(10**6))


def at(minute: float, data: EventData, **more: Any) -> Event[EventData]:
    """An event with the platform's time."""
    time = NOON + timedelta(minutes=minute)
    return make_event(data, time=time, received_at=time, id=f"{next(_ids)}.0", **more)


def status(minute: float, word: OrderStatus, **more: Any) -> Event[EventData]:
    return at(minute, OrderStatusChanged(**FACT, status=word, **more))


def price(minute: float, yuan: int) -> Event[EventData]:
    amounts = Amounts(total=Money.yuan(Decimal(yuan)))
    return at(minute, OrderPriceChanged(**FACT, amounts=amounts))


def pushed_again(event: Event[EventData], minute: float) -> Event[EventData]:
    """The same content under another push time, which is all the time that it has."""
    time = NOON + timedelta(minutes=minute)
    return replace(
        event, id=f"{next(_ids)}.0", time=time, received_at=time, retransmission_of="x", fact_id=""
    )


def folded(*events: Event[EventData]) -> tuple[OrderState, Sequence[Arrival]]:
    state, arrivals = empty("1688", "1"), []
    for seq, event in enumerate(events, start=1):
        state, arrival = fold(state, event, seq)
        arrivals.append(arrival)
    return state, arrivals


@pytest.mark.parametrize(
    ("events", "stands", "arrivals"),
    [
        ([status(1, WORD.SHIPPED), status(0, WORD.AWAITING_PAYMENT)], WORD.SHIPPED, "as"),
        ([status(1, WORD.SHIPPED), status(2, WORD.AWAITING_SHIPMENT)], WORD.SHIPPED, "ac"),
        ([status(1, WORD.SHIPPED), status(2, WORD.SHIPPED)], WORD.SHIPPED, "aa"),
        ([status(1, WORD.SHIPPED), at(2, OrderClosed(**FACT))], WORD.CLOSED, "aa"),
        ([at(1, OrderCompleted(**FACT)), at(2, OrderClosed(**FACT))], WORD.CLOSED, "ac"),
        ([at(2, OrderCompleted(**FACT)), at(1, OrderClosed(**FACT))], WORD.COMPLETED, "as"),
        ([at(1, OrderClosed(**FACT)), at(9, OrderClosed(**FACT))], WORD.CLOSED, "ad"),
        ([at(1, OrderClosed(**FACT)), status(2, WORD.AWAITING_PAYMENT)], WORD.CLOSED, "ac"),
        ([status(1, WORD.SHIPPED), status(2, WORD.UNKNOWN)], WORD.SHIPPED, "aa"),
        ([status(1, WORD.SHIPPED), at(2, UnknownReceived(**FACT))], WORD.SHIPPED, "aa"),
        ([status(1, WORD.SHIPPED), at(0, OrderCreated(**FACT))], WORD.SHIPPED, "aa"),
    ],
)
def test_a_status_rises_and_only_the_api_lowers_it(
    events: Sequence[Event[EventData]], stands: OrderStatus, arrivals: str
) -> None:
    state, found = folded(*events)
    assert (state.status, "".join(arrival[0] for arrival in found)) == (stands, arrivals)


def test_what_the_api_says_goes_before_what_was_pushed_well_before_it() -> None:
    synced = at(10, OrderSynced(**FACT, status=WORD.AWAITING_SHIPMENT))
    lowered, _ = folded(status(1, WORD.SHIPPED), synced)
    late, arrivals = folded(synced, status(1, WORD.SHIPPED))
    lagging, _ = folded(status(9.8, WORD.SHIPPED), synced)
    later, arrivals_later = folded(synced, status(11, WORD.SHIPPED))

    assert lowered.status == late.status == WORD.AWAITING_SHIPMENT
    assert lagging.status == later.status == WORD.SHIPPED
    assert (arrivals, arrivals_later) == (["advance", "stale"], ["advance", "advance"])


def test_a_word_of_the_api_that_we_do_not_know_settles_nothing() -> None:
    state, _ = folded(status(1, WORD.SHIPPED), at(10, OrderSynced(**FACT, status=WORD.UNKNOWN)))
    assert (state.status, state.snapshot) == (WORD.SHIPPED, None)


def test_a_price_that_goes_back_is_the_newest() -> None:
    state, arrivals = folded(price(1, 10), price(2, 12), price(3, 10), price(2.5, 11))
    assert state.amounts.total == Money.yuan(Decimal(10))
    assert arrivals == ["advance", "advance", "advance", "stale"]


def test_a_price_that_is_pushed_again_without_a_time_is_asked_about_where_it_differs() -> None:
    first, second = price(1, 10), price(2, 12)
    known, arrivals = folded(first, second, pushed_again(second, 3))
    back, arrivals_back = folded(first, second, pushed_again(first, 3))
    assert (arrivals[2], arrivals_back[2]) == ("duplicate", "conflict")
    assert known.amounts == back.amounts == Amounts(total=Money.yuan(Decimal(12)))


def test_a_status_that_is_pushed_again_without_a_time_is_asked_about_where_it_differs() -> None:
    first, second = status(1, WORD.AWAITING_SHIPMENT), status(2, WORD.SHIPPED)
    state, arrivals = folded(first, second, pushed_again(second, 3), pushed_again(first, 4))
    assert arrivals[2:] == ["duplicate", "conflict"]
    assert state.status is WORD.SHIPPED


def test_shipments_in_parts_add_up() -> None:
    def part(minute: int, *numbers: str) -> Event[EventData]:
        parcels = tuple(Parcel(waybill_no=number) for number in numbers)
        return at(minute, LogisticsPartlyShipped(**FACT, parcels=parcels))

    line = Line(status=WORD.SHIPPED)
    ahead = status(4, WORD.AWAITING_SHIPMENT, lines=(line, Line(status=WORD.AWAITING_SHIPMENT)))
    state, arrivals = folded(part(1, "yt 1"), part(2, "YT2", "YT1"), part(3, "YT1"), ahead)

    assert (state.status, sorted(state.parcels)) == (WORD.PARTLY_SHIPPED, ["YT1", "YT2"])
    assert arrivals == ["advance", "advance", "duplicate", "advance"]


def test_a_parcel_that_was_seen_on_its_way_is_still_shipped_for_the_first_time() -> None:
    parcel = Parcel(waybill_no="YT1", logistics_id="LP1")
    moved = LogisticsProgressed(**FACT, parcel=parcel, progress=Progress.SIGNED)
    shipped = LogisticsShipped(**FACT, status=WORD.SHIPPED, parcels=(Parcel(waybill_no="YT1"),))
    earlier = moved.model_copy(update={"progress": Progress.ACCEPTED})
    state, arrivals = folded(at(9, moved), at(1, shipped), at(3, earlier))
    assert arrivals == ["advance", "advance", "stale"]
    assert (state.parcels["YT1"].progress, state.parcels["YT1"].logistics_id) == ("signed", "LP1")


def test_a_waybill_number_that_changes_back_is_the_parcels_own_again() -> None:
    def change(minute: int, old: str, new: str) -> Event[EventData]:
        pair = {"old": Parcel(waybill_no=old), "new": Parcel(waybill_no=new)}
        return at(minute, LogisticsWaybillChanged(**FACT, **pair))

    there, _ = folded(change(1, "A1", "B1"))
    back, _ = folded(change(2, "B1", "A1"), change(1, "A1", "B1"))
    assert (there.parcels["A1"].replaced_by, there.parcels["B1"].replaced_by) == ("B1", None)
    assert (back.parcels["A1"].replaced_by, back.parcels["B1"].replaced_by) == (None, "A1")


def test_a_refund_after_completion_leaves_the_order_completed() -> None:
    def case(minute: int, word: RefundStatus) -> Event[EventData]:
        return at(minute, AftersalesRefundUpdated(**FACT, refund_id="TQ1", status=word))

    state, arrivals = folded(
        at(1, OrderCompleted(**FACT)),
        case(2, RefundStatus.APPLIED),
        case(4, RefundStatus.REFUNDED),
        case(3, RefundStatus.AGREED),
        case(5, RefundStatus.REFUNDED),
    )
    assert (state.status, state.refunds["TQ1"].status) == (WORD.COMPLETED, RefundStatus.REFUNDED)
    assert arrivals[1:] == ["advance", "advance", "stale", "stale"]


def test_the_first_push_of_a_refund_is_new_though_the_api_said_it_before() -> None:
    synced = AftersalesSynced(**FACT, refund_id="TQ1", status=RefundStatus.REFUNDED)
    pushed = AftersalesRefundUpdated(**FACT, refund_id="TQ1", status=RefundStatus.REFUNDED)
    _, arrivals = folded(at(5, synced), at(4, pushed))
    assert arrivals == ["advance", "advance"]


def test_a_batch_that_failed_pays_nothing_and_a_success_stays() -> None:
    def batch(minute: int, outcome: PaymentOutcome) -> Event[EventData]:
        results = (PaymentResult(order_id="1", outcome=outcome),)
        return at(minute, PaymentBatchSettled(**FACT, results=results))

    frozen = PaymentOutcome.ACCOUNT_FROZEN
    failed, _ = folded(batch(1, frozen))
    paid, arrivals = folded(batch(1, frozen), batch(2, PaymentOutcome.SUCCEEDED), batch(3, frozen))
    assert (failed.is_paid, paid.is_paid) == (False, True)
    assert arrivals == ["advance", "advance", "stale"]


def test_each_stage_of_a_payment_counts_once() -> None:
    stages = [at(minute, PaymentStageSucceeded(**FACT)) for minute in (1, 2)]
    again = replace(stages[0], id="again.0")
    state, arrivals = folded(*stages, again)
    assert (len(state.stages), arrivals[2]) == (2, "duplicate")


def test_a_payment_is_once_an_order_also_beyond_the_history() -> None:
    others = [status(minute, WORD.SHIPPED) for minute in range(MAX_HISTORY)]
    paid = PaymentSucceeded(**FACT, status=WORD.AWAITING_SHIPMENT, paid_at=NOON)
    state, arrivals = folded(at(0, paid), *others, at(99, paid))
    assert (state.is_paid, arrivals[-1], len(state.history)) == (True, "duplicate", MAX_HISTORY)


def test_a_time_far_ahead_is_that_of_the_receipt() -> None:
    strange = replace(status(1, WORD.SHIPPED), time=NOON + timedelta(days=900))
    state, arrivals = folded(strange, status(2, WORD.RECEIVED), status(3, WORD.COMPLETED))
    assert (state.status, arrivals) == (WORD.COMPLETED, ["advance"] * 3)
    assert state.times["order.status_changed"] == NOON + timedelta(minutes=3)


def test_a_state_is_bounded_whatever_comes() -> None:
    numbers = [f"YT{number:05}" for number in range(MAX_PARCELS * 3)]
    events = [
        at(n, LogisticsShipped(**FACT, parcels=(Parcel(waybill_no=number),)))
        for n, number in enumerate(numbers)
    ]
    there, _ = folded(*events)
    back, _ = folded(*reversed(events))
    assert sorted(there.parcels) == sorted(back.parcels) == numbers[:MAX_PARCELS]
    assert OrderState.from_json(there.to_json()) == there
