"""Restarts the embedded server when it exits or stops accepting writes."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from receiver.embedded.server import EmbeddedServer
from receiver.errors import ConfigurationError
from receiver.observability.logs import get_logger

LOOK_S: Final = 1.0
_RESTART_S: Final = 10.0
"""At least between two restarts of a server that lives."""
_ROOM_BYTES: Final = 4 * 1024 * 1024
"""What the disk has to take before a server that stores nothing gets another chance."""


def has_room(directory: Path) -> bool:
    """Whether the disk takes a write now: free space does not show quotas and faults."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_ROOM_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


async def supervise(
    server: EmbeddedServer,
    *,
    look_s: float = LOOK_S,
    has_room: Callable[[Path], bool] = has_room,
) -> None:
    """Watch over a started server until cancelled; what it had acknowledged is on disk.

    A server that stores nothing gets another chance once `has_room` says so of its directory.
    """
    log = get_logger("yizhan.bus")
    failure, not_before = "", 0.0
    while True:
        if await _ended(server, look_s):
            log.error("nats_server_died", action="restart")
        else:
            if reason := await asyncio.to_thread(server.log.store_failure):
                if not failure:
                    log.error("nats_server_stores_nothing", reason=reason)
                failure = reason
            if not failure or time.monotonic() < not_before:
                continue
            if not await asyncio.to_thread(has_room, server.data_dir):
                continue
            log.error("nats_server_stuck", action="restart")
            not_before = time.monotonic() + _RESTART_S
        failure = ""
        try:
            await server.start()
        except ConfigurationError as error:
            log.error("nats_server_not_restarted", error=str(error))
            await asyncio.sleep(look_s)


async def take_over(server: EmbeddedServer, *, look_s: float = LOOK_S) -> None:
    """Start a server on the data and the port of another run's once that run has ended."""
    while True:
        await asyncio.sleep(look_s)
        try:
            await server.start()
        except ConfigurationError:  # mostly that the other run lives
            continue
        get_logger("yizhan.bus").warning("nats_server_taken_over")
        await supervise(server, look_s=look_s)


async def _ended(server: EmbeddedServer, look_s: float) -> bool:
    """Whether the server ends within a look."""
    try:
        async with asyncio.timeout(look_s):
            await server.wait_dead()
    except TimeoutError:
        return False
    return True
