"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from receiver.bus.connection import Connection
from receiver.bus.consumers import consumer_info
from receiver.bus.subjects import Subjects
from receiver.worker.routing import Handler

_POLL_S: Final = 0.01
_MAX_POLL_S: Final = 0.25


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], *, within_s: float = 10.0
) -> None:
    """Return once `condition` holds; raises `TimeoutError` where it does not in time.

    What takes long is asked more seldom: a condition may cost more than what it waits for.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(within_s):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(min(max(_POLL_S, (loop.time() - began) / 10), _MAX_POLL_S))


async def handled(
    connection: Connection,
    subjects: Subjects,
    handlers: Sequence[Handler],
    *,
    within_s: float = 10.0,
) -> None:
    """Return once each handler has nothing pending: not waiting, not running, not to be retried."""

    async def idle() -> bool:
        infos = [
            await consumer_info(connection.client, subjects.stream, handler.durable)
            for handler in handlers
        ]
        return all(map(_is_idle, infos))

    await eventually(idle, within_s=within_s)


def _is_idle(info: Mapping[str, Any] | None) -> bool:
    return info is not None and info["num_pending"] == 0 and info["num_ack_pending"] == 0
