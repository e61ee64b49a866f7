"""Supervised background tasks: restarted with a pause when they raise."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from receiver.observability.logs import get_logger
from receiver.observability.places import place_of
from receiver.resilience.cancellation import PATIENCE_S, cancel

_AGAIN_S: Final = 1.0

Target = Callable[[], Awaitable[None]]


def start(target: Target, *, name: str) -> asyncio.Task[None]:
    """Run `target` as a task; where it raises, which is a defect, log that and run it again."""
    return asyncio.create_task(_supervised(target, name), name=name)


async def stop(task: asyncio.Task[None] | None, *, patience_s: float = PATIENCE_S) -> None:
    """`cancel` what `start` began, if anything."""
    if task is not None:
        await cancel(task, patience_s=patience_s)


@contextlib.asynccontextmanager
async def running(target: Target, *, name: str) -> AsyncIterator[None]:
    """Run `target` beside the body, and cancel it with that."""
    task = start(target, name=name)
    try:
        yield
    finally:
        await stop(task)


async def _supervised(target: Target, name: str) -> None:
    while True:
        try:
            await target()
        except Exception as error:  # noqa: BLE001 - or it would be missed only when it is needed
            get_logger("yizhan").error(
                "background_work_failed",
                work=name,
                error=type(error).__name__,
                place=place_of(error),
            )
            if _is_being_cancelled():  # which `target` lost in its own error
                return
            await asyncio.sleep(_AGAIN_S)
        else:
            return


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
