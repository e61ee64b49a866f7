"""What the models of events are made of: words that stay open, and what facts have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas import statuses
from schemas.facts import FactKey, at, waybill
from schemas.parts import Amounts, Parcel
from schemas.statuses import OrderStatus, open_word

Channel: TypeAlias = Annotated[statuses.Channel, BeforeValidator(open_word(statuses.Channel))]
ClosedBy: TypeAlias = Annotated[statuses.ClosedBy, BeforeValidator(open_word(statuses.ClosedBy))]
Operator: TypeAlias = Annotated[statuses.Operator, BeforeValidator(open_word(statuses.Operator))]
RefundStage: TypeAlias = Annotated[
    statuses.RefundStage, BeforeValidator(open_word(statuses.RefundStage))
]


def status_word(word: str, platform_word: str | None) -> str | None:
    """Our word; the platform's where ours is `unknown`."""
    return platform_word if word == "unknown" else str(word)


def parcel_number(parcel: Parcel) -> str | None:
    """By what a parcel is known: the waybill number, else the platform's id."""
    return waybill(parcel.waybill_no) or parcel.logistics_id


class EventData(BaseModel):
    """What every event says: the channel, and the order by the platform's id and by ours."""

    model_config = ConfigDict(frozen=True)
    event_type: ClassVar[str]

    channel: Channel = Field(description="Where the order was placed.")
    order_id: str | None = Field(
        default=None, description="The id by which the platform's query API knows the order."
    )
    order_no: str | None = Field(default=None, description="The caller's own order number.")

    def fact_key(self, time: datetime | None = None) -> FactKey:
        """What distinguishes this fact from another of its type and order; None where nothing does.

        An empty key: it happens once in an order. `time` is when the platform says that it
        happened, None where it does not. Where two facts could have one key there must be none: a
        fact that is handled twice is better than one that is lost.
        """
        del time
        return None


class OnceAnOrder(EventData):
    """A fact that happens once in an order."""

    def fact_key(self, time: datetime | None = None) -> FactKey:
        """Nothing: it happens once in an order."""
        del time
        return ()


class AtItsTime(EventData):
    """A fact that is one by the platform's time."""

    def fact_key(self, time: datetime | None = None) -> FactKey:
        """The platform's time."""
        return at(time)


class OrderFact(EventData):
    """A fact of an order, with who bought and sold."""

    buyer_id: str | None = Field(default=None, description="The buyer's member id.")
    seller_id: str | None = Field(default=None, description="The seller's member id.")


class StatusFact(OrderFact):
    """A fact that names where the order stands."""

    status: OrderStatus = Field(
        default=OrderStatus.UNKNOWN, description="Where the order stands, in our words."
    )
    platform_status: str | None = Field(default=None, description="The platform's own word.")


class PaidFact(StatusFact):
    """A fact that names what was to pay."""

    amounts: Amounts | None = Field(default=None, description="The sums of the order.")
    platform_pay_status: str | None = Field(
        default=None, description="The platform's payment code."
    )
