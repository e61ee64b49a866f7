"""Our own rate: the platform does not tell its limit, so we keep an even pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any


class RateLimit:
    """Lets callers pass one by one, `rate_per_s` in a second, evenly, first come first served.

    Each caller reserves the next free moment when it asks, so there is no lock to wait for; one
    that is cancelled while it waits leaves its moment unused.
    """

    def __init__(
        self,
        rate_per_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        self._interval_s = 1 / rate_per_s
        self._clock = clock
        self._sleep = sleep
        self._next_free_s = clock()

    async def wait(self) -> None:
        """Return when it is the caller's turn."""
        now = self._clock()
        turn = max(now, self._next_free_s)
        self._next_free_s = turn + self._interval_s
        if turn > now:
            await self._sleep(turn - now)
