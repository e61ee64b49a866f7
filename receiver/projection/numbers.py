"""The numbers by which people know an order, beside its id: those that its events name. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final, Literal, NamedTuple

from receiver.projection.state import OrderState
from schemas.event_base import EventData
from schemas.facts import waybill
from schemas.parts import Line, Parcel, Trace

NumberField = Literal["order_no", "waybill_no", "logistics_id", "refund_id"]
_HOLDERS: Final = ("refund_id", "parcel", "old", "new", "parcels", "traces", "lines")
"""The fields of events that hold a refund id, parcels, or parts that do."""


class Number(NamedTuple):
    """A number, and the field of events that holds it; a waybill number as it is compared
    (`schemas.facts.waybill`)."""

    field: NumberField
    value: str


def numbers_of(data: EventData) -> Iterator[Number]:
    """Those that an event names, some perhaps more than once."""
    if data.order_no:
        yield Number("order_no", data.order_no)
    for name in _naming(type(data)):
        held = getattr(data, name)
        for part in held if isinstance(held, tuple) else (held,):
            yield from _named(part)


def numbers_in(state: OrderState) -> Iterator[Number]:
    """Those that a state holds: most of what its events named."""
    if state.order_no:
        yield Number("order_no", state.order_no)
    for refund_id in state.refunds:
        yield Number("refund_id", refund_id)
    for parcel in state.parcels.values():
        if number := waybill(parcel.waybill_no):
            yield Number("waybill_no", number)
        if parcel.logistics_id:
            yield Number("logistics_id", parcel.logistics_id)


@cache
def _naming(model: type[EventData]) -> tuple[str, ...]:
    """The fields of a model that hold numbers: asked of each event, that would take long."""
    return tuple(name for name in _HOLDERS if name in model.model_fields)


def _named(part: str | Parcel | Trace | Line | None) -> Iterator[Number]:
    match part:
        case str():
            yield Number("refund_id", part)
        case Parcel():
            if number := waybill(part.waybill_no):
                yield Number("waybill_no", number)
            if part.logistics_id:
                yield Number("logistics_id", part.logistics_id)
        case Trace():
            yield from _named(part.parcel)
        case Line():
            yield from _named(part.refund_id)
            for parcel in part.parcels:
                yield from _named(parcel)
