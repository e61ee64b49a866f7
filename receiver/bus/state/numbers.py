"""The index of numbers: by an own number, a waybill's or a refund's, the orders that have it.

    number.<field>.<number>.<channel>.<order id>

One entry a number of an order, so that nothing is read to write it, and orders that share a number
lie side by side. It follows from the events alone: built again from the log, it is the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final

from receiver.bus.state.commit import StateConflictError
from receiver.bus.state.keys import key_token
from receiver.bus.state.store import NOTHING, Entries
from receiver.bus.subjects import ANY
from receiver.errors import BusError

_MAX_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class NumberOfOrder:
    """One entry: the order, a number of it, and the field of events that names it."""

    field: str
    number: str
    channel: str
    order_id: str

    @property
    def key(self) -> str:
        """Where it is."""
        tokens = (self.field, self.number, self.channel, self.order_id)
        return ".".join(("number", *map(key_token, tokens)))

    def to_json(self) -> bytes:
        """The entry's value; the same number of an order is the same bytes."""
        return json.dumps(asdict(self), ensure_ascii=False).encode(errors="replace")

    @classmethod
    def from_json(cls, value: bytes) -> NumberOfOrder | None:
        """What `to_json` gave; None for anything else."""
        try:
            return cls(**json.loads(value))
        except (ValueError, TypeError, RecursionError):
            return None


def entries_of(numbers: Iterable[str], channel: str | None = None) -> list[str]:
    """The keys, with wildcards, of all orders that have one of these numbers."""
    tokens = dict.fromkeys(map(key_token, numbers))
    last = f"{channel or ANY}.{ANY}"
    return [f"number.{ANY}.{token}.{last}" for token in tokens]


async def keep(entries: Entries, one: NumberOfOrder, *, likely_new: bool = False) -> bool:
    """Have the entry of a number; gives whether it had to be written. Raises `BusError`."""
    key, value = one.key, one.to_json()
    entry = NOTHING if likely_new else await entries.get(key)
    for _ in range(_MAX_TRIES):
        if entry.value == value:
            return False
        try:
            await entries.put(key, value, entry.revision)
        except StateConflictError:
            entry = await entries.get(key)
        else:
            return True
    raise BusError(f"others keep changing the entry of {one.field} {one.number}")
