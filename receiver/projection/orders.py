"""The state of an order, event by event: `fold`. Pure functions, no I/O.

What an event says is merged in whatever order the events come (`receiver/projection/parts.py`).
What it was to the order when it came, its arrival, depends on what had come before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from receiver.event import Event
from receiver.projection.arrivals import arrival
from receiver.projection.parts import (
    bounded,
    claimed,
    earliest,
    merged_sums,
    moved,
    shipped,
    with_case,
)
from receiver.projection.state import (
    MAX_HISTORY,
    MAX_STAGES,
    Arrival,
    Claim,
    OrderState,
    Past,
    Snapshot,
    digest_of,
)
from receiver.projection.status import GRACE, derive, said_by
from schemas.event_base import PaidFact, StatusFact
from schemas.events import (
    AftersalesRefundUpdated,
    AftersalesSynced,
    EventData,
    LogisticsPackageChanged,
    LogisticsPartlyShipped,
    LogisticsProgressed,
    LogisticsShipped,
    LogisticsTracked,
    LogisticsWaybillChanged,
    OrderCreated,
    OrderSynced,
    PaymentBatchSettled,
    PaymentStageSucceeded,
    PaymentSucceeded,
)
from schemas.statuses import OrderStatus, PaymentOutcome

_FACT_CHARS: Final = 16
_AHEAD: Final = timedelta(days=1)


def fold(state: OrderState, event: Event[EventData], seq: int) -> tuple[OrderState, Arrival]:
    """The state with one more event of its order, and what the event was to it.

    Folding the same events in another order, or some of them again, ends in a state of the same
    `content()`. A retransmission (`ce-retransmissionof`) says nothing new by definition and changes
    no content: its time may be that of the push.
    """
    time = time_of(event)
    fact = event.fact_id[:_FACT_CHARS]
    update = {} if event.retransmission_of else _content(state, event, time)
    after = state.model_copy(update=update)
    found = arrival(state, after, event, time, fact)
    past = Past(seq, digest_of(event.id), fact, found)
    history = (*state.history, past)[-MAX_HISTORY:]
    # Nobody has it yet, and one more copy would take as long as all the rest.
    after.__dict__.update(history=history, events=state.events + 1, seq=seq)
    return after, found


def time_of(event: Event[EventData]) -> datetime:
    """When it happened, in UTC. A platform's time far ahead of its receipt is none: it would count
    as newer than all that follows."""
    time = event.time
    if event.origin != "handler" and time > event.received_at + _AHEAD:
        time = event.received_at
    return time.astimezone(UTC)


def _content(state: OrderState, event: Event[EventData], time: datetime) -> dict[str, Any]:
    """The fields that an event changes."""
    data = event.data
    known = state.times.get(data.event_type, time)
    update: dict[str, Any] = {"times": {**state.times, data.event_type: max(known, time)}}
    if data.order_no:
        update["order_no"] = max(state.order_no or "", data.order_no)
    update |= _status(state, data, time)
    if isinstance(data, PaidFact) and data.amounts:
        at = time - GRACE if isinstance(data, OrderSynced) else time
        update["sums"] = merged_sums(state.sums, data.amounts, at)
    if isinstance(data, OrderCreated | OrderSynced) and data.created_at:
        update["created_at"] = earliest(state.created_at, data.created_at.astimezone(UTC))
    return update | _parts(state, event, time)


def _status(state: OrderState, data: EventData, time: datetime) -> dict[str, Any]:
    if not isinstance(data, StatusFact):
        return {}
    said, word = said_by(data), data.platform_status
    claims, snapshot = state.claims, state.snapshot
    if isinstance(data, OrderSynced):
        if said is OrderStatus.UNKNOWN:  # a word that we do not know settles nothing
            return {}
        new = Snapshot(time=time, status=said, word=word)
        snapshot = max(snapshot or new, new, key=lambda s: (s.time, s.status, s.word or ""))
    else:
        claims = claimed(claims, said, Claim(time, word))
    status, word = derive(claims, snapshot)
    return {"claims": claims, "snapshot": snapshot, "status": status, "platform_status": word}


def _parts(state: OrderState, event: Event[EventData], time: datetime) -> dict[str, Any]:
    data = event.data
    match data:
        case PaymentSucceeded() | OrderSynced():
            paid = data.paid_at.astimezone(UTC) if data.paid_at else None
            return {"paid_at": earliest(state.paid_at, paid)}
        case PaymentStageSucceeded():
            known = earliest(state.stages.get(event.fact_id), time)
            return {"stages": bounded({**state.stages, event.fact_id: known}, MAX_STAGES)}
        case PaymentBatchSettled():
            return {"batch": _batch(state, data, time)}
        case LogisticsShipped() | LogisticsPartlyShipped():
            return {"parcels": shipped(state.parcels, data, time)}
        case (
            LogisticsProgressed()
            | LogisticsTracked()
            | LogisticsWaybillChanged()
            | LogisticsPackageChanged()
        ):
            return {"parcels": moved(state.parcels, data, time)}
        case AftersalesRefundUpdated() | AftersalesSynced():
            return {"refunds": with_case(state.refunds, data, time)}
        case _:
            return {}


def _batch(
    state: OrderState, data: PaymentBatchSettled, time: datetime
) -> tuple[datetime, PaymentOutcome] | None:
    """A success stays; of failures the newest."""
    found = [(time, result.outcome) for result in data.results]
    found += [state.batch] if state.batch else []
    return max(
        found,
        key=lambda b: (b[1] is PaymentOutcome.SUCCEEDED, b[0], b[1]),
        default=None,
    )
