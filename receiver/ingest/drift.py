"""Schema drift: what the platforms send that our models do not know. Pure, bounded in memory.

The facts are in the headers of the raw messages, so a report can be made at any time, and nothing
is kept beside the stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from receiver.bus.connection import Connection
from receiver.bus.headers import UNKNOWN_FIELDS, UNKNOWN_TYPE, decode_header
from receiver.bus.read.history import Span, opened_history
from receiver.bus.read.lookup import source_of
from receiver.bus.subjects import Subjects
from receiver.callback import Callback
from schemas.events import UnknownReceived

_MAX_NOTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Unknown:
    """One thing we do not know; `field` is None where the message type itself is unknown."""

    source: str
    message_type: str
    field: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """How often, and since when."""

    count: int
    first: datetime
    last: datetime


class DriftNotes:
    """Notes each unknown field and type once in the life of a process."""

    def __init__(self) -> None:
        self._noted: set[Unknown] = set()

    def news(self, source: str, callback: Callback) -> Sequence[Unknown]:
        """What this callback holds that was not noted before."""
        unknown_type = any(type(draft.data) is UnknownReceived for draft in callback.events)
        if not (unknown_type or callback.unknown_fields):
            return ()
        message_type = callback.message_type or ""
        unknown = [Unknown(source, message_type, name) for name in callback.unknown_fields]
        if unknown_type:
            unknown.append(Unknown(source, message_type, None))
        return [thing for thing in unknown if self._is_new(thing)]

    def _is_new(self, thing: Unknown) -> bool:
        if thing in self._noted or len(self._noted) >= _MAX_NOTED:
            return False
        self._noted.add(thing)
        return True


class DriftReport:
    """Adds up the headers of raw messages."""

    def __init__(self) -> None:
        self._seen: dict[Unknown, Seen] = {}

    def add(self, source: str, headers: Mapping[str, str], when: datetime) -> None:
        """Count one raw message; what holds nothing unknown changes nothing."""
        message_type = decode_header(headers.get("yizhan-messagetype", ""))
        names = decode_header(headers.get(UNKNOWN_FIELDS, ""))
        for name in filter(None, names.split(",")):
            self._count(Unknown(source, message_type, name), when)
        if UNKNOWN_TYPE in headers:
            self._count(Unknown(source, message_type, None), when)

    def rows(self) -> list[tuple[Unknown, Seen]]:
        """Every unknown thing, the most frequent first."""
        return sorted(
            self._seen.items(),
            key=lambda row: (-row[1].count, row[0].source, row[0].message_type, row[0].field or ""),
        )

    def _count(self, thing: Unknown, when: datetime) -> None:
        seen = self._seen.get(thing)
        if seen is None:
            self._seen[thing] = Seen(1, when, when)
        else:
            self._seen[thing] = Seen(seen.count + 1, min(seen.first, when), max(seen.last, when))


async def read_drift(
    connection: Connection, subjects: Subjects, *, since: datetime | None
) -> DriftReport:
    """What the raw callbacks hold that our models do not know; raises `BusError`."""
    report = DriftReport()
    span = Span((subjects.raw(">"),), since=since)
    async with opened_history(connection, subjects.stream, span, headers_only=True) as history:
        async for stored in history.read():
            report.add(source_of(stored, subjects), stored.headers, stored.stored_at)
    return report
