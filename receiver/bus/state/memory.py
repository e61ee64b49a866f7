"""Entries in memory, for tests of handlers and for the kit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from receiver.bus.state.commit import StateConflictError
from receiver.bus.state.store import NOTHING, Entry


class MemoryEntries:
    """`Entries` that end with the process, and expire by `clock`."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._entries: dict[str, tuple[Entry, datetime | None]] = {}
        self._last = 0

    async def get(self, key: str) -> Entry:
        """See `Entries.get`."""
        entry, until = self._entries.get(key, (NOTHING, None))
        return NOTHING if until is not None and until <= self._clock() else entry

    async def put(
        self, key: str, value: bytes, revision: int, *, ttl: timedelta | None = None
    ) -> int:
        """See `Entries.put`."""
        if (await self.get(key)).revision != revision:
            raise StateConflictError("wrong last sequence")
        self._last += 1
        until = None if ttl is None else self._clock() + ttl
        self._entries[key] = Entry(value, self._last), until
        return self._last
