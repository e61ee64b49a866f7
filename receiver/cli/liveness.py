"""Whether a running worker still works: it writes a file every few seconds, others look at it.

A worker has no port to ask. A handler that blocks the event loop, or a consumer that ended, stops
the beat; NATS being away does not, because a restart would not bring it back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Final

from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.resilience import supervision
from receiver.worker.worker import Worker

FILE: Final = "worker.alive"
"""In the data directory; holds the process id, and is touched with each beat."""
BEAT_S: Final = 5.0
STALE_S: Final = 30.0


@contextlib.asynccontextmanager
async def beating(worker: Worker, data_dir: Path) -> AsyncIterator[None]:
    """Write the file for as long as the worker works; it goes when the worker stops.

    A directory that cannot be written is logged: the worker runs all the same, unwatched.
    """
    file = data_dir / FILE
    if not _made(file):
        yield
        return
    try:
        async with supervision.running(partial(_beat, worker, file), name="worker-alive"):
            yield
    finally:
        _removed(file)


def _made(file: Path) -> bool:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text(f"{os.getpid()}\n", encoding="ascii")
    except OSError as error:
        get_logger("yizhan").warning(
            "worker_not_watched",
            error=f"nats.data_dir: cannot write in {file.parent}: {error.strerror}",
            action="`yizhan check --worker` fails until it can be written",
        )
        return False
    return True


def _removed(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)


async def _beat(worker: Worker, file: Path) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        if worker.alive:
            os.utime(file)


def worker_lives(data_dir: Path) -> str:
    """What is well about the worker of a data directory; raises `BusError` where it hangs or does
    not run.
    """
    file = data_dir / FILE
    try:
        age_s = time.time() - file.stat().st_mtime
    except OSError:
        raise BusError(
            f"no worker runs on {data_dir}: start one with `yizhan work`, or set nats.data_dir"
        ) from None
    if age_s > STALE_S:
        raise BusError(
            f"the worker on {data_dir} has done nothing for {age_s:.0f} s: restart it, and look "
            "for a handler that blocks (a call without await)"
        )
    return f"the worker on {data_dir} worked {max(age_s, 0):.0f} s ago"
