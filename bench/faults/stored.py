"""What the stream holds in the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from receiver.bus.connection import Connection
from receiver.bus.message import MSG_ID
from receiver.bus.read.history import Span, opened_history
from receiver.bus.subjects import Subjects
from receiver.errors import BusError

_TRIES = 10


@dataclass(slots=True)
class Stored:
    """How often each id of a raw message or an event is there, and the callbacks that are marked as
    having used another's signature; `batched` is how many raw messages were stored in a batch."""

    ids: Counter[str] = field(default_factory=Counter)
    marked: set[str] = field(default_factory=set)
    batched: int = 0


async def read_stored(nats_url: str) -> Stored:
    """Read the whole stream; raises `BusError` where it is not complete."""
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


async def _read(connection: Connection, subjects: Subjects) -> Stored:
    found, read = Stored(), 0
    span = Span((subjects.raw(">"), subjects.all_events))
    async with opened_history(connection, subjects.stream, span, headers_only=True) as history:
        async for message in history.read():
            read += 1
            found.ids[message.headers[MSG_ID]] += 1
            if "Nats-Batch-Id" in message.headers and "yizhan-callbackid" in message.headers:
                found.batched += 1
            if "ce-replayof" in message.headers:
                found.marked.add(message.headers["ce-callbackid"])
    if read != history.count:
        raise BusError(f"{history.count} messages were counted and {read} read")
    return found
