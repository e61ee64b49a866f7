"""The raw callbacks that events were made from."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Scanned
from receiver.bus.read.selection import StreamSelection
from receiver.bus.subjects import ANY
from receiver.operations.look.archive import Archive

_AT_ONCE: Final = 16


class CallbacksOf:
    """Collects the callbacks of the events that are added: `found` are their messages by callback
    id, without bodies.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.found: dict[str, StoredMessage] = {}
        self._missing: dict[str, datetime] = {}

    async def add(self, events: Sequence[StoredMessage]) -> None:
        """The callbacks that lie right before them, as nearly all do."""
        near = await self._archive.callbacks_of(
            [one for one in events if one.headers.get("ce-callbackid") not in self.found]
        )
        for event in events:
            identity = event.headers.get("ce-callbackid", "")
            if identity not in near:
                continue
            if (raw := near[identity]) is not None:
                self.found[identity] = replace(raw, body=b"")
            else:
                self._missing[identity] = event.stored_at

    async def search(self, scanned: Scanned) -> int:
        """Look through all raw callbacks for the others, such as those that were read again later;
        gives how many are not there. One that is older than every raw callback is not looked for.
        """
        reader, subjects = self._archive.reader, self._archive.subjects
        every = StreamSelection(subjects.stream, [subjects.raw(ANY)])
        oldest = await reader.around(subjects.stream, subjects.raw(ANY), 1, 1)
        missing = self._missing.keys() - self.found.keys()
        sought = {one for one in missing if oldest and self._missing[one] >= oldest[0].stored_at}
        if sought:
            async for raw in reader.read(every, headers_only=True, scanned=scanned):
                identity = raw.headers.get("yizhan-callbackid", "")
                if identity in sought:
                    self.found[identity] = raw
        return len(missing - self.found.keys())

    async def shared(self, events: Collection[int]) -> int:
        """How many of them made events that are none of these, by sequence."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def is_shared(raw: StoredMessage) -> bool:
            async with limit:
                made = await self._archive.events_of_callback(raw)
            return any(event.stream_seq not in events for event in made)

        return sum(await asyncio.gather(*map(is_shared, self.found.values())))
