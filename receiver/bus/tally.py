"""Counting what the stream holds, by id and by type."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from receiver.bus.connection import Connection
from receiver.bus.headers import read_headers
from receiver.bus.subjects import Subjects


@dataclass(slots=True)
class Tally:
    """How often each callback id and each event id is stored, and each event type."""

    callbacks: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    event_types: Counter[str] = field(default_factory=Counter)


async def tally(connection: Connection, subjects: Subjects) -> Tally:
    """Count the raw callbacks, the quarantine and the events; raises `BusError`."""
    found = Tally()
    for raw in (subjects.raw(">"), subjects.quarantine(">")):
        async for stored in read_headers(connection, subjects.stream, raw):
            found.callbacks[stored.headers.get("yizhan-callbackid", "")] += 1
    async for stored in read_headers(connection, subjects.stream, subjects.all_events):
        found.events[stored.headers.get("ce-id", "")] += 1
        event_type = stored.headers.get("ce-type", "")
        found.event_types[event_type.removeprefix("yizhan.").removesuffix(".v1")] += 1
    return found
