"""The handlers that `bench.dispatch`, `bench.order_state` and `bench.costs` measure: they count."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from schemas.events import (
    LogisticsProgressed,
    LogisticsShipped,
    OrderCompleted,
    OrderCreated,
    PaymentSucceeded,
)
from yizhan import Context, Event, Router

unordered, ordered = Router(), Router()
plain, without, with_state, with_once = Router(), Router(), Router(), Router()


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


LIFE = (OrderCreated, PaymentSucceeded, LogisticsShipped, LogisticsProgressed, OrderCompleted)


@without.on(*LIFE, start="all", concurrency=64)
async def bench_without(event: Event[Any], ctx: Context) -> None:
    SEEN[0].note()


@with_state.on(*LIFE, start="all", concurrency=64, state=True)
async def bench_with_state(event: Event[Any], ctx: Context) -> None:
    SEEN[0].note()


@plain.on(*LIFE, start="all", concurrency=64, order="none")
async def bench_plain(event: Event[Any], ctx: Context) -> None:
    SEEN[0].note()


@with_once.on(*LIFE, start="all", concurrency=64)
async def bench_with_once(event: Event[Any], ctx: Context) -> None:
    async with ctx.once("count", key=event.id) as effect:
        if effect.due:
            effect.result = 1
    SEEN[0].note()
