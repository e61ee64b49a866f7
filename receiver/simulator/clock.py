"""The platform's waiting, sped up: half an hour between two tries need not last half an hour."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Sleep = Callable[[float], Awaitable[Any]]


class Clock:
    """Waits virtual seconds; `speed` is how many of them pass in a real one.

    Only waiting is sped up. What is signed carries the real time, because the receiver compares
    it with its own.
    """

    def __init__(self, speed: float = 1.0, *, sleep: Sleep = asyncio.sleep) -> None:
        if speed <= 0:
            raise ValueError("speed must be above 0")
        self.speed = speed
        self._sleep = sleep

    async def wait(self, virtual_s: float) -> None:
        """Return after `virtual_s` virtual seconds."""
        await self._sleep(virtual_s / self.speed)
