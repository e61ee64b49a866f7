"""Events as they are stored, for one who looks on: in order, and so many at once at most."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.errors import BusError
from receiver.operations.look.paging import LOOKS, page_after, page_before

AT_ONCE: Final = 200
"""Of more than these that wait the newest come, and the number of the others."""
_LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Batch:
    """What came, oldest first, after `skipped` that are not shown. None came where all is quiet;
    `why` is then what NATS said where it did not answer.
    """

    messages: Sequence[StoredMessage] = ()
    skipped: int = 0
    why: str = ""


async def live(
    reader: Reader,
    chosen: StreamSelection,
    after: int,
    ending: asyncio.Event,
    *,
    at_once: int = AT_ONCE,
) -> AsyncGenerator[Batch, None]:
    """What is stored behind a sequence, a batch twice a second, until `ending` is set.

    It is asked for by sequence once the batch before was taken, so that whoever is slow holds
    nothing here, and a restart of NATS neither loses a message nor repeats one.
    """
    chosen, last = replace(chosen, limit=None), after
    while not ending.is_set():
        try:
            batch, last = await _behind(reader, chosen, last, at_once)
        except BusError as error:
            batch = Batch(why=str(error))
        yield batch
        try:
            await asyncio.wait_for(ending.wait(), _LOOK_S)
        except TimeoutError:
            continue


async def _behind(
    reader: Reader, chosen: StreamSelection, last: int, at_once: int
) -> tuple[Batch, int]:
    limit = LOOKS if chosen.tests else at_once
    waiting = await _count(reader, chosen, last + 1)
    if waiting and chosen.since is not None:
        waiting = min(waiting, await _count(reader, chosen, chosen.since))
    if not waiting:
        return Batch(), last
    if waiting <= limit:
        page = await page_after(reader, chosen, at_once, last)
        return Batch(page.messages[::-1]), page.newer
    page = await page_before(reader, chosen, at_once)
    return Batch(page.messages[::-1], skipped=waiting - page.looked), page.newer


async def _count(reader: Reader, chosen: StreamSelection, since: int | datetime) -> int:
    counts = [await reader.count_from(chosen.stream, one, since) for one in chosen.nats_subjects]
    return sum(counts)
