"""The one way to end a task: cancelled until it has ended, within a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from receiver.observability.logs import get_logger
from receiver.observability.places import place_of_task

PATIENCE_S: Final = 0.5
_AGAIN_S: Final = 0.5
_TRIES: Final = 4
_CUT_S: Final = 0.1


async def cancel(task: asyncio.Task[Any], *, patience_s: float = PATIENCE_S) -> bool:
    """Cancel a task, again and again, until it has ended; whether it did within `patience_s`.

    One cancellation may be lost: Python 3.11's `asyncio.wait_for` returns its result in place of it
    (https://github.com/python/cpython/issues/86296), and libraries wait by it in loops. What
    ignores all of them is logged and left behind. What the task raised is left in it; a
    cancellation of the caller goes through.
    """
    return await cancel_all({task}, patience_s=patience_s)


async def cancel_all(tasks: set[asyncio.Task[Any]], *, patience_s: float = PATIENCE_S) -> bool:
    """As `cancel`, for several at once."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience_s
    again_s = min(_AGAIN_S, patience_s / _TRIES)
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=again_s)
        if loop.time() >= until:
            break
    for task in running:
        say_left(task)
    for task in tasks - running:
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it as never retrieved
    return not running


async def within(seconds: float, work: Coroutine[Any, Any, None], *, name: str) -> bool:
    """Run `work` for at most so long, then `cancel` it; whether it ended by itself.

    Raises what `work` raises. Unlike `asyncio.timeout` it goes on though `work` swallows its
    cancellation.
    """
    task = asyncio.create_task(work, name=name)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        await cancel(task, patience_s=_CUT_S)
    if done:
        task.result()
    return bool(done)


def say_left(task: asyncio.Task[Any]) -> None:
    """Log that a task ignores its cancellation, and where it waits."""
    get_logger("yizhan").error("task_left_behind", work=task.get_name(), place=place_of_task(task))
