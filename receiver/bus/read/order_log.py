"""The events of one order as the stream holds them, between two sequences, in order."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Protocol

from receiver.bus.connection import Connection
from receiver.bus.durables import count_subjects
from receiver.bus.jetstream_api import call, raw_call, read_answer
from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader
from receiver.bus.retention import read_time
from receiver.bus.subjects import Subjects, decode_token
from receiver.errors import BusError

PAGE: Final = 256
_NO_MESSAGE: Final = 10037
_SEQ: Final = re.compile(rb'"message":{"subject":"[^"]*","seq":(\d+)')
_ANSWER_S: Final = 5.0


class EventsOfOrders(Protocol):
    """What holds the events of orders: `OrderLog`, or none in tests without a server."""

    def between(
        self, channel: str, order_id: str, after: int, before: int | None = None
    ) -> AsyncIterator[Sequence[StoredMessage]]:
        """Those with a sequence above `after` and below `before`, page by page, oldest first;
        raises `BusError`.
        """

    async def last_seq(self) -> int:
        """The last sequence that anything has; raises `BusError`."""


class OrderLog:
    """Reads the stream; nothing is left out, whichever server of a cluster answers.

    Whether there is an event is asked of the stream's leader. What follows it comes in pages, which
    any server may give: one that is behind gives less, and then the leader is asked again.
    """

    def __init__(
        self, connection: Connection, subjects: Subjects, *, timeout_s: float = _ANSWER_S
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._timeout_s = timeout_s
        self._reader = Reader(connection, patience_s=timeout_s)

    async def between(
        self, channel: str, order_id: str, after: int, before: int | None = None
    ) -> AsyncIterator[Sequence[StoredMessage]]:
        """See `EventsOfOrders.between`."""
        stream = self._subjects.stream
        subject = self._subjects.events_of_order(order_id, channel=channel)
        while before is None or after + 1 < before:
            first = await self._next(subject, after, before)
            if first is None:
                return
            page: Sequence[StoredMessage] = [first]
            while page:
                yield page
                after = page[-1].stream_seq
                found = await self._reader.around(stream, subject, after + 1, PAGE)
                page = [m for m in found if before is None or m.stream_seq < before]
            if found:  # and the first of it is `before`, or beyond
                return

    async def last_seq(self) -> int:
        """See `EventsOfOrders.last_seq`."""
        client, name = self._connection.client, self._subjects.stream
        info = await call(client, f"STREAM.INFO.{name}", {}, timeout_s=self._timeout_s)
        if "error" in info:
            raise BusError(f"the stream {name}: {info['error'].get('description')}")
        last: int = info["state"]["last_seq"]
        return last

    async def orders(self) -> Sequence[tuple[str, str]]:
        """The channel and the id of every order that has an event, each once."""
        client, stream = self._connection.client, self._subjects.stream
        counted = await count_subjects(client, stream, self._subjects.all_events)
        places = (subject.split(".") for subject in counted)
        orders = {(place[2], decode_token(place[-1])) for place in places}
        return sorted((channel, order_id) for channel, order_id in orders if order_id)

    async def _next(self, subject: str, after: int, before: int | None) -> StoredMessage | None:
        verb = f"STREAM.MSG.GET.{self._subjects.stream}"
        asked = {"seq": after + 1, "next_by_subj": subject}
        client = self._connection.client
        data = await raw_call(client, verb, asked, timeout_s=self._timeout_s)
        found = _SEQ.search(data)
        if before and found and int(found[1]) >= before:
            return None  # mostly `before` itself, which is not worth reading
        answer = read_answer(data)
        error = answer.get("error")
        if error is None:
            found = answer["message"]
            if before is not None and found["seq"] >= before:  # mostly the event that is folded
                return None
            return _stored(found)
        if error.get("err_code") == _NO_MESSAGE:
            return None
        raise BusError(f"the events of an order cannot be read: {error.get('description')}")


def _stored(message: Mapping[str, Any]) -> StoredMessage:
    head = base64.b64decode(message.get("hdrs") or "").decode(errors="surrogateescape")
    lines = (line.partition(":") for line in head.split("\r\n")[1:])
    return StoredMessage(
        message["subject"],
        {name.strip(): value.strip() for name, colon, value in lines if colon},
        base64.b64decode(message.get("data") or ""),
        message["seq"],
        read_time(message["time"]),
    )
