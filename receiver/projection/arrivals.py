"""What an event was to its order when it came in (docs/handlers.md#order-state). Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from receiver.event import Event
from receiver.facts import own_fact_id
from receiver.projection.parts import key_of
from receiver.projection.state import Arrival, OrderState
from receiver.projection.status import RANK, contradicted_at, counts, said_by
from schemas.event_base import OnceAnOrder
from schemas.events import (
    AftersalesRefundUpdated,
    AftersalesSynced,
    EventData,
    LogisticsPartlyShipped,
    LogisticsProgressed,
    LogisticsShipped,
    OrderClosed,
    OrderCompleted,
    OrderCreated,
    OrderPriceChanged,
    OrderReceiptConfirmed,
    OrderStatusChanged,
    OrderSynced,
    PaymentBatchSettled,
)
from schemas.statuses import OrderStatus, PaymentOutcome

_STATUS_ALONE: Final = (
    OrderCreated,
    OrderPriceChanged,
    OrderStatusChanged,
    OrderReceiptConfirmed,
    OrderCompleted,
    OrderClosed,
)
"""What is behind the order's status is old news; other events report a fact of their own."""


def arrival(
    before: OrderState, after: OrderState, event: Event[EventData], time: datetime, fact: str
) -> Arrival:
    """What `event` was to an order whose state was `before` and is `after`."""
    data = event.data
    once = isinstance(data, OnceAnOrder) and data.event_type in before.times
    if once or any(past.fact == fact for past in before.history):
        return "duplicate"
    if event.retransmission_of and event.fact_id == own_fact_id(data, event.id):
        return "conflict" if _differs(before, data) else "duplicate"
    if isinstance(data, OrderSynced):
        return "advance" if _newest(before, data, time) else "stale"
    said = said_by(data)
    if said is not OrderStatus.UNKNOWN and said is not before.status:
        if RANK[said] > RANK[before.status]:
            if counts(said, time, before.snapshot):
                return "advance"
        elif time > (contradicted_at(before, said) or time):
            return "conflict"
        if isinstance(data, _STATUS_ALONE):
            return "stale"
    return "advance" if _is_news(before, after, data, time) else "stale"


def settled(state: OrderState, event: Event[EventData], time: datetime) -> Arrival:
    """What an event is that was a conflict, now that the API was asked: still one where the API was
    not asked after it or leaves the contradiction."""
    data, snapshot = event.data, state.snapshot
    if snapshot is None or snapshot.time < time:
        return "conflict"
    if not isinstance(data, _STATUS_ALONE):
        return "advance"
    said = said_by(data)
    if state.status is not snapshot.status and said is not state.status:
        return "conflict"
    as_said = said in (state.status, OrderStatus.UNKNOWN)
    return "advance" if as_said and not _other_total(state, data) else "stale"


def _differs(state: OrderState, data: EventData) -> bool:
    """Whether a retransmission says otherwise than the state: if it is none, but a change back to
    what was before, that must not be missed."""
    if not isinstance(data, _STATUS_ALONE):
        return False
    said = said_by(data)
    return said not in (state.status, OrderStatus.UNKNOWN) or _other_total(state, data)


def _other_total(state: OrderState, data: EventData) -> bool:
    if not isinstance(data, OrderPriceChanged) or not data.amounts or not data.amounts.total:
        return False
    return state.amounts.total != data.amounts.total


def _newest(before: OrderState, data: EventData, time: datetime) -> bool:
    """Whether no event of the type is newer."""
    return time > before.times.get(data.event_type, _EVER)


_EVER: Final = datetime.min.replace(tzinfo=UTC)


def _is_news(before: OrderState, after: OrderState, data: EventData, time: datetime) -> bool:
    """Whether an event that moves no status reports something of its own."""
    match data:
        case AftersalesRefundUpdated() | AftersalesSynced() if data.refund_id:
            return _case_moved(before, after, data)
        case LogisticsShipped() | LogisticsPartlyShipped() if any(map(key_of, data.parcels)):
            return any(_not_reported(before, key_of(parcel)) for parcel in data.parcels)
        case LogisticsProgressed() if key := key_of(data.parcel):
            old, new = before.parcels.get(key), after.parcels.get(key)
            return old is None or new is None or old.moved != new.moved
        case PaymentBatchSettled():
            failed = all(part.outcome is not PaymentOutcome.SUCCEEDED for part in data.results)
            return not (failed and before.is_paid) and before.batch != after.batch
        case _ if isinstance(data, _STATUS_ALONE):
            return _newest(before, data, time)
        case _:
            return True


def _not_reported(before: OrderState, key: str | None) -> bool:
    known = before.parcels.get(key) if key else None
    return known is None or known.shipped_at is None


def _case_moved(
    before: OrderState, after: OrderState, data: AftersalesRefundUpdated | AftersalesSynced
) -> bool:
    """Whether a case is new, or stands elsewhere than what was last reported in the same way."""
    old, new = before.refunds.get(data.refund_id or ""), after.refunds.get(data.refund_id or "")
    if old is None or new is None:
        return True
    if isinstance(data, AftersalesSynced):
        return old.synced != new.synced
    if old.pushed is None or new.pushed is None:
        return True
    return old.pushed[1:] != new.pushed[1:]
