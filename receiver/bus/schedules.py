"""Message schedules: the server stores a copy of an event in time, for one handler.

A schedule waits on a subject of its own, and a later one replaces it there:
`<root>.schedules.<kind>.<handler>.<channel>.<key>[.<name>]`. What fires is stored as
`<root>.due.<handler>.<channel>.<key>`.
- A retry that waits for long: a negative acknowledgement with a delay would count as pending all
  that time, and hold back others once 10,000 wait
  (https://github.com/nats-io/nats-server/issues/6093).
- A timer that a handler set, and an event that waits for a newer one of its order.

Traps of the server: a target is on the input side, what is cancelled is named as it is stored, and
a schedule carries no `Nats-Msg-Id`: the id of one that has fired would be a duplicate for hours, in
silence. Something that fired may wait for its run when it is cancelled or replaced: so a cancel is
kept as long as that, and `Schedules.superseded` says whether there was one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, Protocol

from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.headers import FIRED_SEQ, SET_BY, encode_header
from receiver.bus.jetstream_api import call
from receiver.bus.message import StoredMessage
from receiver.bus.subjects import Subjects, encode_token, input_subject
from receiver.errors import BusError

SHORT_S: Final = 30.0
"""Up to this a negative acknowledgement with a delay does."""
_ORIGIN_SUBJECT: Final = "yizhan-subject"
_ORIGIN_SEQ: Final = "yizhan-streamseq"
_ANSWER_S: Final = 5.0
_NO_MESSAGE: Final = 10037
_LINE_BYTES: Final = 12
"""Of the line before the headers, and the one behind them."""
_NOT_THE_LAST: Final = frozenset({10071, 10164})
"""Another message is the last one on the subject, be it stored or about to be."""
_MAX_TOKEN_CHARS: Final = 64

NO_HEADERS: Final = MappingProxyType[str, str]({})

ScheduleKind = Literal["retry", "timer", "coalesce"]


class Place(NamedTuple):
    """Where a schedule waits; `key` and `name` are tokens of a subject, `name` may be empty."""

    kind: ScheduleKind
    handler: str
    channel: str
    key: str
    name: str = ""


class TooLargeError(BusError):
    """An event fits into the stream, and not with what a schedule adds to it."""


class Held(NamedTuple):
    """What waits at a place: its sequence and its headers."""

    seq: int
    headers: Mapping[str, str]


class Schedules(Protocol):
    """What holds events until their time. All of it raises `BusError` where that fails."""

    @property
    def kept(self) -> timedelta:
        """For how long a schedule can wait, before the stream drops it for its age."""

    async def put(
        self,
        place: Place,
        stored: StoredMessage,
        at: datetime,
        headers: Mapping[str, str],
        *,
        over: int | None = None,
    ) -> bool:
        """Give `stored` to the handler again at a time, at once where that is past; replaces what
        waits at `place`. `headers` are for the copy. Given `over`, it does so only where what waits
        has that sequence, or nothing does for 0; gives whether that held.
        """

    async def held(self, place: Place) -> Held | None:
        """What waits at `place`."""

    async def cancel(self, place: Place, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """Take away what waits at `place`, if there is something; `headers` are for the note of
        that."""

    async def superseded(self, place: Place, fired: int, *, replaced: bool) -> bool:
        """Whether what fired from `place` and has the sequence `fired` was cancelled since then,
        or, where `replaced` is asked, another put in its place; what names it as `SET_BY` is its
        own run's and does not count.
        """


class StreamSchedules:
    """The `Schedules` of the main stream, which keeps messages for `kept`.

    So long it keeps what has fired, too: its handler may be paused; and what was cancelled.
    """

    def __init__(self, connection: Connection, subjects: Subjects, *, kept: timedelta) -> None:
        self.kept = kept
        self._connection = connection
        self._subjects = subjects

    async def put(
        self,
        place: Place,
        stored: StoredMessage,
        at: datetime,
        headers: Mapping[str, str],
        *,
        over: int | None = None,
    ) -> bool:
        """See `Schedules.put`."""
        due = self._subjects.due(place.handler, place.channel, place.key)
        asked = {
            "Nats-Schedule": f"@at {at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}",
            "Nats-Schedule-Target": input_subject(due),
            "Nats-Schedule-TTL": _ttl(self.kept),
        }
        if over is not None:
            asked["Nats-Expected-Last-Subject-Sequence"] = str(over)
        carried = fired_copy(place, stored, headers).headers
        return await self._publish(
            self._subjects.schedule(*place), stored.body, {**carried, **asked}
        )

    async def held(self, place: Place) -> Held | None:
        """See `Schedules.held`."""
        last = await self._last(self._subjects.schedule(*place))
        if last is None:
            return None
        return Held(int(last["seq"]), _headers_of(last))

    async def cancel(self, place: Place, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """See `Schedules.cancel`."""
        asked = {
            **headers,
            "Nats-Scheduler": self._subjects.schedule(*place),
            "Nats-Schedule-Next": "purge",
            "Nats-TTL": _ttl(self.kept),
        }
        await self._publish(self._subjects.schedule("cancel", *place[1:]), b"", asked)

    async def superseded(self, place: Place, fired: int, *, replaced: bool) -> bool:
        """See `Schedules.superseded`."""
        asked = [self._subjects.schedule("cancel", *place[1:])]
        if replaced:
            asked.append(self._subjects.schedule(*place))
        found = [await self._last(subject) for subject in asked]
        later = [last for last in found if last is not None and last["seq"] > fired]
        return any(_headers_of(last).get(SET_BY) != str(fired) for last in later)

    async def _publish(self, subject: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Store a message; False where what it was to replace is not what is there."""
        client = self._connection.client
        size_bytes = len(body) + sum(len(n) + len(v.encode()) + 4 for n, v in headers.items())
        if size_bytes + _LINE_BYTES > client.max_payload:  # or the server would hang up
            raise TooLargeError(
                f"{size_bytes} bytes with what a schedule adds: max_payload is {client.max_payload}"
            )
        try:
            reply = await client.request(
                input_subject(subject), body, _ANSWER_S, headers=dict(headers)
            )
            answer = json.loads(reply.data)
        except (NatsError, OSError, ValueError) as error:
            raise BusError(f"no schedule was stored: {type(error).__name__}") from error
        if answer.get("error", {}).get("err_code") in _NOT_THE_LAST:
            return False
        if "error" in answer:
            raise BusError(f"NATS refuses the schedule: {answer['error'].get('description')}")
        return True

    async def _last(self, subject: str) -> Mapping[str, Any] | None:
        """The last message on a subject, by the word of the stream's leader."""
        verb = f"STREAM.MSG.GET.{self._subjects.stream}"
        answer = await call(self._connection.client, verb, {"last_by_subj": subject})
        if "error" not in answer:
            found: Mapping[str, Any] = answer["message"]
            return found
        if answer["error"].get("err_code") == _NO_MESSAGE:
            return None
        raise BusError(f"the schedule cannot be read: {answer['error'].get('description')}")


def _headers_of(message: Mapping[str, Any]) -> dict[str, str]:
    """Those of a message as the API gives it."""
    head = base64.b64decode(message.get("hdrs", "")).decode(errors="surrogateescape")
    lines = (line.partition(": ") for line in head.split("\r\n")[1:] if line)
    return {name: text for name, _, text in lines}


def token_of(text: str) -> str:
    """Any text as one token of bounded length: an overlong one by a digest, which none equals."""
    token = encode_token(text)
    return token if len(token) <= _MAX_TOKEN_CHARS else f"={digest(text)}"


def place_in_order(nats_subject: str) -> tuple[str, str]:
    """The channel and the key, encoded, of an event's subject or of that of its copy."""
    tokens = nats_subject.split(".")
    if len(tokens) > 1 and tokens[1] == "due":
        return tokens[-2], tokens[-1]
    return tokens[-4], tokens[-1]


def origin(stored: StoredMessage) -> StoredMessage:
    """The event as it was stored first, where `stored` is a copy of it that came in time."""
    seq = stored.headers.get(_ORIGIN_SEQ, "")
    if not seq.isdecimal():
        return stored
    return replace(
        stored,
        headers={FIRED_SEQ: str(stored.stream_seq), **stored.headers},
        stream_seq=int(seq),
        nats_subject=stored.headers.get(_ORIGIN_SUBJECT, stored.nats_subject),
    )


def is_copy(stored: StoredMessage) -> bool:
    """Whether it came in time, or is the event itself."""
    return _ORIGIN_SEQ in stored.headers


def origin_seq(headers: Mapping[str, str]) -> int:
    """The sequence of the event that a copy with these headers is of."""
    return int(headers[_ORIGIN_SEQ])


def fired_copy(place: Place, stored: StoredMessage, headers: Mapping[str, str]) -> StoredMessage:
    """What is given again from `place`: `stored` with `headers` and where it was stored first; its
    own subject and sequence it gets as it fires.
    """
    first = origin(stored)
    carried = {
        **_carried(first.headers, ours=place.kind == "retry"),
        **headers,
        _ORIGIN_SUBJECT: first.nats_subject,
        _ORIGIN_SEQ: str(first.stream_seq),
    }
    return replace(stored, headers=carried)


def fired_seq(headers: Mapping[str, str]) -> int:
    """The sequence of the copy that fired first, from the headers that `origin` gives; else 0."""
    text = headers.get(FIRED_SEQ, "")
    return int(text) if text.isdecimal() else 0


def _carried(headers: Mapping[str, str], *, ours: bool) -> dict[str, str]:
    """Without the server's own, which say how the original was stored, and, where the copy is no
    retry, without `ours`, which say how it was run.
    """
    dropped = ("nats-",) if ours else ("nats-", "yizhan-")
    return {
        name: text if text.isprintable() else encode_header(text)
        for name, text in headers.items()
        if not name.lower().startswith(dropped)
    }


def digest(text: str) -> str:
    """32 hex digits for any text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _ttl(duration: timedelta) -> str:
    return f"{duration // timedelta(seconds=1)}s"
