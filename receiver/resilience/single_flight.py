"""Single flight: concurrent callers share one call, and its result for `ttl_s`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from receiver.errors import BusError

TTL_S: Final = 0.5
ResultT = TypeVar("ResultT")


class SingleFlight(Generic[ResultT]):
    """Runs `call` at most once at a time and once in `ttl_s`; who asks meanwhile shares its
    result, a `BusError` too. A caller that is cancelled does not cancel the call.
    """

    def __init__(
        self,
        call: Callable[[], Awaitable[ResultT]],
        *,
        ttl_s: float = TTL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._call = call
        self._ttl_s = ttl_s
        self._clock = clock
        self._called_at = 0.0
        self._result: asyncio.Task[ResultT | BusError] | None = None

    async def __call__(self) -> ResultT:
        """The result; raises `BusError` as `call` does."""
        if self._result is None or (
            self._result.done() and self._clock() - self._called_at > self._ttl_s
        ):
            self._result = asyncio.create_task(self._called(), name="single-flight")
        result = await asyncio.shield(self._result)
        if isinstance(result, BusError):
            raise BusError(str(result))  # one of its own for each, or its traceback would grow
        return result

    async def _called(self) -> ResultT | BusError:
        try:
            return await self._call()
        except BusError as error:
            return error
        finally:
            self._called_at = self._clock()
