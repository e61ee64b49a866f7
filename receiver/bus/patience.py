"""Asking a server again that may restart meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from receiver.bus.publish.contract import RefusedError
from receiver.errors import BusError

PATIENCE_S: Final = 15.0
"""How long an act waits for a server that restarts."""
_AGAIN_S: Final = 0.25
AnswerT = TypeVar("AnswerT")


async def patiently(
    ask: Callable[[], Awaitable[AnswerT]], patience_s: float = PATIENCE_S
) -> AnswerT:
    """What `ask` gives once NATS answers; raises its `BusError` where NATS stays away."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while True:
        try:
            return await ask()
        except RefusedError:
            raise
        except BusError:
            if loop.time() >= deadline:
                raise
        await asyncio.sleep(_AGAIN_S)
