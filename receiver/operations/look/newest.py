"""The newest messages of a selection, at a cost that does not grow with what lies before them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.retention import read_time

_SLACK: Final = 2
"""So many times what is wanted may be read."""
_FIRST: Final = timedelta(seconds=1)
_WIDER: Final = 4
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
    """A time since which there are `count` messages, and not very many more; the end of the stream
    is looked at first, since the server counts what lies behind a time the faster, the less it is.
    """
    info = await reader.info(chosen.stream)
    if info is None or not info["state"]["messages"]:
        return chosen.since
    first = read_time(info["state"]["first_ts"])
    early = max(first, chosen.since) if chosen.since else first
    end = chosen.until or read_time(info["state"]["last_ts"]) + _MOMENT
    late, span = end, _FIRST
    while True:
        start = max(early, end - span)
        there = await reader.count(replace(chosen, since=start))
        if there >= count or start == early:
            early = start
            break
        late, span = start, span * _WIDER
    while there > count * _SLACK and late - early > _MOMENT:
        middle = early + (late - early) / 2
        behind = await reader.count(replace(chosen, since=middle))
        if behind < count:
            late = middle
        else:
            early, there = middle, behind
    return early
