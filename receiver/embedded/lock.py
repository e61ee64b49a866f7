"""Locks on a data directory, held by descriptors that live as long as their owner."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

_POLL_S: Final = 0.003


async def locked(
    file: Path, *, patience_s: float, unless: Callable[[], bool] = lambda: False
) -> int | None:
    """A descriptor that holds the lock; None where another keeps it too long, or `unless` holds."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        async with asyncio.timeout(patience_s):
            while not _try_lock(descriptor):
                if unless():
                    raise TimeoutError
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
