"""Where an order stands, from all that was ever said of it. Pure functions.

Statuses have a rank. What was pushed can only raise the status, so that neither order nor
repetition matters. Only what the platform's API says can lower it: it is believed over all that was
pushed more than `GRACE` before it was asked. What was pushed within that time may be newer than
what the API knew, and counts where it is higher.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from receiver.projection.state import Claim, OrderState, Snapshot
from schemas.event_base import StatusFact
from schemas.events import (
    EventData,
    LogisticsPartlyShipped,
    LogisticsShipped,
    OrderClosed,
    OrderCompleted,
    OrderStatusChanged,
    OrderSynced,
)
from schemas.statuses import OrderStatus

GRACE: Final = timedelta(seconds=30)
"""The API may lag behind what was pushed, and its clock behind ours."""

RANK: Final[Mapping[OrderStatus, int]] = {
    OrderStatus.UNKNOWN: -1,
    OrderStatus.PENDING: 0,
    OrderStatus.AWAITING_PAYMENT: 1,
    OrderStatus.AWAITING_SHIPMENT: 2,
    OrderStatus.PARTLY_SHIPPED: 3,
    OrderStatus.SHIPPED: 4,
    OrderStatus.RECEIVED: 5,
    OrderStatus.COMPLETED: 6,
    OrderStatus.CLOSED: 6,
}
"""An order ends completed or closed; of two ends the one that was said later counts."""

_AT_LEAST: Final[Mapping[type[EventData], OrderStatus]] = {
    LogisticsPartlyShipped: OrderStatus.PARTLY_SHIPPED,
    LogisticsShipped: OrderStatus.SHIPPED,
    OrderCompleted: OrderStatus.COMPLETED,
    OrderClosed: OrderStatus.CLOSED,
}
"""What an event means by its type, whatever word came with it."""


def said_by(data: EventData) -> OrderStatus:
    """The status that an event reports; `unknown` where it reports none.

    Of an order whose lines are shipped in part the platform may say that it awaits shipment: that
    is `partly_shipped`.
    """
    if not isinstance(data, StatusFact):
        return OrderStatus.UNKNOWN
    said, least = data.status, _AT_LEAST.get(type(data), OrderStatus.UNKNOWN)
    if RANK[least] >= RANK[said]:
        return least
    if said is OrderStatus.AWAITING_SHIPMENT and isinstance(data, OrderStatusChanged | OrderSynced):
        ahead = any(RANK[line.status] >= RANK[OrderStatus.PARTLY_SHIPPED] for line in data.lines)
        return OrderStatus.PARTLY_SHIPPED if ahead else said
    return said


def derive(
    claims: Mapping[OrderStatus, Claim], snapshot: Snapshot | None
) -> tuple[OrderStatus, str | None]:
    """The status that follows from the claims and the newest snapshot, and the platform's word."""
    found = [
        (RANK[status], claim.time, status, claim.word)
        for status, claim in claims.items()
        if counts(status, claim.time, snapshot)
    ]
    if snapshot is not None:
        found.append((RANK[snapshot.status], snapshot.time, snapshot.status, snapshot.word))
    if not found:
        return OrderStatus.UNKNOWN, None
    best = max(found, key=lambda part: (*part[:3], part[3] or ""))
    return best[2], best[3]


def counts(status: OrderStatus, time: datetime, snapshot: Snapshot | None) -> bool:
    """Whether something pushed counts beside the newest snapshot."""
    if snapshot is None or time > snapshot.time:
        return True
    return RANK[status] > RANK[snapshot.status] and time > snapshot.time - GRACE


def contradicted_at(state: OrderState, status: OrderStatus) -> datetime | None:
    """When something was last said that `status` would take back; None where nothing was."""
    rank = RANK[status]
    said = [
        claim.time
        for other, claim in state.claims.items()
        if other is not status and RANK[other] >= rank and counts(other, claim.time, state.snapshot)
    ]
    snapshot = state.snapshot
    if snapshot and snapshot.status is not status and RANK[snapshot.status] >= rank:
        said.append(snapshot.time)
    return max(said, default=None)
