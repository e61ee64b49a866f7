"""Entries of the state stream, put beside those that are there: the stricter one stays.

An effect that may have happened is never forgotten for one that did not. The state of an order is a
shortcut for its events: it is taken over only where the stream holds those events and no others.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final, Literal

from pydantic import ValidationError

from receiver.bus.read.order_log import EventsOfOrders
from receiver.bus.state.store import Entries, Entry, StateConflictError
from receiver.errors import BusError, DecodingError
from receiver.projection.state import OrderState, Past
from receiver.transfer.known import Known
from receiver.worker.effects.states import EffectRecord, State, read_record

Became = Literal["stored", "already there", "stricter", "kept", "left out"]
"""What became of an entry: `stricter` took the place of another, `kept` is that another stays, and
`left out` what means nothing here, or is made of the events anew.
"""
_STRICTNESS: Final[dict[State, int]] = {
    "released": 1,
    "settled": 2,
    "claimed": 3,
    "in_doubt": 4,
    "done": 5,
}
_TRIES: Final = 4


class EntryImport:
    """Puts entries into a store; `known` says where the events of the export are here. With
    `dry_run` nothing is put.
    """

    def __init__(self, store: Entries, log: EventsOfOrders, known: Known, *, dry_run: bool) -> None:
        self._store = store
        self._log = log
        self._known = known
        self._dry_run = dry_run

    async def put(self, key: str, value: bytes, ttl: timedelta | None) -> Became:
        """Store an entry where it may be; raises `DecodingError` for what is none of ours, and
        `BusError`.
        """
        if key.startswith("effect."):
            record = read_record(value)
            return await self._settle(key, value, ttl, lambda theirs: _wins(record, theirs))
        if key.startswith("order."):
            return await self._order(key, value, ttl)
        return "left out"

    async def _order(self, key: str, value: bytes, ttl: timedelta | None) -> Became:
        try:
            there = OrderState.from_json(value)
        except ValidationError:
            raise DecodingError("the state of an order cannot be read") from None
        state = self._placed(there)
        if state is None and self._dry_run:  # its events would be here by now
            state = there
        if state is None or not await self._is_whole(state, there.seq):
            return "left out"
        return await self._settle(key, state.to_json(), ttl, lambda _: False)

    def _placed(self, there: OrderState) -> OrderState | None:
        """The state by our sequences; None where none of its events is here."""
        history = tuple(
            Past(self._known.placed(past.seq) or 0, *past[1:]) for past in there.history
        )
        seq = self._known.placed(there.seq) or max((past.seq for past in history), default=0)
        return there.model_copy(update={"history": history, "seq": seq}) if seq else None

    async def _is_whole(self, state: OrderState, until: int) -> bool:
        """Whether the events of the order up to the state's are those of the export that lie there
        up to `until`, and no others.
        """
        async for page in self._log.between(state.channel, state.order_id, 0, state.seq + 1):
            for stored in page:
                seq = self._known.came_from(stored.stream_seq)
                if seq is None or seq > until:
                    return False
        return True

    async def _settle(
        self, key: str, value: bytes, ttl: timedelta | None, wins: Callable[[Entry], bool]
    ) -> Became:
        for _ in range(_TRIES):
            entry = await self._store.get(key)
            if entry.value == value:
                return "already there"
            if entry.value is not None and not wins(entry):
                return "kept"
            try:
                if not self._dry_run:
                    await self._store.put(key, value, entry.revision, ttl=ttl)
            except StateConflictError:
                continue
            return "stored" if entry.value is None else "stricter"
        raise BusError(f"the entry {key} changes all the time")


def _wins(ours: EffectRecord, theirs: Entry) -> bool:
    """Whether an imported effect takes the place of the one that is here."""
    try:
        here = read_record(theirs.value or b"")
    except DecodingError:
        return False
    return _strictness(ours) > _strictness(here)


def _strictness(record: EffectRecord) -> int:
    return _STRICTNESS["done" if record.is_over else record.state]
