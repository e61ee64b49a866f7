"""What is on record of a handler's runs, and the events of an order, read from the streams."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from receiver.bounded_cache import BoundedCache
from receiver.bus.connection import Connection
from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.state.keys import key_token
from receiver.bus.subjects import Subjects
from receiver.errors import DecodingError
from receiver.worker.effects.states import EffectRecord, read_record

_MAX_ORDERS: Final = 512
"""So many orders are remembered, some 60 kB each: the events of one come close together."""
_NEAR: Final = 256
"""Within so many messages the run of an event without an order is looked for."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run on record, see `RunRecord`."""

    event_id: str | None
    stream_seq: int
    attempt: int
    started_at: datetime
    ended_at: datetime
    outcome: str
    error_digest: str | None
    published: Sequence[str]
    published_count: int
    api: Sequence[str]
    api_count: int
    timer: str | None


class Past(Protocol):
    """What is known of the past. All of it raises `BusError`."""

    async def runs(self, handlers: Sequence[str], stored: StoredMessage) -> Sequence[PastRun]:
        """The recorded runs of a handler, under any of its names, on the events of an order, that
        one and its timers among them; as they began. Of an event without an order, some runs since.
        """

    async def events(self, channel: str, order_id: str) -> Sequence[StoredMessage]:
        """Every event of an order, oldest first."""

    async def behind(self, stored: StoredMessage) -> Sequence[StoredMessage]:
        """Some events that were stored after one without an order, and have none either."""

    async def effect(self, key: str) -> bytes | None:
        """What the ledger has of an effect."""

    async def effects(self, handler: str, fact_id: str) -> Sequence[EffectRecord]:
        """What the ledger has of a handler's effects for a fact."""


class StreamPast:
    """`Past` of the streams."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._reader = Reader(connection)
        self._subjects = subjects
        self._runs = BoundedCache[Sequence[PastRun]](_MAX_ORDERS)
        self._events = BoundedCache[Sequence[StoredMessage]](_MAX_ORDERS)
        self._has_state: bool | None = None

    async def runs(self, handlers: Sequence[str], stored: StoredMessage) -> Sequence[PastRun]:
        """See `Past.runs`."""
        subjects = [self._subjects.run(handler, stored.nats_subject) for handler in handlers]
        found = [run for subject in subjects for run in await self._on(subject, stored)]
        return sorted(found, key=lambda run: run.started_at)

    async def events(self, channel: str, order_id: str) -> Sequence[StoredMessage]:
        """See `Past.events`."""
        subject = self._subjects.events_of_order(order_id, channel=channel)
        known = self._events.get(subject)
        if known is None:
            known = [m async for m in self._read(self._subjects.stream, subject)]
            self._events.put(subject, known)
        return known

    async def behind(self, stored: StoredMessage) -> Sequence[StoredMessage]:
        """See `Past.behind`."""
        subject = f"{self._subjects.root}.events.*.*.*._"
        stream = self._subjects.stream
        return await self._reader.around(stream, subject, stored.stream_seq + 1, _NEAR)

    async def effect(self, key: str) -> bytes | None:
        """See `Past.effect`."""
        found = await self._entries(key)
        return found[0].body if found and found[0].body else None

    async def effects(self, handler: str, fact_id: str) -> Sequence[EffectRecord]:
        """See `Past.effects`."""
        found = await self._entries(f"effect.{key_token(handler)}.{key_token(fact_id)}.*")
        records = []
        for entry in found:
            with contextlib.suppress(DecodingError):  # deleted by hand, or of another version
                records.append(read_record(entry.body))
        return records

    async def _entries(self, key: str) -> Sequence[StoredMessage]:
        stream = self._subjects.state_stream
        if self._has_state is None:
            self._has_state = await self._reader.info(stream) is not None
        if not self._has_state:
            return ()
        return await self._reader.last(stream, [self._subjects.state(key)])

    async def _on(self, subject: str, stored: StoredMessage) -> Sequence[PastRun]:
        """The runs on one order; of those without an order, some since the event was stored."""
        stream = self._subjects.runs_stream
        if not decode_header(stored.headers.get("ce-subject", "")):
            since, near = stored.stored_at, list[PastRun]()
            async for message in self._read(stream, subject, since):
                near += past_run(message.body)
                if len(near) >= _NEAR:
                    break
            return near
        known = self._runs.get(subject)
        if known is None:
            known = [run async for m in self._read(stream, subject) for run in past_run(m.body)]
            self._runs.put(subject, known)
        return known

    async def _read(
        self, stream: str, subject: str, since: datetime | None = None
    ) -> AsyncIterator[StoredMessage]:
        async for message in self._reader.read(StreamSelection(stream, [subject], since)):
            yield message


def past_run(body: bytes) -> Collection[PastRun]:
    """The run of a record; none for what is no record."""
    try:
        record: Mapping[str, Any] = json.loads(body)
        started = datetime.fromisoformat(record["started_at"])
        return [
            PastRun(
                event_id=record["event_id"],
                stream_seq=record["stream_seq"],
                attempt=record["attempt"],
                started_at=started,
                ended_at=started + timedelta(milliseconds=record["duration_ms"]),
                outcome=record["outcome"],
                error_digest=record["error_digest"],
                published=record["published"],
                published_count=record["published_count"],
                api=record["api"],
                api_count=record["api_count"],
                timer=record.get("timer"),
            )
        ]
    except (ValueError, KeyError, TypeError):
        return ()
