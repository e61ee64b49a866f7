"""Quarantine as an operator finds it: by source and reason, one callback, or a selection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from receiver.bus.connection import Connection
from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.reader import Scanned
from receiver.bus.read.selection import StreamSelection
from receiver.bus.subjects import Subjects
from receiver.errors import YizhanError
from receiver.operations.look.archive import Archive
from receiver.operations.look.id_kinds import hint


@dataclass(frozen=True, slots=True)
class QuarantineGroup:
    """Callbacks of one source that could not be read for one reason; `newest` is a sequence."""

    source: str
    reason: str
    place: str
    count: int
    first: datetime
    last: datetime
    newest: int

    def report(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "source": self.source,
            "reason": self.reason,
            "place": self.place or None,
            "count": self.count,
            "first_at": self.first.isoformat(timespec="seconds"),
            "last_at": self.last.isoformat(timespec="seconds"),
            "newest_seq": self.newest,
        }


class RawRef(NamedTuple):
    """A raw callback by its sequence; one in quarantine, or one that was read before."""

    seq: int
    quarantined: bool = True


class Quarantine:
    """Finds callbacks that could not be read. Everything raises what `Reader` raises."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self.archive = Archive(connection, subjects)
        self.reader = self.archive.reader
        self.connection = connection
        self.subjects = subjects

    async def groups(
        self, filters: Filters, scanned: Scanned = lambda _: None
    ) -> list[QuarantineGroup]:
        """What `filters` select, by source and reason, the most frequent first."""
        found: dict[tuple[str, str, str], QuarantineGroup] = {}
        async for stored in self._headers(filters, scanned):
            group = _group(stored)
            key = (group.source, group.reason, group.place)
            if before := found.get(key):
                group = replace(group, count=before.count + 1, first=before.first)
            found[key] = group
        return sorted(found.values(), key=lambda group: (-group.count, group.source, group.reason))

    async def unknown(self, filters: Filters) -> int:
        """How many callbacks of a type that was not known are stored."""
        return await self.reader.count(self._unknown(filters))

    async def one(self, text: str, seq: int | None, *, read: bool = False) -> StoredMessage:
        """The callback in quarantine of a sequence or an id; with `read`, also a sequence of one
        that was read. Raises `YizhanError` where there is none.
        """
        if seq is not None:
            return await self._of_sequence(seq, read=read)
        async for stored in self._headers(Filters(), lambda _: None):
            if stored.headers.get("yizhan-callbackid") == text:
                return await self._of_sequence(stored.stream_seq, read=False)
        said = hint(text, tried="yizhan quarantine")
        raise YizhanError(f"{text}: is not in quarantine{f'; {said}' if said else ''}")

    async def chosen(self, filters: Filters, scanned: Scanned = lambda _: None) -> list[RawRef]:
        """What `filters` select now, as it came."""
        return [RawRef(stored.stream_seq) async for stored in self._headers(filters, scanned)]

    async def chosen_unknown(
        self, filters: Filters, scanned: Scanned = lambda _: None
    ) -> list[RawRef]:
        """The callbacks of a type that was not known, which lie in the stream as they came."""
        found: list[RawRef] = []
        async for event in self.reader.read(self._unknown(filters), scanned=scanned):
            near = await self.archive.callbacks_of([event])
            found += [
                RawRef(raw.stream_seq, quarantined=False)
                for raw in near.values()
                if raw is not None
            ]
        return found

    def is_quarantined(self, stored: StoredMessage) -> bool:
        """Whether it is in quarantine, or was read before."""
        return stored.nats_subject.startswith(self.subjects.quarantine(""))

    async def _of_sequence(self, seq: int, *, read: bool) -> StoredMessage:
        stored = await self.reader.get(self.subjects.stream, seq)
        if stored is not None:
            if self.is_quarantined(stored):
                return stored
            if read and stored.nats_subject.startswith(self.subjects.raw("")):
                return stored
        what = "callback" if read else "callback in quarantine"
        raise YizhanError(f"#{seq}: the stream {self.subjects.stream} holds no such {what}")

    def _headers(self, filters: Filters, scanned: Scanned) -> AsyncIterator[StoredMessage]:
        chosen = selection.quarantine(filters, self.subjects)
        return self.reader.read(chosen, headers_only=True, scanned=scanned)

    def _unknown(self, filters: Filters) -> StreamSelection:
        return selection.events(replace(filters, event_type="unknown.received"), self.subjects)


def _group(stored: StoredMessage) -> QuarantineGroup:
    return QuarantineGroup(
        source=stored.nats_subject.rpartition(".")[2],
        reason=decode_header(stored.headers.get("yizhan-reason", "")),
        place=decode_header(stored.headers.get("yizhan-place", "")),
        count=1,
        first=stored.stored_at,
        last=stored.stored_at,
        newest=stored.stream_seq,
    )
