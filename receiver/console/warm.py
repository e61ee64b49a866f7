"""A reading that is slower than a page may be: shown as it was, and read anew meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from receiver.errors import BusError
from receiver.resilience.single_flight import SingleFlight

FRESH_S: Final = 5.0
_STALE_S: Final = 60.0
ResultT = TypeVar("ResultT")


class Warm(Generic[ResultT]):
    """Gives what `call` gave last. Where that is older than `FRESH_S` it is called again behind the
    answer, and before it where there is nothing yet, or nothing of the last minute.
    """

    def __init__(
        self,
        call: Callable[[], Awaitable[ResultT]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._call = SingleFlight(call, ttl_s=0)
        self._clock = clock
        self._kept: tuple[float, ResultT] | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __call__(self) -> ResultT:
        """The result; raises `BusError` where there is none to show and `call` does."""
        kept, now = self._kept, self._clock()
        if kept is None or now - kept[0] > _STALE_S:
            return await self._read()
        if now - kept[0] > FRESH_S and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read_behind(), name="console-reading")
        return kept[1]

    async def _read(self) -> ResultT:
        result = await self._call()
        self._kept = self._clock(), result
        return result

    async def _read_behind(self) -> None:
        """What fails here is said to whoever asks next."""
        try:
            await self._read()
        except BusError:
            self._kept = None
