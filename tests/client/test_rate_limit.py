"""Our own pace, on a clock that the test moves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from receiver.client.platform import PlatformAPI
from receiver.client.rate_limit import RateLimit
from tests.client.conftest import Platform, settings_of


@dataclass
class Time:
    """A clock that moves when someone sleeps on it."""

    now_s: float = 100.0
    slept_s: list[float] = field(default_factory=list)

    def clock(self) -> float:
        """Seconds on this clock."""
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.slept_s.append(round(seconds, 6))
        self.now_s += seconds


def limit_on(time: Time, rate_per_s: float) -> RateLimit:
    """A limit on that clock."""
    return RateLimit(rate_per_s, clock=time.clock, sleep=time.sleep)


async def test_the_first_call_goes_at_once_and_the_next_keep_the_pace() -> None:
    time = Time()
    limit = limit_on(time, 5)

    for _ in range(3):
        await limit.wait()

    assert time.slept_s == [0.2, 0.2]


async def test_a_pause_earns_no_burst() -> None:
    time = Time()
    limit = limit_on(time, 5)
    await limit.wait()
    time.now_s += 60

    await limit.wait()
    await limit.wait()

    assert time.slept_s == [0.2]


async def test_callers_at_the_same_moment_pass_in_the_order_they_came() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(round(seconds, 6))
        await asyncio.sleep(0)

    limit = RateLimit(10, clock=lambda: 0.0, sleep=sleep)

    await asyncio.gather(*(limit.wait() for _ in range(4)))

    assert waits == [0.1, 0.2, 0.3]


async def test_a_caller_that_gives_up_holds_nobody_up() -> None:
    time = Time()
    waiting = asyncio.Event()

    async def sleep_for_ever(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    limit = RateLimit(10, clock=time.clock, sleep=sleep_for_ever)
    await limit.wait()
    gone = asyncio.create_task(limit.wait())
    await waiting.wait()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    time.now_s += 0.2

    async with asyncio.timeout(60):
        await limit.wait()


async def test_the_calls_of_one_client_share_one_pace(platform: Platform) -> None:
    platform.reply([])
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    settings = settings_of(platform.url, rate_per_s=0.001)
    async with PlatformAPI.open(settings, sleep=sleep) as api:
        await api.alibaba.orders.logistics("1")
        await api.taobao.orders.logistics("1")
        await api.alibaba.orders.logistics("1")

    assert [round(seconds / 1000) for seconds in slept] == [1, 2]
