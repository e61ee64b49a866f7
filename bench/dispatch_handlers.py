"""The handlers that `bench.dispatch` measures: they count."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from schemas.events import PaymentSucceeded
from yizhan import Context, Event, Router

unordered, ordered = Router(), Router()


@dataclass(slots=True)
class Seen:
    """How many events have been handled, and when: from the first to the last."""

    wanted: int
    count: int = 0
    began: float = 0.0
    used: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self) -> None:
        """One more."""
        if self.count == 0:
            self.began, self.used = time.perf_counter(), time.process_time()
        self.count += 1
        if self.count == self.wanted:
            took_s, used_s = time.perf_counter() - self.began, time.process_time() - self.used
            print(self.count / took_s, used_s / self.count * 1e6)
            self.done.set()


SEEN: list[Seen] = []
"""The count of this process."""


@ordered.on(PaymentSucceeded, start="all")
async def bench_ordered(event: Event[PaymentSucceeded], ctx: Context) -> None:
    SEEN[0].note()


@unordered.on(PaymentSucceeded, start="all", order="none")
async def bench_unordered(event: Event[PaymentSucceeded], ctx: Context) -> None:
    SEEN[0].note()
