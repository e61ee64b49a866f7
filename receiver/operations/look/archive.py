"""What belongs together in the stream, found by its indexes or, where there is none, by searching.

Callbacks and events have no index by their ids but the duplicate window of a server without
replicas. A callback lies right before its events, since they are published together; so each is
found from the other. Any other id is searched for, latest first, within a window of time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from receiver.bus.connection import Connection
from receiver.bus.durables import Durable, count_subjects, durables
from receiver.bus.message import MSG_ID, StoredMessage
from receiver.bus.patience import patiently
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.lookup import seq_in_window
from receiver.bus.read.reader import Reader, Scanned
from receiver.bus.read.selection import StreamSelection
from receiver.bus.state.keys import key_token, order_key
from receiver.bus.subjects import ANY, Subjects, encode_token
from receiver.operations.look.documents import effect_document, header, run_document
from receiver.operations.look.letters import UnledLetters

WINDOW: Final = timedelta(hours=24)
"""How far back is searched for what has no index, unless `since` says."""
_STEPS: Final = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 72, 168, 720))
NEAR: Final = 64
"""Within so many messages of an event its callback lies, where another was stored in between."""
_AT_ONCE: Final = 16
OF_CALLBACKS: Final = frozenset({"push", "reparse"})
"""The origins of what a callback said."""
_MAX_LETTERS: Final = 1000


@dataclass(frozen=True, slots=True)
class Mention:
    """An order whose event names a text, and the field that holds it; without a sequence where the
    index says so, and not an event.
    """

    channel: str
    order_id: str | None
    field: str
    stream_seq: int | None


class Archive:
    """Finds what belongs together. Everything raises what `Reader` raises."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self.reader = Reader(connection)
        self.subjects = subjects
        self.connection = connection
        self.unled_letters = UnledLetters(self.reader, subjects)

    async def event(
        self, event_id: str, filters: Filters, scanned: Scanned = lambda _: None
    ) -> StoredMessage | None:
        """The event of an id, searched for among those of `filters`."""
        chosen = selection.events(filters, self.subjects)
        return await self._searched(chosen, event_id, scanned)

    async def callback(
        self, callback_id: str, filters: Filters, scanned: Scanned = lambda _: None
    ) -> StoredMessage | None:
        """The raw callback of an id, or the one in quarantine; likewise."""
        raw = selection.callbacks(filters, self.subjects)
        quarantined = selection.quarantine(filters, self.subjects)
        both = replace(raw, nats_subjects=(*raw.nats_subjects, *quarantined.nats_subjects))
        return await self._searched(both, callback_id, scanned)

    async def remembered_event(self, event_id: str, filters: Filters) -> StoredMessage | None:
        """The event of an id where the server still knows it by its id; nothing is searched."""
        return await self._remembered(selection.events(filters, self.subjects), event_id)

    async def remembered_callback(self, callback_id: str, filters: Filters) -> StoredMessage | None:
        """The raw callback of an id, likewise."""
        return await self._remembered(selection.callbacks(filters, self.subjects), callback_id)

    async def callbacks_of(
        self, events: Iterable[StoredMessage]
    ) -> dict[str, StoredMessage | None]:
        """The raw callback of each event that was pushed, by its id; None where it is not near."""
        firsts: dict[str, StoredMessage] = {}
        for event in events:
            callback_id = header(event.headers, "ce-callbackid")
            if callback_id and event.headers.get("ce-origin", "push") in OF_CALLBACKS:
                firsts.setdefault(callback_id, event)
        limit = asyncio.Semaphore(_AT_ONCE)

        async def look(callback_id: str, event: StoredMessage) -> StoredMessage | None:
            async with limit:
                return await self._callback_before(event, callback_id)

        found = await asyncio.gather(*(look(one, event) for one, event in firsts.items()))
        return dict(zip(firsts, found, strict=True))

    async def events_of_callback(self, raw: StoredMessage) -> Sequence[StoredMessage]:
        """The events that were stored with a raw callback."""
        callback_id = _id_of(raw)
        behind = await self.reader.around(
            self.subjects.stream, self.subjects.all_events, raw.stream_seq, NEAR
        )
        return [one for one in behind if one.headers.get("ce-callbackid") == callback_id]

    async def runs_of_order(
        self, channel: str, order_id: str | None, since: datetime | None = None
    ) -> list[dict[str, Any]]:
        """The recorded runs on the events of an order, as they began."""
        key = encode_token(order_id)
        subject = f"{self.subjects.root}.runs.{ANY}.{channel}.{key}"
        chosen = StreamSelection(self.subjects.runs_stream, [subject], since)
        runs = [run_document(stored) async for stored in self.reader.read(chosen)]
        return sorted((r for r in runs if r is not None), key=lambda run: run["started_at"])

    async def letters_of(
        self, runs: Iterable[dict[str, Any]], event_ids: Collection[str | None]
    ) -> list[StoredMessage]:
        """The dead letters that runs ended in: each is on the subject of its handler and cause."""
        starts: dict[str, datetime] = {}
        for run in runs:
            if run["outcome"] == "dead_lettered" and run["error_digest"]:
                subject = self.subjects.dead(run["handler"], run["error_digest"])
                starts.setdefault(subject, datetime.fromisoformat(run["started_at"]))
        found: list[StoredMessage] = []
        for subject, since in starts.items():
            chosen = StreamSelection(self.subjects.dead_stream, [subject], since)
            async with aclosing(self._first(chosen, _MAX_LETTERS)) as letters:
                found += [one async for one in letters if one.headers.get("ce-id") in event_ids]
        return found

    async def kept_state(self, channel: str, order_id: str) -> bytes | None:
        """What handlers keep of an order; None where they keep nothing."""
        entry = self.subjects.state(order_key(channel, order_id))
        found = await self._entries([entry])
        return found[0].body if found else None

    async def effects_of(self, fact_ids: Iterable[str]) -> list[dict[str, Any]]:
        """The effects of handlers for these facts, with the keys by which operators name them."""
        tokens = dict.fromkeys(map(key_token, fact_ids))
        wanted = [
            self.subjects.state(f"effect.{ANY}.{token}.{name}")
            for token in tokens
            for name in (ANY, f"{ANY}.{ANY}")
        ]
        prefix = self.subjects.state("")
        effects = [
            (stored.nats_subject.removeprefix(prefix), effect_document(stored))
            for stored in await self._entries(wanted)
        ]
        return [{"key": key, **effect} for key, effect in effects if effect is not None]

    async def _entries(self, subjects: Sequence[str]) -> Sequence[StoredMessage]:
        stream = self.subjects.state_stream
        if not subjects or await self.reader.info(stream) is None:
            return ()
        return await self.reader.last(stream, subjects)

    async def count_by_subject(self, stream: str, nats_subjects: str) -> dict[str, int]:
        """How many messages each subject has; none without the stream."""
        connection = self.connection

        async def ask() -> dict[str, int]:
            counting = count_subjects(connection.client, stream, nats_subjects)
            return await connection.allowed(connection.client, counting)

        return await patiently(ask)

    async def durables(self) -> list[Durable]:
        """How far each handler has come."""
        connection = self.connection
        listing = durables(connection.client, self.subjects.stream)
        return await connection.allowed(connection.client, listing)

    async def scheduled(self, channel: str, order_id: str | None) -> Sequence[StoredMessage]:
        """What waits for its time, of an order."""
        key = encode_token(order_id)
        waiting = f"{self.subjects.root}.schedules.{ANY}.{ANY}.{channel}.{key}"
        chosen = StreamSelection(self.subjects.stream, [waiting, f"{waiting}.{ANY}"])
        found = [stored async for stored in self.reader.read(chosen)]
        return [one for one in found if one.headers.get("Nats-Schedule", "").startswith("@at ")]

    async def mentions(
        self, text: str, filters: Filters, scanned: Scanned = lambda _: None
    ) -> list[Mention]:
        """The orders of which an event holds `text` as the value of a field, of the latest part of
        the window that has any.
        """
        wanted = json.dumps(text, ensure_ascii=False).encode()
        counter = _Counter(scanned)
        for window in _windows(filters):
            found: dict[tuple[str, str | None], Mention] = {}
            chosen = selection.events(window, self.subjects)
            async for stored in self.reader.read(chosen, scanned=counter.part()):
                if wanted not in stored.body or not (field := _field(stored.body, text)):
                    continue
                channel = header(stored.headers, "ce-channel") or "unknown"
                order_id = header(stored.headers, "ce-subject")
                mention = Mention(channel, order_id, field, stored.stream_seq)
                found.setdefault((channel, order_id), mention)
            if found:
                return list(found.values())
        return []

    async def _first(
        self, chosen: StreamSelection, count: int
    ) -> AsyncGenerator[StoredMessage, None]:
        async with aclosing(self.reader.read(chosen)) as reading:
            async for stored in reading:
                if count <= 0:
                    return
                count -= 1
                yield stored

    async def _callback_before(
        self, event: StoredMessage, callback_id: str
    ) -> StoredMessage | None:
        stream, number = self.subjects.stream, event.headers.get("ce-id", "").rpartition(".")[2]
        if number.isdecimal():
            guess = await self.reader.get(stream, event.stream_seq - int(number) - 1)
            if guess is not None and _id_of(guess) == callback_id:
                return guess
        source = (header(event.headers, "ce-source") or "").removeprefix("/sources/")
        near = await self.reader.around(
            stream, self.subjects.raw(source or ANY), event.stream_seq - NEAR, NEAR
        )
        return next((one for one in near if _id_of(one) == callback_id), None)

    async def _searched(
        self, chosen: StreamSelection, msg_id: str, scanned: Scanned
    ) -> StoredMessage | None:
        if (known := await self._remembered(chosen, msg_id)) is not None:
            return known
        counter = _Counter(scanned)
        window = Filters(since=chosen.since, until=chosen.until)
        for part in _windows(window):
            some = replace(chosen, since=part.since, until=part.until)
            reading = self.reader.read(some, headers_only=True, scanned=counter.part())
            async with aclosing(reading) as messages:
                async for stored in messages:
                    if _id_of(stored) == msg_id:
                        return await self.reader.get(chosen.stream, stored.stream_seq)
        return None

    async def _remembered(self, chosen: StreamSelection, msg_id: str) -> StoredMessage | None:
        """By the duplicate window, where it is one of those selected."""
        info = await self.reader.info(chosen.stream)
        if not msg_id.isprintable() or info is None or info["config"].get("num_replicas", 1) > 1:
            return None
        seq = await seq_in_window(self.connection, self.subjects, msg_id)
        found = await self.reader.get(chosen.stream, seq) if seq else None
        return found if found is not None and chosen.selects(found) else None


class _Counter:
    """Adds up what several readings looked at."""

    def __init__(self, scanned: Scanned) -> None:
        self._scanned = scanned
        self._total = 0

    def part(self) -> Callable[[int], None]:
        before = self._total

        def count(number: int) -> None:
            self._total = before + number
            self._scanned(self._total)

        return count


def _id_of(stored: StoredMessage) -> str | None:
    """The id of a callback or an event. A callback that was read again has another message id."""
    return stored.headers.get("yizhan-callbackid") or stored.headers.get(MSG_ID)


def searched_from(filters: Filters) -> datetime:
    """From when on is searched for what has no index."""
    return filters.since or (filters.until or datetime.now(UTC)) - WINDOW


def _windows(filters: Filters) -> Iterator[Filters]:
    """The window in parts, the latest first: what is looked for is recent as a rule."""
    end = filters.until
    latest = end or datetime.now(UTC)
    first = searched_from(filters)
    for step in _STEPS:
        start = latest - step
        if start <= first:
            break
        yield replace(filters, since=start, until=end)
        end = start
    if end is None or first < end:
        yield replace(filters, since=first, until=end)


def _field(body: bytes, text: str) -> str:
    """Where in an event's data the text is a value, such as `parcels.waybill_no`; or empty."""
    try:
        return _path(json.loads(body), text) or ""
    except (ValueError, RecursionError):
        return ""


def _path(value: Any, text: str) -> str | None:
    """None where it is not there; empty where the value itself is it."""
    if isinstance(value, dict):
        for name, part in value.items():
            if (path := _path(part, text)) is not None:
                return f"{name}.{path}" if path else name
    elif isinstance(value, list):
        for part in value:
            if (path := _path(part, text)) is not None:
                return path
    elif value == text:
        return ""
    return None
