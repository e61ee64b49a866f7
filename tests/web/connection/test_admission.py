"""First come first served, a few a turn."""

from __future__ import annotations

import asyncio

from receiver.web.connection.admission import AdmissionQueue
from tests.web.raw import PATIENCE_S


async def test_requests_begin_a_few_a_turn_and_in_order() -> None:
    loop = asyncio.get_running_loop()
    turnstile = AdmissionQueue(loop, timeout_s=60, per_turn=2)
    begun: list[tuple[int, int]] = []
    turn = 0

    def count_turns() -> None:
        nonlocal turn
        turn += 1
        if len(begun) < 7:
            loop.call_soon(count_turns)

    loop.call_soon(count_turns)
    for number in range(7):
        turnstile.enter(lambda late, number=number: begun.append((number, turn)))  # type: ignore[misc]
    async with asyncio.timeout(PATIENCE_S):
        while len(begun) < 7:
            await asyncio.sleep(0)
    assert [number for number, _ in begun] == list(range(7))
    assert max(sum(at == when for _, at in begun) for _, when in begun) == 2


async def test_a_request_that_waited_too_long_is_told_so() -> None:
    turnstile = AdmissionQueue(asyncio.get_running_loop(), timeout_s=-1, per_turn=1)
    told: list[bool] = []
    turnstile.enter(told.append)
    turnstile.enter(told.append)
    async with asyncio.timeout(PATIENCE_S):
        while len(told) < 2:
            await asyncio.sleep(0)
    assert told == [False, True]
