"""Replay: re-running stored events, to a handler, to subjects or to a file.

Nothing here moves a handler's own position, and nothing is stored a second time: what a handler
returns is stored only where the stream does not hold it yet, however long ago it was made.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from receiver.bus.codec import decode_event
from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import Publisher, Stored
from receiver.bus.read.history import HistoricMessage, History, Span, opened_history
from receiver.bus.subjects import ANY, Subjects, decode_token
from receiver.errors import ConfigurationError, DecodingError
from receiver.event import Event
from schemas.events import MODEL_OF_TYPE, EventData

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE: Final = re.compile(r"(\d{1,6})([smhdw])")
_LIMIT_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events: stored within the times, of a type or a domain, of an order.

    `among`, where given, are the only types of interest, such as those a handler takes.
    """

    since: datetime | None = None
    until: datetime | None = None
    event_type: str | None = None
    order_id: str | None = None
    among: Sequence[str] = ()

    def span(self, subjects: Subjects) -> Span:
        """The part of the stream; raises `ConfigurationError` for a type that does not exist."""
        kinds = self._kinds()
        if self.order_id is None:
            filters = [subjects.events_of_type(kind) for kind in kinds]
        else:
            filters = [subjects.events_of_order(self.order_id, kind) for kind in kinds]
        return Span(filters, since=self.since, until=self.until)

    def _kinds(self) -> Sequence[str]:
        kind = self._kind()
        if not self.among:
            return (kind,)
        asked = self.event_type
        kinds = [t for t in dict.fromkeys(self.among) if asked in {None, t, t.partition(".")[0]}]
        if kinds:
            return kinds
        raise ConfigurationError(
            f"event type {asked}: is not taken there: "
            f"leave it out, or name one of {', '.join(self.among)}"
        )

    def _kind(self) -> str:
        """`<domain>.<event>` with wildcards where nothing was said."""
        if self.event_type is None:
            return f"{ANY}.{ANY}"
        domains = {name.partition(".")[0] for name in MODEL_OF_TYPE}
        if self.event_type in domains:
            return f"{self.event_type}.{ANY}"
        if self.event_type in MODEL_OF_TYPE:
            return self.event_type
        raise ConfigurationError(
            f"event type {self.event_type}: there is no such event type or domain: "
            "`yizhan events` lists them"
        )


def parse_time(text: str, now: datetime) -> datetime:
    """`30m`, `2h`, `7d` before `now`, or an RFC 3339 time; raises `ConfigurationError`.

    A time without an offset is refused: the platform's are China's, a server's log is UTC, and a
    guess would silently select eight hours that were not meant.
    """
    age = _AGE.fullmatch(text)
    try:
        if age:
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{text!r}: is no time: write an age such as 30m, 2h or 7d, "
            "or a time such as 2026-01-31T08:00:00+08:00"
        ) from None
    if moment.utcoffset() is None:
        plain = moment.replace(tzinfo=None).isoformat()
        raise ConfigurationError(
            f"{text!r}: has no offset: write {plain}+08:00 (China's time) or {plain}+00:00 (UTC)"
        )
    return moment


class Sink(Protocol):
    """Where replayed events go."""

    async def put(self, event: Event[EventData], stored: HistoricMessage) -> str:
        """Take one event; gives why it failed, or an empty text."""


@dataclass(slots=True)
class Summary:
    """How a replay went; `failures` holds the first few reasons with their stream sequence.

    `first_at` and `last_at` are when the first and the last event looked at were stored.
    """

    selected: int = 0
    delivered: int = 0
    failed: int = 0
    undecodable: int = 0
    duration_s: float = 0.0
    first_at: datetime | None = None
    last_at: datetime | None = None
    failures: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many of the selected were looked at."""
        return self.delivered + self.failed + self.undecodable

    def note(self, stored: HistoricMessage, reason: str) -> None:
        """Keep the first reasons."""
        if len(self.failures) < 10:
            self.failures.append(f"stream sequence {stored.stream_seq}: {reason}")


Progress = Callable[[Summary], None]


async def replay(
    connection: Connection,
    subjects: Subjects,
    selection: Selection,
    sink: Sink,
    *,
    summary: Summary | None = None,
    progress: Progress = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Summary:
    """Give every selected event, oldest first, to `sink`; raises `BusError`.

    `summary` is filled as the replay goes, so that it tells how far one came that was cut off.
    `progress` is called once with the count, then after each event.
    """
    summary = summary or Summary()
    span = selection.span(subjects)
    began = clock()
    try:
        async with opened_history(connection, subjects.stream, span) as history:
            summary.selected = history.count
            progress(summary)
            await _run(history, sink, summary, progress)
    finally:
        summary.duration_s = clock() - began
    return summary


async def _run(history: History, sink: Sink, summary: Summary, progress: Progress) -> None:
    async for stored in history.read():
        try:
            event = decode_event(stored.headers, stored.body)
        except DecodingError as error:
            summary.undecodable += 1
            summary.note(stored, str(error))
        else:
            if reason := await sink.put(event, stored):
                summary.failed += 1
                summary.note(stored, reason)
            else:
                summary.delivered += 1
        summary.first_at = summary.first_at or stored.stored_at
        summary.last_at = stored.stored_at
        progress(summary)


class OncePublisher:
    """A `Publisher` that looks into the stream first and stores only what is not there yet.

    The duplicate window forgets after hours; the stream does not. Dead letters are not stored: a
    replay tells its failures itself.
    """

    def __init__(self, publisher: Publisher, connection: Connection, subjects: Subjects) -> None:
        self._publisher = publisher
        self._connection = connection
        self._subjects = subjects
        self._known: dict[str, dict[str, int]] = {}

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, guard: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """See `Publisher.publish`."""
        return [await self._publish(message, guard) for message in messages]

    async def _publish(self, message: OutgoingMessage, guard: OutgoingMessage | None) -> Stored:
        if message.subject.startswith(self._subjects.dead("")):
            return Stored(0, duplicate=True)
        known = await self._ids_beside(message.subject)
        if message.msg_id in known:
            return Stored(known[message.msg_id], duplicate=True)
        (stored,) = await self._publisher.publish([message], guard=guard)
        known[message.msg_id] = stored.stream_seq
        return stored

    async def _ids_beside(self, nats_subject: str) -> dict[str, int]:
        """The stored event ids of a subject's order, of whatever type: there are few.

        All types, because a handler that was changed may give an old id to another type.
        """
        order_id = decode_token(nats_subject.rpartition(".")[2])
        wanted = self._subjects.events_of_order(order_id) if order_id else nats_subject
        if wanted not in self._known:
            if len(self._known) >= _LIMIT_REMEMBERED:
                self._known.clear()
            self._known[wanted] = await self._read_ids(wanted)
        return self._known[wanted]

    async def _read_ids(self, nats_subject: str) -> dict[str, int]:
        ids: dict[str, int] = {}
        stream, span = self._subjects.stream, Span((nats_subject,))
        async with opened_history(self._connection, stream, span, headers_only=True) as found:
            async for stored in found.read():
                ids[stored.headers.get("ce-id", "")] = stored.stream_seq
        return ids
