"""The newest messages of a selection, at a cost that does not grow with what lies before them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.retention import read_time

_SLACK: Final = 4
"""So many times what is wanted may be read."""
_STEPS: Final = 40
_MOMENT: Final = timedelta(milliseconds=1)


async def newest(reader: Reader, chosen: StreamSelection, count: int) -> list[StoredMessage]:
    """The last `count` messages of a selection, newest first; without bodies where the selection
    has `tests`, for which each is looked at. Its subjects do not overlap. Raises what `Reader`
    raises.
    """
    wanted = replace(chosen, limit=count)
    if not chosen.tests:
        wanted = replace(wanted, since=await _since(reader, chosen, count))
    found = [one async for one in reader.read(wanted, headers_only=bool(chosen.tests))]
    return found[::-1]


async def _since(reader: Reader, chosen: StreamSelection, count: int) -> datetime | None:
    """A time since which there are `count` messages, and not very many more."""
    info = await reader.info(chosen.stream)
    if info is None or not info["state"]["messages"]:
        return chosen.since
    if await reader.count(chosen) <= count * _SLACK:
        return chosen.since
    first = read_time(info["state"]["first_ts"])
    early = max(first, chosen.since) if chosen.since else first
    late = chosen.until or read_time(info["state"]["last_ts"]) + _MOMENT
    for _ in range(_STEPS):
        if late - early <= _MOMENT:
            break
        middle = early + (late - early) / 2
        there = await reader.count(replace(chosen, since=middle.astimezone(UTC)))
        if there < count:
            late = middle
            continue
        early = middle
        if there <= count * _SLACK:
            break
    return early
