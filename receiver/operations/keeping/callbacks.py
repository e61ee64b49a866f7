"""The raw callbacks that the events of a selection were made from."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Scanned
from receiver.bus.read.selection import StreamSelection
from receiver.bus.subjects import ANY
from receiver.operations.keeping.plan import Part
from receiver.operations.look.archive import NEAR, OF_CALLBACKS, Archive

_AT_ONCE: Final = 16
_EVENTS_AT_ONCE: Final = 256
_OPEN: Final = 1024
"""So many callbacks may be interleaved with each other's events."""
_MARGIN: Final = timedelta(minutes=1)
"""A callback and its events are stored together: a selection by time may part them."""


@dataclass(slots=True)
class _Made:
    """A callback that was met, or an event of it: what else of them was met so far."""

    raw: StoredMessage | None = None
    selected_at: datetime | None = None
    has_others: bool = False


class CallbacksOf:
    """Adds to `part` the callbacks of the events of `chosen`, which has no limit.

    `shared` is how many of them made other events, too; `missing` how many are not stored.
    """

    def __init__(self, archive: Archive, chosen: StreamSelection, part: Part) -> None:
        self._archive = archive
        self._chosen = chosen
        self._part = part
        self._found: set[str] = set()
        self._far: dict[str, datetime] = {}
        self.shared = 0
        self.missing = 0

    async def read(self, scanned: Scanned) -> AsyncGenerator[StoredMessage, None]:
        """The events; all is found once they were read to the end."""
        reader = self._archive.reader
        selected = await reader.count(replace(self._chosen, tests=()))
        if selected * NEAR > await reader.count(self._around()):  # more than there is to read
            reading = self._walked(scanned)
        else:
            reading = self._looked_up(scanned, headers_only=selected > _EVENTS_AT_ONCE)
        async for event in reading:
            yield event
        await self._search(scanned)

    def _around(self) -> StreamSelection:
        """All callbacks and events that were stored when the selected ones were."""
        subjects, (since, until) = self._archive.subjects, (self._chosen.since, self._chosen.until)
        return StreamSelection(
            subjects.stream,
            [subjects.raw(ANY), subjects.all_events],
            since and since - _MARGIN,
            until and until + _MARGIN,
        )

    async def _walked(self, scanned: Scanned) -> AsyncGenerator[StoredMessage, None]:
        """Reads everything in the order of the stream, holding what is not complete."""
        beginning = self._archive.subjects.raw("")
        made: OrderedDict[str, _Made] = OrderedDict()
        reading = self._archive.reader.read(self._around(), headers_only=True, scanned=scanned)
        async for stored in reading:
            if stored.nats_subject.startswith(beginning):
                made.setdefault(stored.headers.get("yizhan-callbackid", ""), _Made()).raw = stored
            else:
                is_selected, identity = self._chosen.selects(stored), _callback_of(stored)
                if identity and is_selected:
                    made.setdefault(identity, _Made()).selected_at = stored.stored_at
                elif identity:
                    made.setdefault(identity, _Made()).has_others = True
                if is_selected:
                    yield stored
            while len(made) > _OPEN:
                self._close(*made.popitem(last=False))
        for identity, one in made.items():
            self._close(identity, one)

    def _close(self, identity: str, made: _Made) -> None:
        if made.selected_at is None:
            return
        if made.raw is None:
            self._far[identity] = made.selected_at
        else:
            self._part.add(made.raw)
            self.shared += made.has_others

    async def _looked_up(
        self, scanned: Scanned, *, headers_only: bool
    ) -> AsyncGenerator[StoredMessage, None]:
        """Looks right before each event, where nearly all callbacks lie."""
        some: list[StoredMessage] = []
        reader = self._archive.reader
        async for event in reader.read(self._chosen, headers_only=headers_only, scanned=scanned):
            yield event
            some.append(event)
            if len(some) == _EVENTS_AT_ONCE:
                await self._add_near(some)
                some.clear()
        await self._add_near(some)

    async def _add_near(self, events: Sequence[StoredMessage]) -> None:
        times = {_callback_of(event): event.stored_at for event in events}
        near = await self._archive.callbacks_of(
            [event for event in events if _callback_of(event) not in self._found]
        )
        for identity, raw in near.items():
            if raw is None:
                self._far[identity] = times[identity]
        await self._add({identity: raw for identity, raw in near.items() if raw is not None})

    async def _add(self, raws: dict[str, StoredMessage]) -> None:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def is_shared(raw: StoredMessage) -> bool:
            async with limit:
                made = await self._archive.events_of_callback(raw)
            return not all(map(self._chosen.selects, made))

        self._found.update(raws)
        for raw in raws.values():
            self._part.add(raw)
        self.shared += sum(await asyncio.gather(*map(is_shared, raws.values())))

    async def _search(self, scanned: Scanned) -> None:
        """Look through all raw callbacks for those that lie elsewhere, such as those that were read
        again later. One that is older than every raw callback is not looked for.
        """
        reader, subjects = self._archive.reader, self._archive.subjects
        far = {one: at for one, at in self._far.items() if one not in self._found}
        oldest = await reader.around(subjects.stream, subjects.raw(ANY), 1, 1)
        sought = {one for one, at in far.items() if oldest and at >= oldest[0].stored_at}
        found: dict[str, StoredMessage] = {}
        if sought:
            every = StreamSelection(subjects.stream, [subjects.raw(ANY)])
            known = set(self._part.sequences)
            async for raw in reader.read(every, headers_only=True, scanned=scanned):
                identity = raw.headers.get("yizhan-callbackid", "")
                if identity in sought:
                    sought.discard(identity)
                    far.pop(identity)
                    if raw.stream_seq not in known:
                        found[identity] = raw
        self.missing = len(far)
        await self._add(found)


def _callback_of(event: StoredMessage) -> str:
    """The id of the callback that said it; empty for what a handler published."""
    if event.headers.get("ce-origin", "push") not in OF_CALLBACKS:
        return ""
    return event.headers.get("ce-callbackid", "")
