"""The events: what Yizhan says happened, one model for each event type (design, section 3).

These models are the published contract and are stored for years: change them only by adding
optional fields. `event_type` is the middle of `ce-type`: `yizhan.<event_type>.v1`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.statuses import (
    Channel,
    ClosedBy,
    Operator,
    OrderStatus,
    PaymentOutcome,
    Progress,
    RefundStage,
    RefundStatus,
)
from schemas.values import Money


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Amounts(_Part):
    """The sums of an order; each is null where the platform did not tell it."""

    total: Money | None = Field(default=None, description="What the buyer pays.")
    goods: Money | None = Field(default=None, description="The goods alone.")
    shipping: Money | None = Field(default=None, description="The freight.")
    refunded: Money | None = Field(default=None, description="What was paid back.")


class Parcel(_Part):
    """One parcel: the carrier's name and code, the waybill number, the platform's own id."""

    carrier: str | None = Field(default=None, description="The carrier's name.")
    carrier_code: str | None = Field(
        default=None, description="The platform's code of the carrier."
    )
    waybill_no: str | None = Field(default=None, description="The carrier's number of the parcel.")
    logistics_id: str | None = Field(
        default=None, description="The platform's own id of the parcel."
    )


class Line(_Part):
    """One line of an order."""

    line_id: str | None = Field(default=None, description="The platform's id of the line.")
    line_no: str | None = Field(default=None, description="The caller's own number of the line.")
    item_id: str | None = Field(default=None, description="The platform's id of the listing.")
    sku_id: str | None = Field(default=None, description="The platform's id of the variant.")
    title: str | None = Field(default=None, description="The listing's title.")
    quantity: int | None = Field(default=None, description="How many pieces.")
    status: OrderStatus = Field(
        default=OrderStatus.UNKNOWN,
        description="Where the line stands; it may be ahead of the order.",
    )
    platform_status: str | None = Field(default=None, description="The platform's own word.")
    refund_id: str | None = Field(default=None, description="The refund case of the line.")
    platform_refund_status: str | None = Field(
        default=None, description="The platform's own word for the refund."
    )
    price: Money | None = Field(default=None, description="Price of one piece.")
    amounts: Amounts | None = Field(default=None, description="The sums of the line.")
    parcels: tuple[Parcel, ...] = Field(default=(), description="The parcels the line travels in.")


class EventData(BaseModel):
    """What every event says: the channel, and the order by the platform's id and by ours."""

    model_config = ConfigDict(frozen=True)
    event_type: ClassVar[str]

    channel: Channel = Field(description="Where the order was placed.")
    order_id: str | None = Field(
        default=None, description="The id by which the platform's query API knows the order."
    )
    order_no: str | None = Field(default=None, description="The caller's own order number.")


class _OrderFact(EventData):
    buyer_id: str | None = Field(default=None, description="The buyer's member id.")
    seller_id: str | None = Field(default=None, description="The seller's member id.")


class _StatusFact(_OrderFact):
    status: OrderStatus = Field(
        default=OrderStatus.UNKNOWN, description="Where the order stands, in our words."
    )
    platform_status: str | None = Field(default=None, description="The platform's own word.")


class _PaidFact(_StatusFact):
    amounts: Amounts | None = Field(default=None, description="The sums of the order.")
    platform_pay_status: str | None = Field(
        default=None, description="The platform's payment code."
    )


class OrderCreated(_PaidFact):
    """An order was placed."""

    event_type: ClassVar[str] = "order.created"
    created_at: AwareDatetime | None = Field(default=None, description="When it was placed.")


class OrderPriceChanged(_PaidFact):
    """The price of an order changed; the amounts are the new ones, where the platform tells."""

    event_type: ClassVar[str] = "order.price_changed"
    lines: tuple[Line, ...] = Field(
        default=(), description="The lines with their prices, where told."
    )


class OrderStatusChanged(_StatusFact):
    """An order, or a line of it, moved to another status."""

    event_type: ClassVar[str] = "order.status_changed"
    amounts: Amounts | None = Field(default=None, description="The sums of the order.")
    lines: tuple[Line, ...] = Field(default=(), description="The lines, each with its own status.")
    reason: str | None = Field(default=None, description="Why it closed or failed, if told.")


class OrderClosed(_PaidFact):
    """An order was closed before its completion."""

    event_type: ClassVar[str] = "order.closed"
    closed_by: ClosedBy = Field(default="unknown", description="Who closed it.")
    reason: str | None = Field(default=None, description="Why, in the platform's words.")


class OrderReceiptConfirmed(_StatusFact):
    """The buyer confirmed receipt of all or some goods."""

    event_type: ClassVar[str] = "order.receipt_confirmed"


class OrderCompleted(_StatusFact):
    """The trade is complete."""

    event_type: ClassVar[str] = "order.completed"


class PaymentSucceeded(_PaidFact):
    """An order was paid."""

    event_type: ClassVar[str] = "payment.succeeded"
    paid_at: AwareDatetime | None = Field(default=None, description="When it was paid.")


class PaymentStageSucceeded(_StatusFact):
    """One stage of a payment in stages was paid."""

    event_type: ClassVar[str] = "payment.stage_succeeded"


class PaymentResult(_Part):
    """How the payment of one order in a batch ended."""

    order_id: str = Field(description="The order that was to be paid.")
    outcome: PaymentOutcome = Field(description="How it ended, in our words.")
    platform_outcome: str | None = Field(default=None, description="The platform's own word.")


class PaymentBatchSettled(EventData):
    """A batch payment ended; one event for each order in it, `results` holding that order's."""

    event_type: ClassVar[str] = "payment.batch_settled"
    results: tuple[PaymentResult, ...] = Field(
        default=(), description="The result of this event's order."
    )


class _ShippedFact(_StatusFact):
    parcels: tuple[Parcel, ...] = Field(default=(), description="The parcels that left.")
    lines: tuple[Line, ...] = Field(default=(), description="The shipped lines, where told.")


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


class LogisticsWaybillChanged(EventData):
    """A parcel travels under another waybill number now."""

    event_type: ClassVar[str] = "logistics.waybill_changed"
    old: Parcel = Field(default=Parcel(), description="The parcel as it was known.")
    new: Parcel = Field(default=Parcel(), description="The parcel as it is known now.")
    changed_at: AwareDatetime | None = Field(default=None, description="When it changed.")
    line_ids: tuple[str, ...] = Field(
        default=(), description="The lines of the order that it holds."
    )


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


class AftersalesRefundUpdated(_OrderFact):
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


class OrderSynced(_PaidFact):
    """The order as the platform's API tells it; made by a handler."""

    event_type: ClassVar[str] = "order.synced"
    created_at: AwareDatetime | None = Field(default=None, description="When it was placed.")
    paid_at: AwareDatetime | None = Field(default=None, description="When it was paid.")
    lines: tuple[Line, ...] = Field(default=(), description="Every line of the order.")


class TraceStep(_Part):
    """One step of a parcel's way."""

    time: AwareDatetime | None = Field(default=None, description="When it happened.")
    action: str | None = Field(default=None, description="The platform's word for it.")
    description: str | None = Field(default=None, description="The carrier's text.")
    place: str | None = Field(default=None, description="Where it happened.")


class Trace(_Part):
    """A parcel and its way so far, in the platform's order."""

    parcel: Parcel = Field(description="The parcel.")
    progress: Progress = Field(
        default=Progress.UNKNOWN, description="Where it stands, in our words."
    )
    steps: tuple[TraceStep, ...] = Field(default=(), description="Its way so far.")


class LogisticsTracked(EventData):
    """The tracking as the platform's API tells it; made by a handler."""

    event_type: ClassVar[str] = "logistics.tracked"
    traces: tuple[Trace, ...] = Field(default=(), description="Every parcel of the order.")


class AftersalesSynced(_OrderFact):
    """The refund case as the platform's API tells it; made by a handler."""

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
