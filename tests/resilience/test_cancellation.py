"""A task is ended though it loses a cancellation, and a stop races a dial that is refused."""

from __future__ import annotations

import asyncio

import pytest

from receiver.bus.connection import Connection
from receiver.resilience.cancellation import cancel


async def test_a_task_that_loses_a_cancellation_is_cancelled_again() -> None:
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await cancel(task, again_s=0.001)
    assert (task.cancelled(), lost) == (True, 3)


async def test_a_caller_that_is_cancelled_does_not_wait_on() -> None:
    async def endless() -> None:
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue

    ended = asyncio.Event()
    task = asyncio.create_task(endless())
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await cancel(task, again_s=0.001)
    ended.set()
    await task


async def test_what_a_task_raised_stays_in_it() -> None:
    async def failing() -> None:
        raise LookupError

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    await cancel(task)
    assert isinstance(task.exception(), LookupError)


async def test_a_stop_while_a_dial_is_refused_ends() -> None:
    async def one(number: int) -> None:
        connection = Connection("nats://127.0.0.1:9", ())
        await connection.start(patience_s=number % 7 / 1000)
        await connection.stop()

    async with asyncio.timeout(60):
        await asyncio.gather(*(one(number) for number in range(300)))
