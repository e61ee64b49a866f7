"""One look for all who ask within a moment: a flood of questions is no flood of work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from receiver.errors import BusError

FRESH_S: Final = 0.5
SeenT = TypeVar("SeenT")


class Glance(Generic[SeenT]):
    """Calls `look` at most once at a time and once in `fresh_s`; all who ask meanwhile share what
    was seen, a `BusError` too. A caller that is cancelled does not cancel the look.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[SeenT]],
        *,
        fresh_s: float = FRESH_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._fresh_s = fresh_s
        self._clock = clock
        self._looked_at = 0.0
        self._seen: asyncio.Task[SeenT | BusError] | None = None

    async def __call__(self) -> SeenT:
        """What is seen; raises `BusError` as `look` does."""
        if self._seen is None or (
            self._seen.done() and self._clock() - self._looked_at > self._fresh_s
        ):
            self._seen = asyncio.create_task(self._looked(), name="glance")
        seen = await asyncio.shield(self._seen)
        if isinstance(seen, BusError):
            raise BusError(str(seen))  # one of its own for each, or its traceback would grow
        return seen

    async def _looked(self) -> SeenT | BusError:
        try:
            return await self._look()
        except BusError as error:
            return error
        finally:
            self._looked_at = self._clock()
