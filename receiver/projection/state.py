"""The state of one order: what its events say together. Plain data, no I/O.

Every part merges so that neither the order of the events nor a repetition of one matters: the
newest or the earliest by the platform's time, or a union. Only `history`, `events` and `seq` depend
on how they came in. All of it is bounded: an order of 10,000 events has a state of some kilobytes.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict

from schemas.event_base import Channel, RefundStage
from schemas.parts import Amounts
from schemas.statuses import OrderStatus, PaymentOutcome, Progress, RefundStatus
from schemas.values import Money

Arrival = Literal["advance", "stale", "conflict", "duplicate"]
"""What an event was to its order when it came in (docs/handlers.md#order-state)."""

MAX_HISTORY: Final = 64
MAX_PARCELS: Final = 64
MAX_REFUNDS: Final = 64
MAX_STAGES: Final = 16
_DIGEST_CHARS: Final = 16


class Claim(NamedTuple):
    """When an event last said something, and the platform's word for it."""

    time: AwareDatetime
    word: str | None = None


class Sum(NamedTuple):
    """An amount, and when it was said."""

    time: AwareDatetime
    money: Money


class Past(NamedTuple):
    """One event of the history: its sequence in the stream, the first 16 hex digits of the SHA-256
    of its id and of its fact id, and what it was to the order."""

    seq: int
    event: str
    fact: str
    arrival: Arrival


class _Stated(BaseModel):
    model_config = ConfigDict(frozen=True)


class Snapshot(_Stated):
    """Where the order stood when the platform's API was asked."""

    time: AwareDatetime
    status: OrderStatus
    word: str | None = None


class Move(NamedTuple):
    """What last happened to a parcel, and when."""

    time: AwareDatetime
    progress: Progress
    word: str | None = None


class ParcelState(_Stated):
    """One parcel: who carries it, when it was reported as shipped, what last happened to it.

    `replaced` is when its waybill number was changed and into which, `named` when it became the
    number in another's place.
    """

    carrier: str | None = None
    carrier_code: str | None = None
    waybill_no: str | None = None
    logistics_id: str | None = None
    shipped_at: AwareDatetime | None = None
    moved: Move | None = None
    replaced: Claim | None = None
    named: AwareDatetime | None = None

    @property
    def replaced_by(self) -> str | None:
        """The waybill number under which it travels now; None where that is this one."""
        if self.replaced is None or (self.named and self.named > self.replaced.time):
            return None
        return self.replaced.word

    @property
    def progress(self) -> Progress:
        """What last happened to it."""
        return self.moved.progress if self.moved else Progress.UNKNOWN


class CaseStep(NamedTuple):
    """Where a refund case stood at a time."""

    time: AwareDatetime
    status: RefundStatus
    word: str | None = None


class RefundState(_Stated):
    """One refund case: the newest that was pushed, the newest that the API said, the amount."""

    stage: RefundStage = "unknown"
    pushed: CaseStep | None = None
    synced: CaseStep | None = None
    sum: Sum | None = None

    @property
    def _newest(self) -> CaseStep | None:
        steps = [step for step in (self.pushed, self.synced) if step]
        return max(steps, key=lambda step: step.time, default=None)

    @property
    def status(self) -> RefundStatus:
        """Where the case stands, in our words."""
        return self._newest.status if self._newest else RefundStatus.UNKNOWN

    @property
    def platform_status(self) -> str | None:
        """The platform's own word."""
        return self._newest.word if self._newest else None

    @property
    def amount(self) -> Money | None:
        """What is to be paid back."""
        return self.sum.money if self.sum else None


class OrderState(_Stated):
    """What is known of one order.

    `status` and `platform_status` follow from `claims` (when each status was last said) and
    `snapshot` (the newest that the API said), see `receiver/projection/status.py`. `parcels` are by
    waybill number (white space removed, upper case; else `id:` and the platform's id), `refunds` by
    the id of the case, `stages` (payments of one stage each) by fact id, `times` the newest time of
    each event type. `seq` is the stream sequence of the last event that was folded, `events` how
    many were. `history` are the last 64, the newest last.
    """

    channel: Channel
    order_id: str
    order_no: str | None = None
    status: OrderStatus = OrderStatus.UNKNOWN
    platform_status: str | None = None
    created_at: AwareDatetime | None = None
    paid_at: AwareDatetime | None = None
    batch: tuple[AwareDatetime, PaymentOutcome] | None = None
    sums: dict[str, Sum] = {}
    stages: dict[str, AwareDatetime] = {}
    parcels: dict[str, ParcelState] = {}
    refunds: dict[str, RefundState] = {}
    claims: dict[OrderStatus, Claim] = {}
    snapshot: Snapshot | None = None
    times: dict[str, AwareDatetime] = {}
    history: tuple[Past, ...] = ()
    events: int = 0
    seq: int = 0

    @property
    def amounts(self) -> Amounts:
        """The sums of the order, each the newest that was said."""
        return Amounts(**{name: given.money for name, given in self.sums.items()})

    @property
    def is_paid(self) -> bool:
        """Whether a payment of the whole order succeeded, or the API knows when it was paid."""
        paid = self.batch is not None and self.batch[1] is PaymentOutcome.SUCCEEDED
        return paid or self.paid_at is not None or "payment.succeeded" in self.times

    def arrival_of(self, event_id: str) -> Arrival | None:
        """What an event was when it came in; None where it is not among the last 64."""
        digest = digest_of(event_id)
        return next((past.arrival for past in reversed(self.history) if past.event == digest), None)

    def content(self) -> OrderState:
        """The same without what depends on the order in which the events came in."""
        return self.model_copy(update={"history": (), "events": 0, "seq": 0})

    def to_json(self) -> bytes:
        """Without what is not known; the same state is the same bytes."""
        return self.__pydantic_serializer__.to_json(self, exclude_defaults=True)

    @classmethod
    def from_json(cls, text: bytes) -> OrderState:
        """The state that `to_json` gave; raises `pydantic.ValidationError`."""
        return cls.model_validate_json(text)


def digest_of(event_id: str) -> str:
    """By what the history knows an event."""
    return hashlib.sha256(event_id.encode(errors="replace")).hexdigest()[:_DIGEST_CHARS]


def empty(channel: Channel, order_id: str) -> OrderState:
    """The state of an order of which no event was folded yet."""
    return OrderState(channel=channel, order_id=order_id)
