"""The numbers by which people know an order, beside its id: those that its events name. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from receiver.projection.state import OrderState
from schemas.event_base import EventData
from schemas.facts import waybill
from schemas.parts import Parcel

NumberField = Literal["order_no", "waybill_no", "logistics_id", "refund_id"]
_OF_ONE_PARCEL: Final = ("parcel", "old", "new")


class Number(NamedTuple):
    """A number, and the field of events that holds it; a waybill number as it is compared
    (`schemas.facts.waybill`)."""

    field: NumberField
    value: str


def numbers_of(data: EventData) -> Iterator[Number]:
    """Those that an event names, some perhaps more than once."""
    lines = getattr(data, "lines", ())
    found: list[tuple[NumberField, str | None]] = [("order_no", data.order_no)]
    found += [("refund_id", getattr(part, "refund_id", None)) for part in (data, *lines)]
    for parcel in _parcels(data):
        found.append(("waybill_no", waybill(parcel.waybill_no)))
        found.append(("logistics_id", parcel.logistics_id))
    yield from (Number(field, value) for field, value in found if value)


def numbers_in(state: OrderState) -> Iterator[Number]:
    """Those that a state holds: most of what its events named."""
    found: list[tuple[NumberField, str | None]] = [("order_no", state.order_no)]
    found += [("refund_id", refund_id) for refund_id in state.refunds]
    for parcel in state.parcels.values():
        found.append(("waybill_no", waybill(parcel.waybill_no)))
        found.append(("logistics_id", parcel.logistics_id))
    yield from (Number(field, value) for field, value in found if value)


def _parcels(data: EventData) -> Iterator[Parcel]:
    for name in _OF_ONE_PARCEL:
        if (parcel := getattr(data, name, None)) is not None:
            yield parcel
    yield from getattr(data, "parcels", ())
    yield from (trace.parcel for trace in getattr(data, "traces", ()))
    for line in getattr(data, "lines", ()):
        yield from line.parcels
