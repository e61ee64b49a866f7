"""Ending a task for good, although one cancellation may be lost."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_AGAIN_S: Final = 0.5


async def cancel(task: asyncio.Task[Any], *, again_s: float = _AGAIN_S) -> None:
    """Return once the task has ended, which is asked of it again every `again_s` seconds.

    One cancellation may be lost: Python 3.11's `asyncio.wait_for` returns its result in place of it
    (https://github.com/python/cpython/issues/86296), and libraries wait by it in loops. What the
    task raised is left in it; a cancellation of the caller goes through.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=again_s)
    if not task.cancelled():
        task.exception()  # retrieved, so that asyncio does not log it as never retrieved
