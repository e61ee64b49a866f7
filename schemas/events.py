"""The events: what Yizhan says happened, one model for each event type (docs/events.md).

These models are the published contract and are stored for years: change them only by adding
optional fields. `event_type` is the middle of `ce-type`: `yizhan.<event_type>.v1`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import AwareDatetime, Field

from schemas.event_base import (
    AtItsTime,
    Channel,
    ClosedBy,
    EventData,
    OnceAnOrder,
    Operator,
    OrderFact,
    PaidFact,
    RefundStage,
    StatusFact,
    parcel_number,
    status_word,
)
from schemas.facts import FactKey, at, parts, waybills
from schemas.parts import Amounts, Line, Parcel, PaymentResult, Trace, TraceStep
from schemas.statuses import PaymentOutcome, Progress, RefundStatus
from schemas.values import Money

__all__ = [
    "EVENT_MODELS",
    "MODEL_OF_TYPE",
    "AftersalesRefundUpdated",
    "AftersalesSynced",
    "Amounts",
    "Channel",
    "ClosedBy",
    "EventData",
    "Line",
    "LogisticsPackageChanged",
    "LogisticsPartlyShipped",
    "LogisticsProgressed",
    "LogisticsShipped",
    "LogisticsTracked",
    "LogisticsWaybillChanged",
    "Operator",
    "OrderClosed",
    "OrderCompleted",
    "OrderCreated",
    "OrderPriceChanged",
    "OrderReceiptConfirmed",
    "OrderStatusChanged",
    "OrderSynced",
    "Parcel",
    "PaymentBatchSettled",
    "PaymentResult",
    "PaymentStageSucceeded",
    "PaymentSucceeded",
    "RefundStage",
    "Trace",
    "TraceStep",
    "UnknownReceived",
]
"""The models and their parts: authors of handlers need both."""


class OrderCreated(PaidFact, OnceAnOrder):
    """An order was placed."""

    event_type: ClassVar[str] = "order.created"
    created_at: AwareDatetime | None = Field(default=None, description="When it was placed.")


class OrderPriceChanged(PaidFact):
    """The price of an order changed; the amounts are the new ones, where sent."""

    event_type: ClassVar[str] = "order.price_changed"
    lines: tuple[Line, ...] = Field(
        default=(), description="The lines with their prices, where sent."
    )

    def fact_key(self, time: datetime | None = None) -> FactKey:
        """The platform's time, and the new total where it is known."""
        total = self.amounts and self.amounts.total
        return at(time, total=f"{total.amount} {total.currency}" if total else None)


class OrderStatusChanged(StatusFact):
    """An order, or a line of it, moved to another status."""

    event_type: ClassVar[str] = "order.status_changed"
    amounts: Amounts | None = Field(default=None, description="The sums of the order.")
    lines: tuple[Line, ...] = Field(default=(), description="The lines, each with its own status.")
    reason: str | None = Field(default=None, description="Why it closed or failed, if sent.")

    def fact_key(self, time: datetime | None = None) -> FactKey:
        """The platform's time, and the status."""
        return at(time, status=status_word(self.status, self.platform_status))


class OrderClosed(PaidFact, OnceAnOrder):
    """An order was closed before its completion."""

    event_type: ClassVar[str] = "order.closed"
    closed_by: ClosedBy = Field(default="unknown", description="Who closed it.")
    reason: str | None = Field(default=None, description="Why, in the platform's words.")


class OrderReceiptConfirmed(StatusFact, AtItsTime):
    """The buyer confirmed receipt of all or some goods."""

    event_type: ClassVar[str] = "order.receipt_confirmed"


class OrderCompleted(StatusFact, OnceAnOrder):
    """The trade is complete."""

    event_type: ClassVar[str] = "order.completed"


class PaymentSucceeded(PaidFact, OnceAnOrder):
    """An order was paid."""

    event_type: ClassVar[str] = "payment.succeeded"
    paid_at: AwareDatetime | None = Field(default=None, description="When it was paid.")


class PaymentStageSucceeded(StatusFact, AtItsTime):
    """One stage of a payment in stages was paid."""

    event_type: ClassVar[str] = "payment.stage_succeeded"


class PaymentBatchSettled(EventData):
    """A batch payment ended; one event for each order in it, `results` holding that order's."""

    event_type: ClassVar[str] = "payment.batch_settled"
    results: tuple[PaymentResult, ...] = Field(
        default=(), description="The result of this event's order."
    )

    def fact_key(self, time: datetime | None = None) -> FactKey:
        """The success, which happens once; else the platform's time, and the outcome."""
        outcomes = [status_word(part.outcome, part.platform_outcome) for part in self.results]
        if outcomes == [PaymentOutcome.SUCCEEDED]:
            return parts(outcome=outcomes[0])
        return at(time, outcome=",".join(filter(None, outcomes)))


class _ShippedFact(StatusFact):
    parcels: tuple[Parcel, ...] = Field(default=(), description="The parcels that left.")
    lines: tuple[Line, ...] = Field(default=(), description="The shipped lines, where sent.")

    def fact_key(self, time: datetime | None = None) -> FactKey:
        """The waybill numbers; else the platform's time."""
        return waybills(parcel.waybill_no for parcel in self.parcels) or at(time)


class LogisticsShipped(_ShippedFact):
    """The goods left; `parcels` is empty where the platform did not name them."""

    event_type: ClassVar[str] = "logistics.shipped"


class LogisticsPartlyShipped(_ShippedFact):
    """Some of the goods left; `parcels` is empty where the platform did not name them."""

    event_type: ClassVar[str] = "logistics.partly_shipped"


class LogisticsProgressed(EventData):
    """A parcel moved on."""

    event_type: ClassVar[str] = "logistics.progressed"
    parcel: Parcel = Field(default=Parcel(), description="The parcel that moved.")
    progress: Progress = Field(
        default=Progress.UNKNOWN, description="What happened to it, in our words."
    )
    platform_progress: str | None = Field(default=None, description="The platform's own word.")
    changed_at: AwareDatetime | None = Field(default=None, description="When it happened.")
    line_ids: tuple[str, ...] = Field(
        default=(), description="The lines of the order that it holds."
    )

    def fact_key(self, time: datetime | None = None) -> FactKey:
        """The platform's time, the parcel, and what happened to it."""
        word = status_word(self.progress, self.platform_progress)
        return at(self.changed_at or time, parcel=parcel_number(self.parcel), progress=word)


class LogisticsWaybillChanged(EventData):
    """A parcel travels under another waybill number now."""

    event_type: ClassVar[str] = "logistics.waybill_changed"
    old: Parcel = Field(default=Parcel(), description="The parcel as it was known.")
    new: Parcel = Field(default=Parcel(), description="The parcel as it is known now.")
    changed_at: AwareDatetime | None = Field(default=None, description="When it changed.")
    line_ids: tuple[str, ...] = Field(
        default=(), description="The lines of the order that it holds."
    )

    def fact_key(self, time: datetime | None = None) -> FactKey:
        """The platform's time, the old parcel and the new one."""
        return at(self.changed_at or time, old=parcel_number(self.old), new=parcel_number(self.new))


class LogisticsPackageChanged(EventData):
    """A cross-border package was created or changed; one event for each order in it."""

    event_type: ClassVar[str] = "logistics.package_changed"
    package_id: str | None = Field(default=None, description="The platform's id of the package.")
    buyer_id: str | None = Field(default=None, description="The buyer's user id.")
    stage: str | None = Field(default=None, description="The platform's word for the stage.")
    parcel: Parcel = Field(default=Parcel(), description="The carrier and the waybill.")
    transport_status: str | None = Field(
        default=None, description="The platform's word for the transport."
    )
    warehouse_status: str | None = Field(
        default=None, description="The platform's word for the warehouse."
    )
    changed_at: AwareDatetime | None = Field(default=None, description="When it happened.")

    def fact_key(self, time: datetime | None = None) -> FactKey:
        """The platform's time, the package and its states."""
        return at(
            self.changed_at or time,
            package=self.package_id,
            stage=self.stage,
            transport=self.transport_status,
            warehouse=self.warehouse_status,
        )


class AftersalesRefundUpdated(OrderFact):
    """A refund case was opened or moved."""

    event_type: ClassVar[str] = "aftersales.refund_updated"
    refund_id: str | None = Field(default=None, description="The platform's id of the case.")
    status: RefundStatus = Field(
        default=RefundStatus.UNKNOWN, description="Where the case stands, in our words."
    )
    platform_status: str | None = Field(default=None, description="The platform's own word.")
    stage: RefundStage = Field(
        default="unknown", description="Before or after the completion of the trade."
    )
    action: str | None = Field(default=None, description="The platform's word for what was done.")
    operator: Operator = Field(default="unknown", description="Who did it.")
    amount: Money | None = Field(default=None, description="What is to be paid back.")
    line_ids: tuple[str, ...] = Field(default=(), description="The lines the case is about.")

    def fact_key(self, time: datetime | None = None) -> FactKey:
        """The platform's time, the refund case and its status."""
        return at(
            time, refund=self.refund_id, status=status_word(self.status, self.platform_status)
        )


class OrderSynced(PaidFact):
    """The order as the platform's API returns it; made by a handler."""

    event_type: ClassVar[str] = "order.synced"
    created_at: AwareDatetime | None = Field(default=None, description="When it was placed.")
    paid_at: AwareDatetime | None = Field(default=None, description="When it was paid.")
    lines: tuple[Line, ...] = Field(default=(), description="Every line of the order.")


class LogisticsTracked(EventData):
    """The tracking as the platform's API returns it; made by a handler."""

    event_type: ClassVar[str] = "logistics.tracked"
    traces: tuple[Trace, ...] = Field(default=(), description="Every parcel of the order.")


class AftersalesSynced(OrderFact):
    """The refund case as the platform's API returns it; made by a handler."""

    event_type: ClassVar[str] = "aftersales.synced"
    refund_id: str | None = Field(default=None, description="The platform's id of the case.")
    status: RefundStatus = Field(
        default=RefundStatus.UNKNOWN, description="Where the case stands, in our words."
    )
    platform_status: str | None = Field(default=None, description="The platform's own word.")
    amount: Money | None = Field(default=None, description="What is to be paid back.")
    reason: str | None = Field(default=None, description="Why, in the platform's words.")


class UnknownReceived(EventData):
    """A verified callback of a type we do not know; whole numbers beyond 2^53 are text."""

    event_type: ClassVar[str] = "unknown.received"
    message_type: str | None = Field(
        default=None, description="The platform's name of the message."
    )
    body: Any = Field(default=None, description="The message as it came.")


EVENT_MODELS: tuple[type[EventData], ...] = (
    OrderCreated,
    OrderPriceChanged,
    OrderStatusChanged,
    OrderClosed,
    OrderReceiptConfirmed,
    OrderCompleted,
    PaymentSucceeded,
    PaymentStageSucceeded,
    PaymentBatchSettled,
    LogisticsShipped,
    LogisticsPartlyShipped,
    LogisticsProgressed,
    LogisticsWaybillChanged,
    LogisticsPackageChanged,
    AftersalesRefundUpdated,
    OrderSynced,
    LogisticsTracked,
    AftersalesSynced,
    UnknownReceived,
)
"""Every event type, in the order of the catalogue."""

MODEL_OF_TYPE: dict[str, type[EventData]] = {model.event_type: model for model in EVENT_MODELS}
"""From `order.created` to its model."""
