"""Reading a selection by the server's indexes: batched direct reads, page by page.

Leaves nothing behind in the server, holds one page a subject, and goes on where it was when NATS
comes back. A server of a cluster may answer from a replica that is a moment behind: what decides
anything is to be read through the leader instead.
"""

from __future__ import annotations

import asyncio
import heapq
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.message import StoredMessage
from receiver.bus.read.history import opened_history
from receiver.bus.read.selection import StreamSelection
from receiver.bus.retention import read_time
from receiver.errors import BusError, ConfigurationError

PAGE: Final = 256
_PAGE_BYTES: Final = 1024 * 1024
"""Where a page ends early; a larger message comes alone."""
_ANSWER_S: Final = 5.0
PATIENCE_S: Final = 15.0
"""How long a reading waits for a server that restarts."""
_AGAIN_S: Final = 0.25
_MAX_LOOKS: Final = 5
_NO_STREAM: Final = 10059
_NOTHING, _END, _NOBODY = "404", "204", "503"
_SERVERS_OWN: Final = frozenset(
    {
        *("Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"),
        *("Nats-Num-Pending", "Nats-Last-Sequence", "Nats-UpTo-Sequence"),
    }
)
Scanned = Callable[[int], None]
AnswerT = TypeVar("AnswerT")


class _AgainError(Exception):
    """The server did not give what was asked, for now."""


@dataclass(frozen=True, slots=True)
class _Page:
    """What one request brought; `left` is how many more there are behind it."""

    messages: Sequence[StoredMessage]
    left: int


class Reader:
    """Reads what is stored. Everything raises `BusError` where NATS does not answer for
    `patience_s`, and `ConfigurationError` where it does not let us read.

    A stream that is not there, such as one of which nothing was ever written, holds nothing.
    """

    def __init__(self, connection: Connection, *, patience_s: float = PATIENCE_S) -> None:
        self._connection = connection
        self._patience_s = patience_s

    async def read(
        self,
        selection: StreamSelection,
        *,
        after_seq: int = 0,
        headers_only: bool = False,
        scanned: Scanned = lambda _: None,
    ) -> AsyncGenerator[StoredMessage, None]:
        """What is selected, oldest first, as it is now: what is stored meanwhile is not read.

        Only what lies behind `after_seq` is. With `headers_only` bodies stay in the server, which
        is for wide selections. `scanned` gets the number of messages that were looked at so far.
        """
        last: deque[StoredMessage] | None = None
        if selection.limit is not None:
            last = deque(maxlen=selection.limit)
        count = 0
        async for stored in self._selected(selection, after_seq, headers_only=headers_only):
            count += 1
            scanned(count)
            if not selection.keeps(stored):
                continue
            if last is None:
                yield stored
            else:
                last.append(stored)
        for stored in last or ():
            yield stored

    async def get(self, stream: str, seq: int) -> StoredMessage | None:
        """The message of a sequence; None where there is none."""
        page = await self._page(stream, {"seq": seq})
        return page.messages[0] if page.messages else None

    async def around(
        self, stream: str, nats_subject: str, seq: int, count: int
    ) -> Sequence[StoredMessage]:
        """Up to `count` messages on a subject from a sequence on."""
        asked = {"seq": max(1, seq), "next_by_subj": nats_subject, "batch": count}
        return (await self._page(stream, asked | {"max_bytes": _PAGE_BYTES})).messages

    async def last(self, stream: str, nats_subjects: Sequence[str]) -> Sequence[StoredMessage]:
        """The last message of each subject, by sequence; wildcards match 1,024 subjects at most."""
        found: list[StoredMessage] = []
        for start in range(0, len(nats_subjects), PAGE):
            asked = {"multi_last": list(nats_subjects[start : start + PAGE]), "seq": 1}
            while True:
                page = await self._page(stream, asked | {"batch": PAGE})
                found += page.messages
                if not page.left or not page.messages:
                    break
                asked["seq"] = page.messages[-1].stream_seq + 1
        return sorted(found, key=lambda stored: stored.stream_seq)

    async def count(self, selection: StreamSelection) -> int:
        """How many messages the server selects: all of the selection, where it has no `tests`.

        Subjects must not overlap.
        """
        total = 0
        for subject in selection.nats_subjects:
            beyond = await self._count_until(selection, subject)
            for _ in range(_MAX_LOOKS):
                whole = await self.count_from(selection.stream, subject, selection.since)
                before, beyond = beyond, await self._count_until(selection, subject)
                if before == beyond:
                    break  # else something was stored between the two looks
            total += max(0, whole - beyond)
        return total

    async def _count_until(self, selection: StreamSelection, subject: str) -> int:
        if selection.until is None:
            return 0
        return await self.count_from(selection.stream, subject, selection.until)

    async def count_from(self, stream: str, subject: str, since: datetime | int | None) -> int:
        """How many messages a subject has from a time or a sequence on."""
        return (await self.first_from(stream, subject, since))[1]

    async def first_from(
        self, stream: str, subject: str, since: datetime | int | None
    ) -> tuple[StoredMessage | None, int]:
        """The first message of a subject from a time or a sequence on, and how many there are."""
        page = await self._page(stream, {**_start(since), "next_by_subj": subject, "batch": 1})
        return (page.messages or (None,))[0], len(page.messages) + page.left

    async def info(self, stream: str) -> Mapping[str, Any] | None:
        """The answer to `STREAM.INFO`; None without such a stream."""

        async def ask() -> dict[str, Any]:
            return await call(self._connection.client, f"STREAM.INFO.{stream}", {})

        info = await self._patiently(ask)
        if error := info.get("error"):
            if error.get("err_code") == _NO_STREAM:
                return None
            raise BusError(f"NATS does not show the stream {stream}: {error.get('description')}")
        return info

    async def _selected(
        self, selection: StreamSelection, after_seq: int, *, headers_only: bool
    ) -> AsyncIterator[StoredMessage]:
        info = await self.info(selection.stream)
        if info is None:
            return
        if headers_only:
            async for stored in self._in_bulk(selection, after_seq):
                yield stored
            return
        if not info["config"].get("allow_direct"):
            raise ConfigurationError(
                f"the stream {selection.stream} allows no direct reads: "
                f"nats stream edit {selection.stream} --allow-direct"
            )
        end = info["state"]["last_seq"]
        sources = [
            self._subject(selection, subject, after_seq, end) for subject in selection.nats_subjects
        ]
        seen = 0
        async for stored in _merged(sources):
            if stored.stream_seq != seen:
                yield stored
            seen = stored.stream_seq

    async def _in_bulk(
        self, selection: StreamSelection, after_seq: int
    ) -> AsyncIterator[StoredMessage]:
        async with opened_history(
            self._connection,
            selection.stream,
            selection.span,
            headers_only=True,
            patience_s=self._patience_s,
        ) as history:
            async for stored in history.read():
                if stored.stream_seq > after_seq:
                    yield stored

    async def _subject(
        self, selection: StreamSelection, subject: str, after_seq: int, end: int
    ) -> AsyncIterator[StoredMessage]:
        """What lies on one subject, up to a sequence."""
        size = max(1, PAGE // len(selection.nats_subjects))
        start = _start(selection.since)
        if after_seq:
            start = await self._later(selection, subject, after_seq)
        while True:
            asked = {"next_by_subj": subject, "batch": size, "max_bytes": _PAGE_BYTES}
            page = await self._page(selection.stream, start | asked)
            for stored in page.messages:
                beyond = selection.until is not None and stored.stored_at >= selection.until
                if stored.stream_seq > end or beyond:
                    return
                yield stored
            if not page.left or not page.messages:
                return
            start = {"seq": page.messages[-1].stream_seq + 1}

    async def _later(
        self, selection: StreamSelection, subject: str, after_seq: int
    ) -> dict[str, Any]:
        """The later of the two starts."""
        if selection.since is not None:
            asked = {**_start(selection.since), "next_by_subj": subject, "batch": 1}
            page = await self._page(selection.stream, asked)
            if page.messages and page.messages[0].stream_seq > after_seq:
                return {"seq": page.messages[0].stream_seq}
        return {"seq": after_seq + 1}

    async def _page(self, stream: str, asked: Mapping[str, Any]) -> _Page:
        """The answer to one direct read."""

        async def ask() -> _Page:
            return await self._asked(stream, asked)

        return await self._patiently(ask)

    async def _patiently(self, ask: Callable[[], Coroutine[Any, Any, AnswerT]]) -> AnswerT:
        """The answer, asked for again while there is none."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        while True:
            try:
                return await self._connection.allowed(self._connection.client, ask())
            except (_AgainError, BusError, NatsError, OSError) as error:
                if loop.time() >= deadline:
                    why = str(error) or type(error).__name__
                    raise BusError(f"the stream cannot be read: {why}") from error
            await asyncio.sleep(_AGAIN_S)

    async def _asked(self, stream: str, asked: Mapping[str, Any]) -> _Page:
        client = self._connection.client
        inbox = client.new_inbox()
        answer = _Answer(stream, single="batch" not in asked)
        subscription = await client.subscribe(inbox, cb=answer.receive)
        try:
            subject = f"$JS.API.DIRECT.GET.{stream}"
            await client.publish(subject, json.dumps(asked).encode(), reply=inbox)
            return await answer.page()
        finally:
            await subscription.unsubscribe()


class _Answer:
    """What comes in answer to one direct read."""

    def __init__(self, stream: str, *, single: bool) -> None:
        self._stream = stream
        self._single = single
        self._found: list[StoredMessage] = []
        self._page: asyncio.Future[_Page] = asyncio.get_running_loop().create_future()

    async def page(self) -> _Page:
        """The whole of it; raises `_AgainError` where it does not come, or not whole."""
        before = -1
        while not self._page.done():
            if before == len(self._found):
                raise _AgainError(f"no answer to a direct read of the stream {self._stream}")
            before = len(self._found)
            await asyncio.wait({self._page}, timeout=_ANSWER_S)
        return self._page.result()

    async def receive(self, message: Msg) -> None:
        """Take in one message."""
        if self._page.done():
            return
        headers = message.headers or {}
        status = headers.get("Status", "")
        try:
            if status in {_NOTHING, _END}:
                left = int(headers.get("Nats-Num-Pending") or 0)
                self._page.set_result(_Page(self._found, left))
            elif status:
                raise _AgainError(_refusal(status, headers, self._stream))
            else:
                last = self._found[-1].stream_seq if self._found else 0
                self._found.append(_stored(message, last))
                if self._single:
                    self._page.set_result(_Page(self._found, 0))
        except _AgainError as error:
            self._page.set_exception(error)


def _start(since: datetime | int | None) -> dict[str, Any]:
    return {"start_time": since.isoformat()} if isinstance(since, datetime) else {"seq": since or 1}


def _refusal(status: str, headers: Mapping[str, str], stream: str) -> str:
    if status == _NOBODY:
        return f"no server gives direct reads of the stream {stream}"
    return f"{status} {headers.get('Description', '')}".strip()


def _stored(message: Msg, before: int) -> StoredMessage:
    """A message of a direct read; raises `_AgainError` where the one before it did not come."""
    headers = message.headers or {}
    if int(headers.get("Nats-Last-Sequence") or 0) != before:
        raise _AgainError("a message is missing")
    return StoredMessage(
        headers["Nats-Subject"],
        {name: value for name, value in headers.items() if name not in _SERVERS_OWN},
        message.data,
        int(headers["Nats-Sequence"]),
        read_time(headers["Nats-Time-Stamp"]),
    )


async def _merged(
    sources: Sequence[AsyncIterator[StoredMessage]],
) -> AsyncIterator[StoredMessage]:
    """What several sources give, each in order, in the order of the stream."""
    heads: list[tuple[int, int, StoredMessage]] = []
    for number, source in enumerate(sources):
        if (first := await anext(source, None)) is not None:
            heads.append((first.stream_seq, number, first))
    heapq.heapify(heads)
    while heads:
        _, number, stored = heads[0]
        yield stored
        if (following := await anext(sources[number], None)) is None:
            heapq.heappop(heads)
        else:
            heapq.heapreplace(heads, (following.stream_seq, number, following))
