"""Writes the states of orders behind the runs: no run waits for what is only a shortcut.

Of a state that changes while it is written, the newest is written next. What is not written when a
process ends is folded from the log again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from receiver.bus.state.store import Entries, StateConflictError
from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.projection.state import OrderState
from receiver.resilience.cancellation import cancel_all

MAX_WRITING: Final = 512
"""Orders whose state is on its way; beyond that, runs wait."""
_MAX_TRIES: Final = 20
_QUIET_S: Final = 60.0
_PATIENCE_S: Final = 1.0


class Kept(NamedTuple):
    """A state, and the revision of its order's entry; 0: there is none."""

    state: OrderState
    revision: int


class _Writing:
    """One order on its way; `wanted` is what is to be written."""

    def __init__(self, wanted: Kept) -> None:
        self.wanted = wanted
        self.task: asyncio.Task[None] | None = None


class StateWrites:
    """`read` gives an entry as it is now, `written` gets what an entry is then, None where nobody
    knows.
    """

    def __init__(
        self,
        entries: Entries,
        read: Callable[[str, OrderState], Awaitable[Kept]],
        written: Callable[[str, Kept | None], None],
    ) -> None:
        self._entries = entries
        self._read = read
        self._written = written
        self._writing: dict[str, _Writing] = {}
        self._warned_at = -_QUIET_S
        self._log = get_logger("yizhan.state")

    def get(self, key: str) -> Kept | None:
        """What is being written."""
        writing = self._writing.get(key)
        return writing.wanted if writing else None

    async def put(self, key: str, kept: Kept) -> None:
        """Have a state written over an entry at a revision; waits only where much is."""
        writing = self._writing.get(key)
        if writing is not None:
            writing.wanted = Kept(kept.state, writing.wanted.revision)
            return
        while len(self._writing) >= MAX_WRITING:
            tasks = [w.task for w in self._writing.values() if w.task]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._writing[key] = writing = _Writing(kept)
        writing.task = asyncio.create_task(self._write(key, writing), name="order-state")

    async def flush(self, *, patience_s: float = _PATIENCE_S) -> None:
        """Return once all is written, or after `patience_s`: then the rest is given up."""
        tasks = {writing.task for writing in self._writing.values() if writing.task}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience_s)
            await cancel_all(late)

    async def _write(self, key: str, writing: _Writing) -> None:
        kept: Kept | None = None
        try:
            kept = await self._until_written(key, writing)
        except BusError as error:
            if time.monotonic() - self._warned_at > _QUIET_S:
                self._warned_at = time.monotonic()
                self._log.warning("order_state_not_kept", key=key, error=str(error))
        finally:
            del self._writing[key]
            self._written(key, kept)

    async def _until_written(self, key: str, writing: _Writing) -> Kept | None:
        """What is in the entry then, None where others go on with it."""
        for _ in range(_MAX_TRIES):
            state, revision = writing.wanted
            try:
                revision = await self._entries.put(key, state.to_json(), revision)
            except StateConflictError:
                theirs = await self._read(key, state)
                if theirs.state.seq >= writing.wanted.state.seq:
                    return None
                revision = theirs.revision
            else:
                if writing.wanted.state is state:
                    return Kept(state, revision)
            writing.wanted = Kept(writing.wanted.state, revision)
        return None
