"""The queue of calls: who goes next, and how many at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from receiver.client.admission import Admission
from receiver.client.platform import PlatformAPI
from receiver.client.priority import Priority, current_priority, prioritised
from receiver.errors import InvalidRequestError
from receiver.testing import eventually
from tests.client.conftest import Platform, settings_of


@dataclass
class Slots:
    """A moment whenever the test lets one come."""

    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    error: Exception | None = None

    async def take(self, count: int) -> Sequence[float]:
        """See `Slots.take`."""
        await self.free.acquire()
        if self.error is not None:
            raise self.error
        return [0.0]


@pytest.fixture
async def slots() -> Slots:
    return Slots()


@pytest.fixture
async def queue(slots: Slots) -> AsyncIterator[Admission]:
    opened = Admission(slots, 2, clock=lambda: 0.0)
    yield opened
    await opened.aclose()


async def settled() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_live_call_goes_before_those_that_waited_longer(
    slots: Slots, queue: Admission
) -> None:
    passed: list[Priority] = []

    async def call(priority: Priority) -> None:
        with prioritised(priority):
            async with queue.turn():
                passed.append(current_priority())

    order: list[Priority] = ["sweep", "sweep", "replay", "live", "live"]
    calls = [asyncio.create_task(call(priority)) for priority in order]
    await settled()
    for _ in calls:
        slots.free.release()
    await asyncio.gather(*calls)

    assert passed == ["live", "live", "replay", "sweep", "sweep"]


async def test_calls_of_one_priority_pass_in_the_order_in_which_they_came(
    slots: Slots, queue: Admission
) -> None:
    passed: list[int] = []

    async def call(number: int) -> None:
        async with queue.turn():
            passed.append(number)

    calls = [asyncio.create_task(call(number)) for number in range(5)]
    await settled()
    for _ in calls:
        slots.free.release()
    await asyncio.gather(*calls)

    assert passed == [0, 1, 2, 3, 4]


async def test_only_so_many_calls_are_under_way_at_once(slots: Slots, queue: Admission) -> None:
    under_way: list[int] = []
    end = asyncio.Event()

    async def call(number: int) -> None:
        async with queue.turn():
            under_way.append(number)
            await end.wait()

    calls = [asyncio.create_task(call(number)) for number in range(3)]
    for _ in range(3):
        slots.free.release()
    await settled()
    at_once = list(under_way)
    end.set()
    await asyncio.gather(*calls)

    assert (at_once, under_way) == ([0, 1], [0, 1, 2])


async def test_a_call_that_gives_up_leaves_its_turn_to_the_next(
    slots: Slots, queue: Admission
) -> None:
    async def call() -> str:
        async with queue.turn():
            return "passed"

    gone, others = asyncio.create_task(call()), [asyncio.create_task(call()) for _ in range(4)]
    await settled()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    for _ in others:
        slots.free.release()

    assert await asyncio.gather(*others) == ["passed"] * 4


async def test_a_call_that_gives_up_as_its_turn_comes_gives_back_its_place(
    slots: Slots, queue: Admission
) -> None:
    async def call() -> str:
        async with queue.turn():
            return "passed"

    for _ in range(3):  # more than there are places
        slots.free.release()
        gone = asyncio.create_task(call())
        await asyncio.sleep(0)
        waiting = queue._queue[0][2]
        await eventually(waiting.done)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    slots.free.release()

    assert await call() == "passed"


async def test_a_moment_that_has_gone_by_is_not_used() -> None:
    now, taken = [0.0], 0

    class Late:
        async def take(self, count: int) -> Sequence[float]:
            nonlocal taken
            taken += 1
            return [now[0], now[0] + 1, now[0] + 2]

    async def oversleep(seconds: float) -> None:
        await settled()
        now[0] += seconds + 0.5

    queue = Admission(Late(), 9, clock=lambda: now[0], sleep=oversleep)

    async def call() -> float:
        async with queue.turn():
            return now[0]

    passed = await asyncio.gather(*(call() for _ in range(3)))

    assert passed == [0.0, 1.5, 3.0]
    assert taken == 3


async def test_what_fails_in_the_queue_fails_in_the_calls(slots: Slots, queue: Admission) -> None:
    slots.error = ZeroDivisionError()
    slots.free.release()

    with pytest.raises(ZeroDivisionError):
        async with queue.turn():
            pass


async def test_closing_the_queue_ends_what_waits(slots: Slots, queue: Admission) -> None:
    async def call() -> None:
        async with queue.turn():
            pass

    waiting = asyncio.create_task(call())
    await settled()

    await queue.aclose()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_view_gives_its_calls_a_priority_and_leaves_the_others_alone(
    platform: Platform, api: PlatformAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.reply([])
    seen: list[Priority] = []
    turn = Admission.turn

    def observed(queue: Admission) -> contextlib.AbstractAsyncContextManager[None]:
        seen.append(current_priority())
        return turn(queue)

    monkeypatch.setattr(Admission, "turn", observed)

    await api.with_priority("sweep").alibaba.orders.logistics("1")
    await api.alibaba.orders.logistics("1")
    with prioritised("replay"):
        await api.alibaba.orders.logistics("1")

    assert seen == ["sweep", "live", "replay"]


async def test_a_priority_that_is_none_is_refused(api: PlatformAPI) -> None:
    with pytest.raises(InvalidRequestError, match="live, replay, sweep"):
        api.with_priority("urgent")  # type: ignore[arg-type] # that is the point


async def test_closing_a_view_leaves_the_client_open(platform: Platform) -> None:
    platform.reply([])
    async with PlatformAPI.open(settings_of(platform.url)) as api:
        async with api.with_priority("sweep"):
            pass
        assert (await api.alibaba.orders.logistics("1")).traces == ()
