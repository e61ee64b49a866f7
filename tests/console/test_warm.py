"""What a page shows while a slow reading is done anew."""

from __future__ import annotations

import pytest

from receiver.console.warm import FRESH_S, Warm
from receiver.errors import BusError
from receiver.testing import eventually


async def test_a_result_is_shown_while_it_is_read_anew_and_not_for_ever() -> None:
    now, calls = 0.0, 0

    async def call() -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise BusError("away")
        return calls

    async def called(times: int) -> bool:
        return calls == times

    warm = Warm(call, clock=lambda: now)
    assert [await warm(), await warm()] == [1, 1]
    now = FRESH_S + 1
    assert await warm() == 1
    await eventually(lambda: called(2))
    assert await warm() == 2
    now = 1000.0
    with pytest.raises(BusError):
        await warm()
    assert await warm() == 4
