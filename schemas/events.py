"""The events: what Yizhan says happened, one model for each event type (design, section 3).

These models are the published contract and are stored for years: change them only by adding
optional fields. `event_type` is the middle of `ce-type`: `yizhan.<event_type>.v1`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

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

    total: Money | None = None
    goods: Money | None = None
    shipping: Money | None = None
    refunded: Money | None = None


class Parcel(_Part):
    """One parcel: the carrier's name and code, the waybill number, the platform's own id."""

    carrier: str | None = None
    carrier_code: str | None = None
    waybill_no: str | None = None
    logistics_id: str | None = None


class Line(_Part):
    """One line of an order."""

    line_id: str | None = None
    line_no: str | None = Field(default=None, description="The caller's own number of the line.")
    item_id: str | None = None
    sku_id: str | None = None
    title: str | None = None
    quantity: int | None = None
    status: OrderStatus = OrderStatus.UNKNOWN
    platform_status: str | None = None
    refund_id: str | None = None
    platform_refund_status: str | None = None
    price: Money | None = Field(default=None, description="Price of one piece.")
    amounts: Amounts | None = None
    parcels: tuple[Parcel, ...] = ()


class EventData(BaseModel):
    """What every event says: the channel, and the order by the platform's id and by ours."""

    model_config = ConfigDict(frozen=True)
    event_type: ClassVar[str]

    channel: Channel
    order_id: str | None = Field(
        default=None, description="The id by which the platform's query API knows the order."
    )
    order_no: str | None = Field(default=None, description="The caller's own order number.")


class _OrderFact(EventData):
    buyer_id: str | None = Field(default=None, description="The buyer's member id.")
    seller_id: str | None = Field(default=None, description="The seller's member id.")


class _StatusFact(_OrderFact):
    status: OrderStatus = OrderStatus.UNKNOWN
    platform_status: str | None = Field(default=None, description="The platform's own word.")


class _PaidFact(_StatusFact):
    amounts: Amounts | None = None
    platform_pay_status: str | None = Field(
        default=None, description="The platform's payment code."
    )


class OrderCreated(_PaidFact):
    """An order was placed."""

    event_type: ClassVar[str] = "order.created"
    created_at: datetime | None = None


class OrderPriceChanged(_PaidFact):
    """The price of an order changed; the amounts are the new ones, where the platform tells."""

    event_type: ClassVar[str] = "order.price_changed"
    lines: tuple[Line, ...] = ()


class OrderStatusChanged(_StatusFact):
    """An order, or a line of it, moved to another status."""

    event_type: ClassVar[str] = "order.status_changed"
    amounts: Amounts | None = None
    lines: tuple[Line, ...] = ()
    reason: str | None = Field(default=None, description="Why it closed or failed, if told.")


class OrderClosed(_PaidFact):
    """An order was closed before its completion."""

    event_type: ClassVar[str] = "order.closed"
    closed_by: ClosedBy = "unknown"
    reason: str | None = None


class OrderReceiptConfirmed(_StatusFact):
    """The buyer confirmed receipt of all or some goods."""

    event_type: ClassVar[str] = "order.receipt_confirmed"


class OrderCompleted(_StatusFact):
    """The trade is complete."""

    event_type: ClassVar[str] = "order.completed"


class PaymentSucceeded(_PaidFact):
    """An order was paid."""

    event_type: ClassVar[str] = "payment.succeeded"
    paid_at: datetime | None = None


class PaymentStageSucceeded(_StatusFact):
    """One stage of a payment in stages was paid."""

    event_type: ClassVar[str] = "payment.stage_succeeded"


class PaymentResult(_Part):
    """How the payment of one order in a batch ended."""

    order_id: str
    outcome: PaymentOutcome
    platform_outcome: str | None = None


class PaymentBatchSettled(EventData):
    """A batch payment ended; one event for each order in it, `results` holding that order's."""

    event_type: ClassVar[str] = "payment.batch_settled"
    results: tuple[PaymentResult, ...] = ()


class _ShippedFact(_StatusFact):
    parcels: tuple[Parcel, ...] = ()
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
    parcel: Parcel = Parcel()
    progress: Progress = Progress.UNKNOWN
    platform_progress: str | None = None
    changed_at: datetime | None = None
    line_ids: tuple[str, ...] = ()


class LogisticsWaybillChanged(EventData):
    """A parcel travels under another waybill number now."""

    event_type: ClassVar[str] = "logistics.waybill_changed"
    old: Parcel = Parcel()
    new: Parcel = Parcel()
    changed_at: datetime | None = None
    line_ids: tuple[str, ...] = ()


class LogisticsPackageChanged(EventData):
    """A cross-border package was created or changed; one event for each order in it."""

    event_type: ClassVar[str] = "logistics.package_changed"
    package_id: str | None = None
    buyer_id: str | None = None
    stage: str | None = None
    parcel: Parcel = Parcel()
    transport_status: str | None = None
    warehouse_status: str | None = None
    changed_at: datetime | None = None


class AftersalesRefundUpdated(_OrderFact):
    """A refund case was opened or moved."""

    event_type: ClassVar[str] = "aftersales.refund_updated"
    refund_id: str | None = None
    status: RefundStatus = RefundStatus.UNKNOWN
    platform_status: str | None = None
    stage: RefundStage = "unknown"
    action: str | None = Field(default=None, description="The platform's word for what was done.")
    operator: Operator = "unknown"
    amount: Money | None = None
    line_ids: tuple[str, ...] = ()


class OrderSynced(_PaidFact):
    """The order as the platform's API tells it; made by a handler."""

    event_type: ClassVar[str] = "order.synced"
    created_at: datetime | None = None
    paid_at: datetime | None = None
    lines: tuple[Line, ...] = ()


class TraceStep(_Part):
    """One step of a parcel's way."""

    time: datetime | None = None
    action: str | None = None
    description: str | None = None
    place: str | None = None


class Trace(_Part):
    """A parcel and its way so far, in the platform's order."""

    parcel: Parcel
    progress: Progress = Progress.UNKNOWN
    steps: tuple[TraceStep, ...] = ()


class LogisticsTracked(EventData):
    """The tracking as the platform's API tells it; made by a handler."""

    event_type: ClassVar[str] = "logistics.tracked"
    traces: tuple[Trace, ...] = ()


class AftersalesSynced(_OrderFact):
    """The refund case as the platform's API tells it; made by a handler."""

    event_type: ClassVar[str] = "aftersales.synced"
    refund_id: str | None = None
    status: RefundStatus = RefundStatus.UNKNOWN
    platform_status: str | None = None
    amount: Money | None = None
    reason: str | None = None


class UnknownReceived(EventData):
    """A verified callback of a type we do not know; whole numbers beyond 2^53 are text."""

    event_type: ClassVar[str] = "unknown.received"
    message_type: str | None = None
    body: Any = None


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
