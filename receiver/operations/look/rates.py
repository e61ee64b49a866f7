"""How many callbacks came lately, beside the same time a week before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from receiver.bus.read.selection import StreamSelection
from receiver.operations.look.archive import Archive

_HOUR: Final = timedelta(hours=1)
_WEEK: Final = timedelta(days=7)


async def hourly_rates(
    archive: Archive, sources: Sequence[str], now: datetime
) -> dict[str, dict[str, Any]]:
    """Of each source, `hour`: the callbacks of the last hour, those in quarantine among them, and
    `week_before`: of the same hour a week ago. Raises what `Reader` raises.
    """
    found = await asyncio.gather(*(_rate(archive, source, now) for source in sources))
    return dict(zip(sources, found, strict=True))


async def _rate(archive: Archive, source: str, now: datetime) -> dict[str, Any]:
    subjects = archive.subjects
    both = (subjects.raw(source), subjects.quarantine(source))
    lately = StreamSelection(subjects.stream, both, now - _HOUR)
    before = StreamSelection(subjects.stream, both, now - _WEEK - _HOUR, now - _WEEK)
    return {
        "hour": await archive.reader.count(lately),
        "week_before": await archive.reader.count(before),
    }
