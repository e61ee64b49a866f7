"""Reading a selection by the server's indexes: batched direct reads, page by page.

Leaves nothing behind in the server, holds one page a subject, and goes on where it was when NATS
comes back. A server of a cluster may answer from a replica that is a moment behind: what decides
anything is to be read through the leader instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.message import StoredMessage
from receiver.bus.read.direct import AgainError, Page, direct_read
from receiver.bus.read.history import opened_history
from receiver.bus.read.selection import StreamSelection
from receiver.errors import BusError, ConfigurationError

PAGE: Final = 256
_PAGE_BYTES: Final = 1024 * 1024
"""Where a page ends early; a larger message comes alone."""
PATIENCE_S: Final = 15.0
"""How long a reading waits for a server that restarts."""
_AGAIN_S: Final = 0.25
_MAX_LOOKS: Final = 5
_NO_STREAM: Final = 10059
Scanned = Callable[[int], None]
AnswerT = TypeVar("AnswerT")


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
        if seq < 1:  # the server takes 0 for none, and waits
            return None
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
        if not headers_only and not info["config"].get("allow_direct"):
            raise ConfigurationError(
                f"the stream {selection.stream} allows no direct reads: "
                f"nats stream edit {selection.stream} --allow-direct"
            )
        end = info["state"]["last_seq"]
        async with contextlib.AsyncExitStack() as stack:
            sources = [
                await stack.enter_async_context(
                    aclosing(
                        self._in_bulk(selection, subject, after_seq)
                        if headers_only
                        else self._subject(selection, subject, after_seq, end)
                    )
                )
                for subject in selection.nats_subjects
            ]
            seen = 0
            async for stored in _merged(sources):
                if stored.stream_seq != seen:
                    yield stored
                seen = stored.stream_seq

    async def _in_bulk(
        self, selection: StreamSelection, subject: str, after_seq: int
    ) -> AsyncGenerator[StoredMessage, None]:
        """What lies on one subject, without bodies: a consumer of several costs the server, which
        then looks at each message between them, some thirty times as much a message.
        """
        async with opened_history(
            self._connection,
            selection.stream,
            replace(selection.span, nats_subjects=(subject,)),
            headers_only=True,
            patience_s=self._patience_s,
        ) as history:
            async for stored in history.read():
                if stored.stream_seq > after_seq:
                    yield stored

    async def _subject(
        self, selection: StreamSelection, subject: str, after_seq: int, end: int
    ) -> AsyncGenerator[StoredMessage, None]:
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

    async def _page(self, stream: str, asked: Mapping[str, Any]) -> Page:
        """The answer to one direct read."""

        async def ask() -> Page:
            return await direct_read(self._connection.client, stream, asked)

        return await self._patiently(ask)

    async def _patiently(self, ask: Callable[[], Coroutine[Any, Any, AnswerT]]) -> AnswerT:
        """The answer, asked for again while there is none."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        while True:
            try:
                return await self._connection.allowed(self._connection.client, ask())
            except (AgainError, BusError, NatsError, OSError) as error:
                if loop.time() >= deadline:
                    why = str(error) or type(error).__name__
                    raise BusError(f"the stream cannot be read: {why}") from error
            await asyncio.sleep(_AGAIN_S)


def _start(since: datetime | int | None) -> dict[str, Any]:
    return {"start_time": since.isoformat()} if isinstance(since, datetime) else {"seq": since or 1}


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
