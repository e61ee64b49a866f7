"""Counting what the stream holds: by id and by type, and what of it our models do not know."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from receiver.bus.connection import Connection
from receiver.bus.read.history import Span, opened_history
from receiver.bus.subjects import Subjects
from receiver.ingest.drift import DriftReport
from receiver.ingest.warmup import source_of


@dataclass(slots=True)
class Tally:
    """How often each callback id and each event id is stored, and each event type."""

    callbacks: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    event_types: Counter[str] = field(default_factory=Counter)


async def tally(connection: Connection, subjects: Subjects) -> Tally:
    """Count the raw callbacks, the quarantine and the events; raises `BusError`."""
    found = Tally()
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


async def drift(
    connection: Connection, subjects: Subjects, *, since: datetime | None
) -> DriftReport:
    """What the raw callbacks hold that our models do not know; raises `BusError`."""
    report = DriftReport()
    span = Span((subjects.raw(">"),), since=since)
    async with opened_history(connection, subjects.stream, span, headers_only=True) as history:
        async for stored in history.read():
            report.add(source_of(stored, subjects), stored.headers, stored.stored_at)
    return report
