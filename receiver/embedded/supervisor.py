"""Restarts the embedded server when it exits or stops accepting writes."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from receiver.embedded.server import EmbeddedServer
from receiver.errors import ConfigurationError
from receiver.observability.logs import get_logger

_LOOK_S: Final = 1.0
_RESTART_S: Final = 10.0
"""At least between two restarts of a server that lives."""
_ROOM_BYTES: Final = 4 * 1024 * 1024
"""What the disk has to take before a server that stores nothing gets another chance."""


async def supervise(server: EmbeddedServer) -> None:
    """Watch over a started server until cancelled; what it had acknowledged is on disk."""
    log = get_logger("yizhan.bus")
    failure, not_before = "", 0.0
    while True:
        if await _ended(server):
            log.error("nats_server_died", action="restart")
        else:
            if said := await asyncio.to_thread(server.log.store_failure):
                if not failure:
                    log.error("nats_server_stores_nothing", reason=said)
                failure = said
            if not failure or time.monotonic() < not_before:
                continue
            if not await asyncio.to_thread(_has_room, server.data_dir):
                continue
            log.error("nats_server_stuck", action="restart")
            not_before = time.monotonic() + _RESTART_S
        failure = ""
        try:
            await server.start()
        except ConfigurationError as error:
            log.error("nats_server_not_restarted", error=str(error))
            await asyncio.sleep(_LOOK_S)


async def take_over(server: EmbeddedServer) -> None:
    """Start a server on the data and the port of another run's once that run has ended."""
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            await server.start()
        except ConfigurationError:  # mostly that the other run lives
            continue
        get_logger("yizhan.bus").warning("nats_server_taken_over")
        await supervise(server)


async def _ended(server: EmbeddedServer) -> bool:
    """Whether the server ends within a look."""
    try:
        async with asyncio.timeout(_LOOK_S):
            await server.wait_dead()
    except TimeoutError:
        return False
    return True


def _has_room(directory: Path) -> bool:
    """Whether the disk takes a write now: free space does not show quotas and faults."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_ROOM_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True
