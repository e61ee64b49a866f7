"""Dead letters as an operator finds them: by cause, one by its id, or a selection of them.

Letters of one handler and one cause are on one subject, so that the server's count of subjects is
the list of causes, however many letters there are.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from receiver.bus.connection import Connection
from receiver.bus.durables import Durable, count_subjects, durables
from receiver.bus.headers import decode_header
from receiver.bus.message import MSG_ID, StoredMessage
from receiver.bus.patience import patiently
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters, is_fingerprint
from receiver.bus.read.reader import Reader, Scanned
from receiver.bus.subjects import Subjects, overlap
from receiver.errors import YizhanError
from receiver.operations.look.documents import event_document, letter_document
from receiver.operations.look.id_kinds import hint
from receiver.operations.selecting import unknown_handler

_AT_ONCE: Final = 16
_ERROR: Final = re.compile(r"([^\W\d]\w*)(?::|$)")


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Letters of one handler and one cause, None for those of version 0.1; the rest is of the
    newest of them: `newest` is its sequence, `error` the type of its error, where it has one.
    """

    handler: str
    cause: str | None
    count: int
    first: datetime
    last: datetime
    newest: int
    error: str | None
    place: str | None
    reason: str | None
    code_version: str | None

    def report(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "handler": self.handler,
            "cause": self.cause,
            "count": self.count,
            "first_at": self.first.isoformat(timespec="seconds"),
            "last_at": self.last.isoformat(timespec="seconds"),
            "newest_seq": self.newest,
            "error": self.error,
            "place": self.place,
            "reason": self.reason,
            "code_version": self.code_version,
        }


class LetterRef(NamedTuple):
    """A letter: the sequence of its event, where known, and its own; so in the order of events."""

    event_seq: int
    seq: int
    handler: str


class Letters:
    """Finds dead letters. Everything raises what `Reader` raises."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self.reader = Reader(connection)
        self.connection = connection
        self.subjects = subjects

    async def groups(
        self, filters: Filters, scanned: Scanned = lambda _: None
    ) -> list[LetterGroup]:
        """The causes of the letters that `filters` select, the most frequent first.

        By handler, fingerprint and `since` alone it costs the same for any number of letters;
        everything else is compared letter by letter.
        """
        by_subject = filters.cause is None or is_fingerprint(filters.cause)
        if by_subject and set(filters.given) <= {"handler", "cause", "since"}:
            found = await self._counted(filters)
        else:
            found = await self._compared(filters, scanned)
        return sorted(found, key=lambda group: (-group.count, group.handler, group.cause or ""))

    async def one(self, text: str, seq: int | None) -> StoredMessage:
        """The letter of a sequence; without one, that of an event's id, or of its own; raises
        `YizhanError` where there is none, or more than one.
        """
        stream = self.subjects.dead_stream
        if seq is not None:
            letter = await self.reader.get(stream, seq)
            if letter is None:
                raise YizhanError(f"{text}: the stream {stream} holds no such letter (any more)")
            return letter
        every = selection.letters(Filters(), self.subjects)
        found = [
            (f"'#{one.stream_seq}' of {one.nats_subject.split('.')[2]}", one.stream_seq)
            async for one in self.reader.read(every, headers_only=True)
            if text in {decode_header(one.headers.get("ce-id", "")), one.headers.get(MSG_ID)}
        ]
        if len(found) > 1:
            which = ", ".join(name for name, _ in found)
            raise YizhanError(f"{text}: there are several letters: name one of {which}")
        if not found:
            said = hint(text, tried="yizhan dead")
            raise YizhanError(f"{text}: no letter has this id{f'; {said}' if said else ''}")
        return await self.one(text, found[0][1])

    async def chosen(self, filters: Filters, scanned: Scanned = lambda _: None) -> list[LetterRef]:
        """The letters that `filters` select now, in the order of their events; raises
        `ConfigurationError` for a handler that neither runs nor has letters.
        """
        every = selection.letters(filters, self.subjects)
        reading = self.reader.read(every, headers_only=True, scanned=scanned)
        found = sorted([ref_of(letter) async for letter in reading])
        if not found and filters.handler is not None:
            await self._check_handler(filters.handler)
        return found

    async def taking(self, handlers: Iterable[str]) -> Mapping[str, Durable | None]:
        """The durable that takes what is given back to each handler; None for one that is gone."""
        found = await self._durables()

        def of(handler: str) -> Durable | None:
            due = self.subjects.all_due(handler)
            return next((d for d in found if any(overlap(f, due) for f in d.filters)), None)

        return {handler: of(handler) for handler in sorted(set(handlers))}

    async def handlers(self) -> list[str]:
        """The handlers that could take something."""
        return [durable.handler for durable in await self._durables()]

    async def _durables(self) -> list[Durable]:
        connection = self.connection

        async def ask() -> list[Durable]:
            listing = durables(connection.client, self.subjects.stream)
            return await connection.allowed(connection.client, listing)

        return await patiently(ask)

    async def _subjects(self) -> dict[str, int]:
        connection, subjects = self.connection, self.subjects

        async def ask() -> dict[str, int]:
            counting = count_subjects(connection.client, subjects.dead_stream, subjects.all_dead)
            return await connection.allowed(connection.client, counting)

        return await patiently(ask)

    async def _check_handler(self, name: str) -> None:
        known = {*await self.handlers(), *(s.split(".")[2] for s in await self._subjects())}
        if name not in known:
            raise unknown_handler(name, known)

    async def _counted(self, filters: Filters) -> list[LetterGroup]:
        chosen = [
            subject
            for subject in await self._subjects()
            if filters.handler in {None, _handler(subject)}
            and filters.cause in {None, _cause(subject)}
        ]
        if not chosen and filters.handler is not None:
            await self._check_handler(filters.handler)
        stream, limit = self.subjects.dead_stream, asyncio.Semaphore(_AT_ONCE)

        async def group(last: StoredMessage) -> LetterGroup | None:
            async with limit:
                first, count = await self.reader.first_from(
                    stream, last.nats_subject, filters.since
                )
            return _group(last, count, first.stored_at) if first else None

        newest = await self.reader.last(stream, chosen)
        return [one for one in await asyncio.gather(*map(group, newest)) if one]

    async def _compared(self, filters: Filters, scanned: Scanned) -> list[LetterGroup]:
        found: dict[str, LetterGroup] = {}
        every = selection.letters(filters, self.subjects)
        async for letter in self.reader.read(every, headers_only=True, scanned=scanned):
            before = found.get(letter.nats_subject)
            group = _group(letter, 1, letter.stored_at)
            if before is not None:
                group = replace(group, count=before.count + 1, first=before.first)
            found[letter.nats_subject] = group
        if not found and filters.handler is not None:
            await self._check_handler(filters.handler)
        return list(found.values())


def ref_of(letter: StoredMessage) -> LetterRef:
    """Where a letter is."""
    text = letter.headers.get("yizhan-streamseq", "")
    event_seq = int(text) if text.isascii() and text.isdecimal() else 0
    return LetterRef(event_seq, letter.stream_seq, _handler(letter.nats_subject))


def letter_view(letter: StoredMessage, *, reveal: bool) -> dict[str, Any]:
    """A letter and its event as one document; `event` has the place where it is stored itself."""
    document = letter_document(letter)
    event = event_document(letter, reveal=reveal)
    event |= {
        "stream_seq": document["event_seq"],
        "nats_subject": letter.headers.get("yizhan-subject"),
    }
    del event["stored_at"]
    return {"letter": document, "event": event}


def _group(newest: StoredMessage, count: int, first: datetime) -> LetterGroup:
    headers = newest.headers
    reason = decode_header(headers.get("yizhan-reason", ""))
    error = _ERROR.match(reason)
    return LetterGroup(
        handler=_handler(newest.nats_subject),
        cause=_cause(newest.nats_subject),
        count=count,
        first=first,
        last=newest.stored_at,
        newest=newest.stream_seq,
        error=error[1] if error else None,
        place=decode_header(headers.get("yizhan-place", "")) or None,
        reason=reason or None,
        code_version=decode_header(headers.get("yizhan-codeversion", "")) or None,
    )


def _handler(subject: str) -> str:
    return subject.split(".")[2]


def _cause(subject: str) -> str | None:
    tokens = subject.split(".")
    return tokens[3] if len(tokens) > 3 else None
