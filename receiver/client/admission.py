"""The queue of calls: by priority for the account's rate, and so many at once.

A call leaves the queue when one of the calls under way has ended and a moment of the rate has come;
which call that is, is decided then, so that one of a higher priority overtakes those that wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from receiver.client.priority import ORDER, current_priority
from receiver.client.rate_limit import Slots
from receiver.resilience import cancellation

_LATE_S: Final = 0.1
"""A moment that has passed by more than this is not used: late calls would come as a burst."""

Waiting = tuple[int, int, asyncio.Future[None]]


class Admission:
    """Lets `concurrency` calls be under way at once, each begun at a moment of `slots`.

    A waiting call that is cancelled leaves the queue. Belongs to one event loop; close it.
    """

    def __init__(
        self,
        slots: Slots,
        concurrency: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        self._slots = slots
        self._free = asyncio.Semaphore(concurrency)
        self._clock = clock
        self._sleep = sleep
        self._numbers = itertools.count()
        self._queue: list[Waiting] = []
        self._held_until = 0.0
        self._serving: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the turn of a call of the current priority; the call is under way inside."""
        mine = asyncio.get_running_loop().create_future()
        rank = ORDER.index(current_priority())
        heapq.heappush(self._queue, (rank, next(self._numbers), mine))
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve(), name="api-queue")
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                self._free.release()  # its turn had come at the same time
            raise
        try:
            yield
        finally:
            self._free.release()

    def hold(self, seconds: float) -> None:
        """Let no call begin for that long: the platform asked for it."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    async def aclose(self) -> None:
        """Give up; calls that wait are cancelled."""
        if self._serving is not None:
            await cancellation.cancel(self._serving)
        for *_, waiting in self._queue:
            waiting.cancel()

    async def _serve(self) -> None:
        """Serve the queue until it is empty."""
        try:
            while self._waiting():
                moments = await self._slots.take(len(self._queue))
                taken_at = self._clock()
                for moment in moments:
                    if not (self._waiting() and await self._serve_one(max(moment, taken_at))):
                        break
        except Exception as error:  # noqa: BLE001 - or those that wait would wait for ever
            for *_, waiting in self._queue:
                if not waiting.done():
                    waiting.set_exception(error)
            self._queue.clear()

    async def _serve_one(self, moment: float) -> bool:
        """Let one call pass at `moment`; False where that has gone by, or no call waits."""
        await self._free.acquire()
        passed = False
        try:
            wait_s = max(moment, self._held_until) - self._clock()
            if wait_s > 0:
                await self._sleep(wait_s)
            passed = self._clock() - moment <= _LATE_S and self._pass_first()
        finally:
            if not passed:
                self._free.release()
        return passed

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return sum(not waiting.done() for *_, waiting in self._queue)

    def _waiting(self) -> bool:
        """Whether any call waits; those that gave up are taken out."""
        while self._queue and self._queue[0][2].done():
            heapq.heappop(self._queue)
        return bool(self._queue)

    def _pass_first(self) -> bool:
        if not self._waiting():
            return False
        heapq.heappop(self._queue)[2].set_result(None)
        return True
