"""What distinguishes a fact from others of its type and order: the parts of `fact_key()`. No I/O.

A key is a tuple of texts `<name>=<value>`; a part without a value is left out. The hashing is in
`receiver/facts.py`, the table of all keys in `docs/identity.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, TypeAlias

FactKey: TypeAlias = tuple[str, ...] | None
"""None: two facts of this type and order cannot be distinguished, so each event is a fact."""

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_DAY_MS: Final = 86_400_000


def parts(**values: str | None) -> tuple[str, ...]:
    """The parts that have a value, in the order given."""
    return tuple(f"{name}={value}" for name, value in values.items() if value)


def at(time: datetime | None, **values: str | None) -> FactKey:
    """The parts, and the time in milliseconds since 1970; None where the time is not known.

    For what may happen to an order again with the same values, as a price that goes A, B, A: only
    its time distinguishes it.
    """
    if time is None:
        return None
    since = time - _EPOCH
    milliseconds = since.days * _DAY_MS + since.seconds * 1_000 + since.microseconds // 1_000
    return parts(**values, time=str(milliseconds))


def waybills(numbers: Iterable[str | None]) -> FactKey:
    """A part for each waybill number, sorted; None where there is none, or a parcel without one."""
    spelled = [waybill(number) for number in numbers]
    known = sorted({number for number in spelled if number})
    return tuple(f"waybill={number}" for number in known) if known and all(spelled) else None


def waybill(number: str | None) -> str | None:
    """A waybill number as it is compared: without white space, in upper case."""
    return "".join(number.split()).upper() if number else None
