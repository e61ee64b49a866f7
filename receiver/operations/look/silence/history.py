"""The hours of each source, counted once from the stream's times and kept beside its metrics.

So what is known outlives what the stream deletes by age, and a look counts the last hour alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final

from receiver.bus.metrics_stream import Kept, MetricsStream
from receiver.bus.read.selection import StreamSelection
from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.operations.look.archive import Archive
from receiver.operations.look.silence.improbability import (
    HOUR,
    MAX_HOURS,
    WEEK_HOURS,
    History,
    Silence,
    floor_hour,
    silence,
)

_AT_ONCE: Final = WEEK_HOURS
"""So many hours are counted in one look: the others with the next."""
CountFrom = Callable[[datetime], Awaitable[int]]


class Histories:
    """The silence of sources. Raises what `Archive` raises. What is counted is kept where it
    `keeps`: who looks alone writes nothing.
    """

    def __init__(self, archive: Archive, *, keeps: bool = False) -> None:
        self._archive = archive
        self._keeps = keeps
        self._log = get_logger("yizhan.metrics")

    async def silences(
        self, last: Mapping[str, datetime], now: datetime, *, at_once: int = _AT_ONCE
    ) -> dict[str, Silence | None]:
        """By the time of the last callback of each source; None where too little is known."""
        found = await asyncio.gather(
            *(self._history(source, at, at_once) for source, at in last.items())
        )
        return {
            source: silence(history, at, now)
            for (source, at), history in zip(last.items(), found, strict=True)
        }

    async def _history(self, source: str, last: datetime, at_once: int) -> History:
        """Up to the hour of the last callback, or as far as this look came."""
        subject = self._archive.subjects.metrics_history(source)
        kept = await self._kept(subject)
        end = floor_hour(last)
        history = _read(kept) or History(end - MAX_HOURS * HOUR, ())
        if history.end < end - MAX_HOURS * HOUR:
            history = History(end - MAX_HOURS * HOUR, ())
        hours = min(at_once, (end - history.end) // HOUR)
        if hours <= 0:
            return history
        until = history.end + hours * HOUR
        counts = await hourly(lambda at: self._count(source, at, until), history.end, hours)
        both = [*history.counts, *counts][-MAX_HOURS:]
        history = History(until - len(both) * HOUR, both)
        if self._keeps:
            await self._keep(subject, history, kept)
        return history

    def _stream(self) -> MetricsStream:
        return MetricsStream(self._archive.connection.client, self._archive.subjects)

    async def _count(self, source: str, since: datetime, until: datetime) -> int:
        subjects = self._archive.subjects
        both = (subjects.raw(source), subjects.quarantine(source))
        chosen = StreamSelection(subjects.stream, both, since, until)
        return await self._archive.reader.count(chosen)

    async def _kept(self, subject: str) -> Kept | None:
        """None also where we may not read it: then it is counted from what the stream holds."""
        try:
            return await self._stream().get(subject)
        except BusError as error:
            self._log.debug("history_not_read", error=str(error))
            return None

    async def _keep(self, subject: str, history: History, before: Kept | None) -> None:
        """It is counted again where that fails, or another was faster."""
        document = {"first": history.first.isoformat(), "counts": list(history.counts)}
        try:
            await self._stream().put(subject, document, 0 if before is None else before.seq)
        except BusError as error:
            self._log.debug("history_not_kept", error=str(error))


async def hourly(count: CountFrom, first: datetime, hours: int) -> list[int]:
    """How many came in each hour, where `count` says how many came from a time to the end of them:
    what is empty is asked for once, however long it is.
    """
    found = [0] * hours

    async def fill(begin: int, end: int, left: int, right: int) -> None:
        if left == right:
            return
        if end - begin == 1:
            found[begin] = left - right
            return
        middle = (begin + end) // 2
        between = await count(first + middle * HOUR)
        await asyncio.gather(fill(begin, middle, left, between), fill(middle, end, between, right))

    await fill(0, hours, await count(first), 0)
    return found


def _read(kept: Kept | None) -> History | None:
    """What `_keep` wrote; None for anything else."""
    if kept is None:
        return None
    try:
        first = datetime.fromisoformat(kept.document["first"])
        return History(first, [int(count) for count in kept.document["counts"]])
    except (KeyError, TypeError, ValueError):
        return None
