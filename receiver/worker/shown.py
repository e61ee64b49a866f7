"""What the platform's API shows of an event. Performs no I/O.

Statuses are compared in our words: what was at a status is there, or beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from schemas.events import (
    AftersalesRefundUpdated,
    EventData,
    LogisticsPartlyShipped,
    LogisticsProgressed,
    LogisticsShipped,
    LogisticsWaybillChanged,
    OrderClosed,
    OrderCompleted,
    OrderPriceChanged,
    OrderReceiptConfirmed,
    OrderStatusChanged,
    Parcel,
    PaymentBatchSettled,
    PaymentStageSucceeded,
    PaymentSucceeded,
)
from schemas.statuses import OrderStatus, PaymentOutcome, PaymentStatus, Progress, RefundStatus
from schemas.values import Money

_STATUSES: Final = (
    OrderStatus.PENDING,
    OrderStatus.AWAITING_PAYMENT,
    OrderStatus.AWAITING_SHIPMENT,
    OrderStatus.PARTLY_SHIPPED,
    OrderStatus.SHIPPED,
    OrderStatus.RECEIVED,
    OrderStatus.COMPLETED,
)
"""In the order in which an order takes them; it may be closed from any."""
_RANKS: Final = MappingProxyType({status: rank for rank, status in enumerate(_STATUSES)})
_PAID_STAGES: Final = frozenset(
    {PaymentStatus.PAID, PaymentStatus.RECEIVED, PaymentStatus.REFUNDED}
)
_AFTER: Final[Mapping[RefundStatus, frozenset[RefundStatus]]] = MappingProxyType(
    {
        RefundStatus.APPLIED: frozenset(RefundStatus) - {RefundStatus.NONE, RefundStatus.UNKNOWN},
        RefundStatus.AGREED: frozenset(
            {RefundStatus.AGREED, RefundStatus.RETURNED, RefundStatus.REFUNDED}
        ),
        RefundStatus.RETURNED: frozenset({RefundStatus.RETURNED, RefundStatus.REFUNDED}),
        RefundStatus.REFUNDED: frozenset({RefundStatus.REFUNDED}),
        RefundStatus.REFUSED: frozenset({RefundStatus.REFUSED}),
        RefundStatus.CLOSED: frozenset({RefundStatus.CLOSED}),
    }
)
"""What a case may stand at that was at a status; of a refusal nothing later shows it."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the API shows it; `word` is the platform's for its status, `totals` what it
    costs, `lines` the status of each line.
    """

    status: OrderStatus
    word: str | None
    paid: bool
    totals: Sequence[Money] = ()
    lines: Sequence[tuple[str | None, OrderStatus]] = ()
    stages: Sequence[PaymentStatus] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A refund case as the API shows it."""

    status: RefundStatus
    word: str | None
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Parcels:
    """The parcels of an order as the API shows them: the numbers of each, and what befell it."""

    seen: Sequence[tuple[frozenset[str], frozenset[Progress]]]

    def of(self, parcel: Parcel) -> Sequence[frozenset[Progress]]:
        """What befell the parcels that have one of its numbers."""
        numbers = {parcel.waybill_no, parcel.logistics_id} - {None}
        return [progress for known, progress in self.seen if known & numbers]


def exists(_: EventData, order: Order) -> bool:
    """It was made."""
    return True


def is_priced(data: OrderPriceChanged, order: Order) -> bool:
    """It costs what the event says."""
    total = data.amounts.total if data.amounts else None
    return total is not None and total in order.totals


def has_status(data: OrderStatusChanged, order: Order) -> bool:
    """By the order's status; where the event names none, by those of its lines."""
    if data.status is not OrderStatus.UNKNOWN:
        return _reached(order, data.status)
    if data.platform_status is not None:
        return data.platform_status == order.word
    lines = [line for line in data.lines if line.status is not OrderStatus.UNKNOWN]
    shown = dict(order.lines)
    return bool(lines) and all(
        _is_at(shown.get(line.line_id, OrderStatus.UNKNOWN), line.status) for line in lines
    )


def is_closed(_: OrderClosed, order: Order) -> bool:
    """It is closed."""
    return order.status is OrderStatus.CLOSED


def is_received(_: OrderReceiptConfirmed, order: Order) -> bool:
    """The goods of a line, at least, were received."""
    return _partly(order, OrderStatus.RECEIVED)


def is_completed(_: OrderCompleted, order: Order) -> bool:
    """It is complete."""
    return _reached(order, OrderStatus.COMPLETED)


def is_paid(_: PaymentSucceeded, order: Order) -> bool:
    """It was paid."""
    return _reached(order, OrderStatus.AWAITING_SHIPMENT)


def is_stage_paid(_: PaymentStageSucceeded, order: Order) -> bool:
    """A stage of it, at least, was paid."""
    return _reached(order, OrderStatus.AWAITING_SHIPMENT) or any(
        stage in _PAID_STAGES for stage in order.stages
    )


def is_batch_paid(data: PaymentBatchSettled, order: Order) -> bool:
    """A success alone: that an order is not paid shows no failure."""
    outcomes = {result.outcome for result in data.results}
    return outcomes == {PaymentOutcome.SUCCEEDED} and _reached(order, OrderStatus.AWAITING_SHIPMENT)


def is_shipped(_: LogisticsShipped, order: Order) -> bool:
    """All of it was sent."""
    return _reached(order, OrderStatus.SHIPPED)


def is_partly_shipped(_: LogisticsPartlyShipped, order: Order) -> bool:
    """A line of it, at least, was sent."""
    return _reached(order, OrderStatus.PARTLY_SHIPPED) or _partly(order, OrderStatus.SHIPPED)


def has_refund_status(data: AftersalesRefundUpdated, case: Case) -> bool:
    """The case is of the order, and stands where the event says, or beyond. A message that names no
    status says of a case that there is one (docs/platform/messages.md#messages-of-a-ka-account).
    """
    if None not in {data.order_id, case.order_id} and data.order_id != case.order_id:
        return False
    if data.status in _AFTER:
        return case.status in _AFTER[data.status]
    return data.platform_status in {None, case.word}


def has_moved(data: LogisticsProgressed, parcels: Parcels) -> bool:
    """It befell a parcel of the order."""
    known = data.progress is not Progress.UNKNOWN
    return known and any(data.progress in progress for progress in parcels.of(data.parcel))


def has_waybill(data: LogisticsWaybillChanged, parcels: Parcels) -> bool:
    """A parcel of the order has the new number."""
    new = Parcel(waybill_no=data.new.waybill_no)  # the platform's own id stays what it was
    return bool(parcels.of(new))


def _reached(order: Order, status: OrderStatus) -> bool:
    """Whether an order is, or was, at a status, as far as it shows that."""
    if order.status is not OrderStatus.CLOSED:
        return _is_at(order.status, status)
    if status is OrderStatus.AWAITING_SHIPMENT:
        return order.paid
    return status in {OrderStatus.CLOSED, OrderStatus.PENDING, OrderStatus.AWAITING_PAYMENT}


def _partly(order: Order, status: OrderStatus) -> bool:
    return _reached(order, status) or any(_is_at(line, status) for _, line in order.lines)


def _is_at(now: OrderStatus, status: OrderStatus) -> bool:
    if status not in _RANKS:
        return now is status and now is not OrderStatus.UNKNOWN
    return _RANKS.get(now, -1) >= _RANKS[status]
