"""What makes a fact one among those of its type and order: the parts of `fact_key()`. No I/O.

A key is a tuple of texts `<name>=<value>`; a part that was not told is left out. The hashing is
in `receiver/facts.py`, the table of all keys in `docs/identity.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

FactKey: TypeAlias = tuple[str, ...] | None
"""None: nothing tells two facts of this type and order apart, so each event is one of its own."""

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def parts(**told: str | None) -> tuple[str, ...]:
    """The parts that were told, in the order given."""
    return tuple(f"{name}={value}" for name, value in told.items() if value)


def at(time: datetime | None, **told: str | None) -> FactKey:
    """The parts and the moment, in milliseconds since 1970; None where the moment is not told.

    What may happen to an order again in the same words (a price that goes A, B, A) is told apart
    by its moment alone.
    """
    if time is None:
        return None
    return parts(**told, time=str((time - _EPOCH) // _MILLISECOND))


def waybills(numbers: Iterable[str | None]) -> FactKey:
    """A part for each waybill number, sorted; None where there is none, or a parcel without one."""
    spelled = [waybill(number) for number in numbers]
    told = sorted({number for number in spelled if number})
    return tuple(f"waybill={number}" for number in told) if told and all(spelled) else None


def waybill(number: str | None) -> str | None:
    """A waybill number as it is compared: without white space, in upper case."""
    return "".join(number.split()).upper() if number else None
