"""What the stream holds in the end."""

from __future__ import annotations

import asyncio
from collections import Counter

from receiver.bus.connection import Connection
from receiver.bus.history import Span, opened_history
from receiver.bus.message import MSG_ID
from receiver.bus.subjects import Subjects
from receiver.errors import BusError

_TRIES = 10


async def stored_ids(nats_url: str) -> Counter[str]:
    """How often each id of a raw message or an event is in the stream; raises `BusError`."""
    connection, subjects = Connection(nats_url, ()), Subjects()
    if not await connection.start(patience_s=30):
        raise BusError("the log is away at the end")
    try:
        for attempt in range(_TRIES):
            try:
                return await _read(connection, subjects)
            except BusError:
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(1)
    finally:
        await connection.stop()
    raise AssertionError("unreachable")


async def _read(connection: Connection, subjects: Subjects) -> Counter[str]:
    found = Counter[str]()
    span = Span((subjects.raw(">"), subjects.all_events))
    async with opened_history(connection, subjects.stream, span, headers_only=True) as history:
        async for message in history.read():
            found[message.headers[MSG_ID]] += 1
    return found
