"""How the parts of an order's state merge: each by itself, whatever the order. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from receiver.projection.state import (
    MAX_PARCELS,
    MAX_REFUNDS,
    CaseStep,
    Claim,
    Move,
    ParcelState,
    RefundState,
    Sum,
)
from receiver.projection.status import GRACE
from schemas.event_base import parcel_number
from schemas.events import (
    AftersalesRefundUpdated,
    AftersalesSynced,
    LogisticsPackageChanged,
    LogisticsPartlyShipped,
    LogisticsProgressed,
    LogisticsShipped,
    LogisticsTracked,
    LogisticsWaybillChanged,
)
from schemas.facts import waybill
from schemas.parts import Amounts, Parcel
from schemas.statuses import Progress, RefundStatus

Case = AftersalesRefundUpdated | AftersalesSynced
OnTheWay = (
    LogisticsProgressed | LogisticsTracked | LogisticsWaybillChanged | LogisticsPackageChanged
)
Shipment = LogisticsShipped | LogisticsPartlyShipped
PartT = TypeVar("PartT")

_PROGRESS_ORDER = {word: number for number, word in enumerate(Progress)}
_REFUND_ORDER = {word: number for number, word in enumerate(RefundStatus)}


def bounded(parts: dict[str, PartT], limit: int) -> dict[str, PartT]:
    """The parts with the lowest keys. What is left out once, would always be: so the rest is the
    same in whatever order it came."""
    return parts if len(parts) <= limit else {key: parts[key] for key in sorted(parts)[:limit]}


def earliest(a: datetime | None, b: datetime | None) -> datetime | None:
    """The earlier of two times that may be unknown."""
    return min(a, b) if a and b else a or b


def latest(a: datetime | None, b: datetime | None) -> datetime | None:
    """The later of two times that may be unknown."""
    return max(a, b) if a and b else a or b


def merged_sums(sums: Mapping[str, Sum], amounts: Amounts | None, time: datetime) -> dict[str, Sum]:
    """The sums with those of an event; each is the newest by itself, since any may be left out."""
    merged = dict(sums)
    for name in Amounts.model_fields:
        money = getattr(amounts, name, None)
        if money is not None:
            new = Sum(time, money)
            merged[name] = max(merged.get(name, new), new, key=_order_of_sum)
    return merged


def _order_of_sum(given: Sum) -> tuple[datetime, Any, str]:
    return given.time, given.money.amount, given.money.currency


def claimed(claims: Mapping[Any, Claim], key: Any, new: Claim) -> dict[Any, Claim]:
    """The claims with a new one; the newest of each key stays."""
    old = claims.get(key, new)
    return {**claims, key: max(old, new, key=lambda claim: (claim.time, claim.word or ""))}


def key_of(parcel: Parcel) -> str | None:
    """By what a parcel is kept; None where it has neither a waybill number nor an id."""
    number = waybill(parcel.waybill_no)
    return number or (f"id:{parcel.logistics_id}" if parcel.logistics_id else None)


def _described(state: ParcelState, parcel: Parcel) -> dict[str, Any]:
    """Of two spellings the greater stays: any rule would do that does not depend on the order."""
    names = Parcel.model_fields
    pairs = {name: (getattr(state, name), getattr(parcel, name)) for name in names}
    return {name: max(a, b) if a and b else a or b for name, (a, b) in pairs.items()}


def with_parcel(
    parcels: dict[str, ParcelState], parcel: Parcel, **more: Any
) -> dict[str, ParcelState]:
    """The parcels with one more, or with what is new of one; `more` are fields as they merge."""
    key = key_of(parcel)
    if key is None:
        return parcels
    old = parcels.get(key, _NO_PARCEL)
    update: dict[str, Any] = _described(old, parcel)
    for name, value in more.items():
        update[name] = _MERGE[name](getattr(old, name), value)
    return bounded({**parcels, key: old.model_copy(update=update)}, MAX_PARCELS)


_NO_PARCEL = ParcelState()


def _later_move(a: Move | None, b: Move | None) -> Move | None:
    moves = [move for move in (a, b) if move]
    return max(moves, key=_order_of_move, default=None)


def _order_of_move(move: Move) -> tuple[datetime, int, str]:
    return move.time, _PROGRESS_ORDER[move.progress], move.word or ""


def _later_claim(a: Claim | None, b: Claim | None) -> Claim | None:
    return max((c for c in (a, b) if c), key=lambda c: (c.time, c.word or ""), default=None)


_MERGE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "shipped_at": earliest,
    "moved": _later_move,
    "replaced": _later_claim,
    "named": latest,
}


def shipped(
    parcels: dict[str, ParcelState], data: Shipment, time: datetime
) -> dict[str, ParcelState]:
    """The parcels with those of a shipment."""
    for parcel in data.parcels:
        parcels = with_parcel(parcels, parcel, shipped_at=time)
    return parcels


def moved(
    parcels: dict[str, ParcelState],
    data: OnTheWay,
    time: datetime,
) -> dict[str, ParcelState]:
    """The parcels with what an event says of their way."""
    match data:
        case LogisticsProgressed():
            at = data.changed_at or time
            step = Move(at, data.progress, data.platform_progress)
            return with_parcel(parcels, data.parcel, moved=step)
        case LogisticsWaybillChanged():
            at, new = data.changed_at or time, parcel_number(data.new)
            if new is None or key_of(data.new) == key_of(data.old):
                return parcels
            parcels = with_parcel(parcels, data.old, replaced=Claim(at, new))
            return with_parcel(parcels, data.new, named=at)
        case LogisticsPackageChanged():
            return with_parcel(parcels, data.parcel)
        case LogisticsTracked():
            for trace in data.traces:
                times = [step.time for step in trace.steps if step.time]
                at = max(times, default=time - GRACE)
                parcels = with_parcel(parcels, trace.parcel, moved=Move(at, trace.progress))
            return parcels


def with_case(
    refunds: dict[str, RefundState], data: Case, time: datetime
) -> dict[str, RefundState]:
    """The refund cases with what an event says of one."""
    if data.refund_id is None:
        return refunds
    old = refunds.get(data.refund_id, _NO_CASE)
    pushed = isinstance(data, AftersalesRefundUpdated)
    at = time if pushed else time - GRACE
    step = CaseStep(at, data.status, data.platform_status)
    field = "pushed" if pushed else "synced"
    update: dict[str, Any] = {field: _later_step(getattr(old, field), step)}
    if data.amount is not None:
        new = Sum(at, data.amount)
        update["sum"] = max(old.sum or new, new, key=_order_of_sum)
    if isinstance(data, AftersalesRefundUpdated) and data.stage != "unknown":
        update["stage"] = data.stage if old.stage == "unknown" else min(old.stage, data.stage)
    cases = {**refunds, data.refund_id: old.model_copy(update=update)}
    return bounded(cases, MAX_REFUNDS)


_NO_CASE = RefundState()


def _later_step(a: CaseStep | None, b: CaseStep) -> CaseStep:
    return max(a or b, b, key=lambda s: (s.time, _REFUND_ORDER[s.status], s.word or ""))
