"""The dead letters of an order that no record of a run leads to: those of runs whose records are
gone, and those of version 0.1, on subjects without a cause.

A letter is on the subject of its handler and cause, so these are found by reading letters: only
those that were stored between the order's first event and the oldest record, not very many, and
each once, however many orders a process is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final

from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.retention import read_time
from receiver.bus.subjects import ANY, Subjects
from receiver.errors import BusError

MAX_READ: Final = 10_000
_MARGIN: Final = timedelta(minutes=5)
"""A letter and the record of its run are stored at about the same time."""


class UnledLetters:
    """Finds them, and remembers the ids of the events whose letters it has read."""

    def __init__(self, reader: Reader, subjects: Subjects) -> None:
        self._reader = reader
        self._runs_stream = subjects.runs_stream
        stream = subjects.dead_stream
        self._without_cause = _ReadLetters(reader, stream, f"{subjects.root}.dead.{ANY}")
        self._with_cause = _ReadLetters(reader, stream, subjects.dead(ANY, ANY))

    async def of(self, event_ids: Collection[str | None], since: datetime) -> list[StoredMessage]:
        """Those of these events, the first of which was stored at `since`. Raises what `Reader`
        raises, and `BusError` where there are more than `MAX_READ` to read.
        """
        found = await self._without_cause.of(event_ids, since, None)
        recorded = await self._recorded_since() + _MARGIN
        if since < recorded:
            found += await self._with_cause.of(event_ids, since, recorded)
        return found

    async def _recorded_since(self) -> datetime:
        """When the oldest record of a run was stored; now where there is none."""
        info = await self._reader.info(self._runs_stream)
        if info is None or not info["state"]["messages"]:
            return datetime.now(UTC)
        return read_time(info["state"]["first_ts"])


class _ReadLetters:
    """The letters on one subject that were read: those from a time on."""

    def __init__(self, reader: Reader, stream: str, nats_subject: str) -> None:
        self._reader = reader
        self._stream = stream
        self._nats_subject = nats_subject
        self._since: datetime | None = None
        self._last_seq = 0
        self._seqs: dict[str, set[int]] = {}
        self._reading = asyncio.Lock()

    async def of(
        self, event_ids: Collection[str | None], since: datetime, until: datetime | None
    ) -> list[StoredMessage]:
        """Those of these events that are still there."""
        if await self._reader.info(self._stream) is None:
            return []
        async with self._reading:
            if self._since is None or since < self._since:
                await self._read(since, self._since or until)
                self._since = since
            behind = await self._reader.around(
                self._stream, self._nats_subject, self._last_seq + 1, 1
            )
            if behind and (until is None or behind[0].stored_at < until):
                await self._read(max(behind[0].stored_at, self._since), until)
        seqs = sorted({seq for one in event_ids if one for seq in self._seqs.get(one, ())})
        letters = [await self._reader.get(self._stream, seq) for seq in seqs]
        return [one for one in letters if one is not None and _event_id(one) in event_ids]

    async def _read(self, since: datetime, until: datetime | None) -> None:
        chosen = StreamSelection(self._stream, [self._nats_subject], since, until)
        count = await self._reader.count(chosen)
        if count > MAX_READ:
            raise BusError(
                f"{count:,} were stored since, too many to read: yizhan dead list --order"
            )
        if not count:
            return
        async with aclosing(self._reader.read(chosen, headers_only=True)) as reading:
            async for letter in reading:
                self._seqs.setdefault(_event_id(letter), set()).add(letter.stream_seq)
                self._last_seq = max(self._last_seq, letter.stream_seq)


def _event_id(letter: StoredMessage) -> str:
    return decode_header(letter.headers.get("ce-id", ""))
