"""However many ask, one look at a time, and one in a while."""

from __future__ import annotations

import asyncio

import pytest

from receiver.errors import BusError
from receiver.resilience.single_flight import SingleFlight


class Looks:
    """Counts the looks; one is let through at a time, or fails."""

    def __init__(self) -> None:
        self.count = 0
        self.error: BusError | None = None
        self.through = asyncio.Event()
        self.through.set()
        self.now = 100.0

    async def __call__(self) -> int:
        self.count += 1
        await self.through.wait()
        if self.error is not None:
            raise self.error
        return self.count

    def glance(self) -> SingleFlight[int]:
        return SingleFlight(self, ttl_s=1.0, clock=lambda: self.now)


async def test_who_asks_at_the_same_time_shares_one_look() -> None:
    looks = Looks()
    looks.through.clear()
    glance = looks.glance()
    asking = [asyncio.create_task(glance()) for _ in range(50)]
    await asyncio.sleep(0)
    looks.through.set()
    assert await asyncio.gather(*asking) == [1] * 50


async def test_what_was_seen_counts_for_a_moment() -> None:
    looks = Looks()
    glance = looks.glance()
    seen = [await glance(), await glance()]
    looks.now += 1.01
    assert [*seen, await glance()] == [1, 1, 2]


async def test_an_error_is_shared_and_everybody_gets_one_of_his_own() -> None:
    looks = Looks()
    looks.error = BusError("NATS is away")
    glance = looks.glance()
    results = await asyncio.gather(*(glance() for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["NATS is away"] * 3
    assert len({id(result) for result in results}) == 3
    looks.error = None
    looks.now += 1.01
    assert await glance() == 2


async def test_a_sender_that_hangs_up_disturbs_no_other() -> None:
    looks = Looks()
    looks.through.clear()
    glance = looks.glance()
    leaving, staying = (asyncio.create_task(glance()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    looks.through.set()
    assert await staying == 1
    with pytest.raises(asyncio.CancelledError):
        await leaving
