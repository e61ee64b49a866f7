"""The moments at which calls may be sent, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from receiver.client.platform import PlatformAPI
from receiver.client.rate_limit import AccountSlots, OwnSlots
from tests.client.conftest import Platform, settings_of


@dataclass
class Time:
    """A clock that the test moves."""

    now_s: float = 100.0

    def clock(self) -> float:
        """Seconds on this clock."""
        return self.now_s


@dataclass
class Shared:
    """What the other processes leave; None while they cannot be reached."""

    moments: Sequence[float] | None = None
    processes: int = 0
    asked: tuple[int, float] = (0, 0.0)

    async def take(self, count: int, rate_per_s: float) -> Sequence[float] | None:
        """See `SharedSlots.take`."""
        self.asked = (count, rate_per_s)
        return self.moments


async def test_the_first_call_goes_at_once_and_the_next_keep_the_pace() -> None:
    slots = OwnSlots(5, clock=Time().clock)

    taken = [await slots.take(1) for _ in range(3)]

    assert taken == [[100.0], [pytest.approx(100.2)], [pytest.approx(100.4)]]


async def test_a_pause_earns_no_burst() -> None:
    time = Time()
    slots = OwnSlots(5, clock=time.clock)
    await slots.take(1)
    time.now_s += 60

    taken = [await slots.take(1) for _ in range(2)]

    assert taken == [[160.0], [pytest.approx(160.2)]]


async def test_many_moments_are_taken_at_once_only_of_a_tenth_of_a_second() -> None:
    slots = OwnSlots(100, clock=Time().clock)

    taken = await slots.take(1000)

    assert list(taken) == [pytest.approx(100 + number / 100) for number in range(10)]


async def test_the_account_takes_what_the_other_processes_leave() -> None:
    shared = Shared(moments=[7.0])

    taken = await AccountSlots(shared, 200, clock=Time().clock).take(1000)

    assert taken == [7.0]
    assert shared.asked == (18, 180.0)


@pytest.mark.parametrize(("processes", "per_s"), [(1, 0.5), (5, 0.1), (0, 0.125)])
async def test_a_process_that_is_alone_uses_its_part_of_a_tenth(
    processes: int, per_s: float
) -> None:
    slots = AccountSlots(Shared(processes=processes), 5, clock=Time().clock)

    taken = [await slots.take(10) for _ in range(2)]

    assert taken == [[100.0], [pytest.approx(100 + 1 / per_s)]]


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
