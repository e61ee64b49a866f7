"""Work that goes on beside the rest for as long as that lasts, whatever defect strikes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from receiver.observability.logs import get_logger
from receiver.observability.places import place_of
from receiver.resilience.cancellation import cancel

_AGAIN_S: Final = 1.0

Work = Callable[[], Awaitable[None]]


def start(work: Work, *, name: str) -> asyncio.Task[None]:
    """Begin `work`. Where it raises, which is a defect, that is logged and it begins again."""
    return asyncio.create_task(_lasting(work, name), name=name)


async def stop(task: asyncio.Task[None] | None) -> None:
    """End what `start` began, if anything."""
    if task is not None:
        await cancel(task)


@contextlib.asynccontextmanager
async def running(work: Work, *, name: str) -> AsyncIterator[None]:
    """Let `work` go on beside the body, and end with it."""
    task = start(work, name=name)
    try:
        yield
    finally:
        await stop(task)


async def _lasting(work: Work, name: str) -> None:
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - or it would be missed only when it is needed
            get_logger("yizhan").error(
                "background_work_failed",
                work=name,
                error=type(error).__name__,
                place=place_of(error),
            )
            await asyncio.sleep(_AGAIN_S)
        else:
            return
