"""Holding back what is delivered again until all of it is there: it does not come in order.

Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from nats.aio.msg import Msg

from receiver.bus.schedules import place_in_order
from receiver.bus.subjects import NO_KEY

ItemT = TypeVar("ItemT")

_QUIET_S: Final = 0.25
_NEW_S: Final = 0.06
"""The server gives new messages only behind those again, but for a few that were under way."""


class Collector(Generic[ItemT]):
    """Collects from `begin` on, until `is_due`; then `take` gives the items by their sequence."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._items: dict[int, ItemT] = {}
        self._missing = 0
        self._until = 0.0
        self.collects = False

    def begin(self, missing: int) -> None:
        """So many are to come; with none there is nothing to wait for."""
        self._missing = missing
        self._until = self._clock() + _QUIET_S
        self.collects = missing > 0 or bool(self._items)

    def add(self, seq: int, item: ItemT, *, again: bool) -> None:
        """One came; `again` is whether it had been delivered before."""
        self._items[seq] = item
        now = self._clock()
        if again:
            self._missing -= 1
            self._until = now + _QUIET_S
        else:
            self._until = min(self._until, now + _NEW_S)

    @property
    def is_due(self) -> bool:
        """Whether all came, or nothing more comes."""
        return self.collects and (self._missing <= 0 or self._clock() >= self._until)

    def take(self) -> list[ItemT]:
        """What came, in order; collects no more."""
        taken = [self._items[seq] for seq in sorted(self._items)]
        self.clear()
        return taken

    def clear(self) -> None:
        """Forget what came."""
        self._items, self.collects = {}, False


def lane_of(message: Msg, *, ordered: bool) -> Hashable:
    """The order, on its channel; one of its own for an event without, or if none is kept."""
    channel, key = place_in_order(message.subject)
    return (channel, key) if ordered and key != NO_KEY else message.metadata.sequence.stream
