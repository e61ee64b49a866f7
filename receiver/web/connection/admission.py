"""Admission queue: requests begin first come, first served, a few in a turn of the event loop.

Without it a flood fills every turn: a good callback needs several turns until it is stored, and
would wait for the whole flood in each of them. With it, it waits for the flood once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

PER_TURN: Final = 16

Start = Callable[[bool], None]
"""Begins a request; its argument is True where it waited so long that it should be refused."""


class AdmissionQueue:
    """Starts at most `per_turn` requests in a turn; one that waited over `timeout_s` is expired."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, timeout_s: float, per_turn: int = PER_TURN
    ) -> None:
        self._loop = loop
        self._timeout_s = timeout_s
        self._per_turn = per_turn
        self._waiting: deque[tuple[float, Start]] = deque()
        self._begun = 0

    def enter(self, start: Start) -> None:
        """Call `start` now, where this turn has room, else in a later turn."""
        if self._begun >= self._per_turn:
            self._waiting.append((self._loop.time(), start))
            return
        if self._begun == 0:
            self._loop.call_soon(self._turn)
        self._begun += 1
        start(False)  # noqa: FBT003 - its only argument

    async def wait(self) -> bool:
        """Wait for a turn; true where it came so late that the request should be refused."""
        turn: asyncio.Future[bool] = self._loop.create_future()

        def begin(late: bool) -> None:  # noqa: FBT001 - see Start
            if not turn.done():  # its task may have been cancelled
                turn.set_result(late)

        self.enter(begin)
        return await turn

    def _turn(self) -> None:
        self._begun = min(self._per_turn, len(self._waiting))
        if self._begun:
            self._loop.call_soon(self._turn)
        expired = self._loop.time() - self._timeout_s
        for _ in range(self._begun):
            since, start = self._waiting.popleft()
            start(since < expired)
