"""Counting what the stream holds: by id and by type, and what of it our models do not know."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from receiver.bus.connection import Connection
from receiver.bus.read.history import Span, opened_history
from receiver.bus.subjects import Subjects


@dataclass(slots=True)
class StoredCounts:
    """How often each callback id and each event id is stored, and each event type."""

    callbacks: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    event_types: Counter[str] = field(default_factory=Counter)


async def count_stored(connection: Connection, subjects: Subjects) -> StoredCounts:
    """Count the raw callbacks, the quarantine and the events; raises `BusError`."""
    found = StoredCounts()
    raw = Span((subjects.raw(">"), subjects.quarantine(">")))
    async with opened_history(connection, subjects.stream, raw, headers_only=True) as history:
        async for stored in history.read():
            found.callbacks[stored.headers.get("yizhan-callbackid", "")] += 1
    events = Span((subjects.all_events,))
    async with opened_history(connection, subjects.stream, events, headers_only=True) as history:
        async for stored in history.read():
            found.events[stored.headers.get("ce-id", "")] += 1
            event_type = stored.headers.get("ce-type", "")
            found.event_types[event_type.removeprefix("yizhan.").removesuffix(".v1")] += 1
    return found
