"""Pages of a selection by sequence: the newest, what lies before one, what was stored behind one.

What a page costs does not grow with what lies around it: the server counts, and a page looks at a
bounded number of messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection

LOOKS: Final = 4000
"""So many messages a page looks at, where a selection has `tests`."""
_SLACK: Final = 4
"""So many times what is wanted may be read."""


@dataclass(frozen=True, slots=True)
class StoredPage:
    """Messages, the newest first. `newer` is the sequence behind which more may come, `older` that
    before which there are more, None where there are none. `looked` is how many were looked at.
    """

    messages: Sequence[StoredMessage]
    newer: int
    older: int | None
    looked: int


async def page_before(
    reader: Reader, chosen: StreamSelection, count: int, before: int | None = None
) -> StoredPage:
    """The last `count` messages before a sequence, by default the newest. Of a selection with
    `tests` it may hold fewer, and more be older. Subjects do not overlap. Raises what `Reader`
    raises.
    """
    wanted = LOOKS if chosen.tests else count
    info = await reader.info(chosen.stream)
    if info is None:
        return StoredPage((), 0, None, 0)
    counting = await _Counting.of(reader, chosen, before or info["state"]["last_seq"] + 1)
    start = await counting.start(wanted, max(1, info["state"]["first_seq"]))
    looked = [
        stored
        for stored in await _between(reader, chosen, start - 1, counting.before)
        if stored.stream_seq < counting.before
    ][-wanted:]
    found = [stored for stored in looked if chosen.keeps(stored)][-count:]
    newer = looked[-1].stream_seq if looked else (before or 1) - 1
    first = found[0] if len(found) == count else looked[0] if looked else None
    more = first is not None and await counting.there(1) > await counting.there(first.stream_seq)
    return StoredPage(found[::-1], newer, first.stream_seq if first and more else None, len(looked))


async def page_after(reader: Reader, chosen: StreamSelection, count: int, after: int) -> StoredPage:
    """The first `count` messages behind a sequence, the newest first; likewise."""
    looked, found = 0, list[StoredMessage]()
    newer, behind = after, replace(chosen, tests=(), limit=None)
    async with aclosing(reader.read(behind, after_seq=after)) as reading:
        async for stored in reading:
            looked, newer = looked + 1, stored.stream_seq
            if chosen.keeps(stored):
                found.append(stored)
            if len(found) == count or looked == LOOKS:
                break
    older = found[0].stream_seq if found else after + 1
    return StoredPage(found[::-1], newer, older if after else None, looked)


@dataclass(frozen=True, slots=True)
class _Counting:
    """Counts what is selected from a sequence on and before `before`; `beyond` lies behind that,
    `within` is all since the first moment of the selection.
    """

    reader: Reader
    chosen: StreamSelection
    before: int
    beyond: int
    within: int

    @classmethod
    async def of(cls, reader: Reader, chosen: StreamSelection, before: int) -> _Counting:
        plain = cls(reader, chosen, before, 0, 0)
        beyond = await plain.whole(before)
        if chosen.until is not None:
            late = [
                await reader.count_from(chosen.stream, one, chosen.until) for one in plain.subjects
            ]
            beyond = max(beyond, sum(late))
        since = [
            await reader.count_from(chosen.stream, one, chosen.since) for one in plain.subjects
        ]
        return cls(reader, chosen, before, beyond, sum(since))

    @property
    def subjects(self) -> Sequence[str]:
        return self.chosen.nats_subjects

    async def whole(self, seq: int) -> int:
        counts = [await self.reader.count_from(self.chosen.stream, s, seq) for s in self.subjects]
        return sum(counts)

    async def there(self, seq: int) -> int:
        """How many are selected from the sequence on."""
        return max(0, min(await self.whole(seq), self.within) - self.beyond)

    async def start(self, wanted: int, first: int) -> int:
        """A sequence from which on there are as many as are wanted, and not many more."""
        early, late, span = self.before, self.before, wanted * _SLACK
        while early > first:
            late, early = early, max(first, self.before - span)
            if await self.there(early) >= wanted:
                break
            span *= _SLACK
        while late - early > 1 and await self.there(early) > wanted * _SLACK:
            middle = (early + late) // 2
            if await self.there(middle) >= wanted:
                early = middle
            else:
                late = middle
        return early


async def _between(
    reader: Reader, chosen: StreamSelection, after: int, before: int
) -> list[StoredMessage]:
    found: list[StoredMessage] = []
    plain = replace(chosen, tests=(), limit=None)
    async with aclosing(reader.read(plain, after_seq=after)) as reading:
        async for stored in reading:
            if stored.stream_seq >= before:
                break
            found.append(stored)
    return found
