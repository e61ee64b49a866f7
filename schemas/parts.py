"""The parts that events are made of: sums, parcels, lines. Change them only by adding."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.statuses import OrderStatus, PaymentOutcome, Progress
from schemas.values import Money


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Amounts(_Part):
    """The sums of an order; each is null where the platform did not send it."""

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


class PaymentResult(_Part):
    """How the payment of one order in a batch ended."""

    order_id: str = Field(description="The order that was to be paid.")
    outcome: PaymentOutcome = Field(description="How it ended, in our words.")
    platform_outcome: str | None = Field(default=None, description="The platform's own word.")


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
