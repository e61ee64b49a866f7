"""Writes the states of orders behind the runs: no run waits for what is only a shortcut.

A state is written a moment after it changed, with all others that did by then, and as it is by
then: while much comes in that saves writes. What is not written when a process ends is folded from
the log again. The numbers of an order go into their index first: so a state that is kept says that
the numbers in it are.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Final, NamedTuple

from receiver.bus.state.numbers import NumberOfOrder, keep
from receiver.bus.state.store import Entries, StateConflictError
from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.projection.state import OrderState
from receiver.resilience.cancellation import cancel_all

LINGER_S: Final = 0.5
MAX_WAITING: Final = 2_000
"""Orders whose state waits; beyond that, they are written at once."""
_MAX_TRIES: Final = 20
_QUIET_S: Final = 60.0
_PATIENCE_S: Final = 1.0


class Kept(NamedTuple):
    """A state, and the revision of its order's entry; 0: there is none."""

    state: OrderState
    revision: int


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
        self._waiting: dict[str, Kept] = {}
        self._numbers: dict[str, set[NumberOfOrder]] = {}
        self._hurry = asyncio.Event()
        self._rounds: asyncio.Task[None] | None = None
        self._warned_at = -_QUIET_S
        self._log = get_logger("yizhan.state")

    def get(self, key: str) -> Kept | None:
        """What waits to be written, or is being written."""
        return self._waiting.get(key)

    def put(
        self,
        key: str,
        state: OrderState,
        revision: int,
        numbers: Collection[NumberOfOrder] = (),
    ) -> None:
        """Have a state written over the entry at a revision, or over what is written there now, and
        before it the numbers that are new in it.
        """
        waiting = self._waiting.get(key)
        if numbers:
            self._numbers.setdefault(key, set()).update(numbers)
        self._waiting[key] = Kept(state, waiting.revision if waiting else revision)
        if len(self._waiting) > MAX_WAITING:
            self._hurry.set()
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._write_all(), name="order-states")

    async def flush(self, *, patience_s: float = _PATIENCE_S) -> None:
        """Return once all is written, or after `patience_s`: then the rest is given up."""
        if self._rounds is not None:
            self._hurry.set()
            _, late = await asyncio.wait({self._rounds}, timeout=patience_s)
            await cancel_all(late)

    async def _write_all(self) -> None:
        while self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    await self._hurry.wait()
            self._hurry.clear()
            await asyncio.gather(*(self._write(key) for key in [*self._waiting]))

    async def _write(self, key: str) -> None:
        kept: Kept | None = None
        try:
            kept = await self._until_written(key)
        except BusError as error:
            if time.monotonic() - self._warned_at > _QUIET_S:
                self._warned_at = time.monotonic()
                self._log.warning("order_state_not_kept", key=key, error=str(error))
        if kept is None or self._waiting[key].state is kept.state:
            del self._waiting[key]
            self._numbers.pop(key, None)
            self._written(key, kept)
        else:
            self._waiting[key] = Kept(self._waiting[key].state, kept.revision)

    async def _write_numbers(self, key: str) -> None:
        """All that are new in the state as it is in the end."""
        while numbers := self._numbers.pop(key, None):
            new = self._waiting[key].revision == 0
            await asyncio.gather(*(keep(self._entries, one, likely_new=new) for one in numbers))

    async def _until_written(self, key: str) -> Kept | None:
        """What the entry is then, None where others go on with it."""
        for _ in range(_MAX_TRIES):
            await self._write_numbers(key)
            state, revision = self._waiting[key]
            try:
                return Kept(state, await self._entries.put(key, state.to_json(), revision))
            except StateConflictError:
                theirs = await self._read(key, state)
                mine = self._waiting[key].state
                if theirs.state.seq >= mine.seq:
                    return None
                self._waiting[key] = Kept(mine, theirs.revision)
        return None
