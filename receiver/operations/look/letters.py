"""The dead letters of an order that no record of a run leads to: those of runs whose records are
gone, and those of version 0.1, on subjects without a cause.

A letter is on the subject of its handler and cause, so these are found by reading letters: only
those that were stored between the order's first event and the oldest record, and not very many.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final

from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.read.selection import StreamSelection
from receiver.bus.retention import read_time
from receiver.bus.subjects import ANY
from receiver.errors import BusError
from receiver.operations.look.archive import Archive

MAX_READ: Final = 10_000
_MARGIN: Final = timedelta(minutes=5)
"""A letter and the record of its run are stored at about the same time."""


async def older_letters(
    archive: Archive, since: datetime, event_ids: Collection[str | None]
) -> list[StoredMessage]:
    """Those of these events, the first of which was stored at `since`. Raises what `Reader` raises,
    and `BusError` where there are more than `MAX_READ` to read.
    """
    subjects = archive.subjects
    unled = StreamSelection(subjects.dead_stream, [f"{subjects.root}.dead.{ANY}"], since)
    chosen = [unled]
    recorded = await _recorded_since(archive) + _MARGIN
    if since < recorded:
        chosen.append(StreamSelection(unled.stream, [subjects.dead(ANY, ANY)], since, recorded))
    found: list[StoredMessage] = []
    for one in chosen:
        found += [letter async for letter in _of_events(archive, one, event_ids)]
    return found


async def _recorded_since(archive: Archive) -> datetime:
    """When the oldest record of a run was stored; now where there is none."""
    info = await archive.reader.info(archive.subjects.runs_stream)
    if info is None or not info["state"]["messages"]:
        return datetime.now(UTC)
    return read_time(info["state"]["first_ts"])


async def _of_events(
    archive: Archive, chosen: StreamSelection, event_ids: Collection[str | None]
) -> AsyncIterator[StoredMessage]:
    if await archive.reader.info(chosen.stream) is None:
        return
    count = await archive.reader.count(chosen)
    if count > MAX_READ:
        raise BusError(f"{count:,} were stored since, too many to read: yizhan dead list --order")
    if not count:
        return
    async with aclosing(archive.reader.read(chosen, headers_only=True)) as reading:
        async for letter in reading:
            if decode_header(letter.headers.get("ce-id", "")) in event_ids:
                yield letter
