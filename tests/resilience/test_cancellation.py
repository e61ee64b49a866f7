"""A task is ended though it loses a cancellation, and a stop races a dial that is refused."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from structlog.testing import capture_logs

from receiver.bus.connection import Connection
from receiver.resilience.cancellation import cancel, within


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
    assert await cancel(task, patience_s=30)
    assert (task.cancelled(), lost) == (True, 3)


async def test_a_task_that_ignores_its_cancellation_is_named_and_left_behind() -> None:
    async def stubborn() -> None:
        while not ended.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await ended.wait()

    ended = asyncio.Event()
    task = asyncio.create_task(stubborn(), name="the stubborn one")
    await asyncio.sleep(0)
    with capture_logs() as logs:
        assert not await cancel(task, patience_s=0.01)
    ended.set()
    await task
    assert [(line["event"], line["work"]) for line in logs] == [
        ("task_left_behind", "the stubborn one")
    ]
    assert logs[0]["place"].startswith(f"{__name__}.")
    assert ".stubborn:" in logs[0]["place"]


async def test_work_that_takes_too_long_is_cut() -> None:
    started = asyncio.Event()

    async def endless() -> None:
        started.set()
        await asyncio.sleep(3600)

    assert not await within(0.01, endless(), name="endless")
    assert started.is_set()
    assert await within(30, asyncio.sleep(0), name="short")


async def test_what_work_raises_goes_through() -> None:
    async def failing() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await within(30, failing(), name="failing")


async def test_work_is_cancelled_with_its_caller() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.set()

    caller = asyncio.create_task(within(3600, endless(), name="endless"))
    await begun.wait()
    await cancel(caller, patience_s=30)
    assert caller.cancelled()
    assert cancelled.is_set()


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
            await cancel(task, patience_s=30)
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
