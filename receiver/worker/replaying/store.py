"""The replays of one root in the state stream: read, listed, changed by compare-and-set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from receiver.bus.connection import Connection
from receiver.bus.state.store import Entry, StateConflictError, StateStore
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, DecodingError
from receiver.worker.replaying.record import PREFIX, ReplayRecord, read_replay, replay_key

_TRIES: Final = 8


class Found(NamedTuple):
    """A replay, and the revision of its entry."""

    record: ReplayRecord
    revision: int


class Replays:
    """Everything raises `BusError` where NATS is away."""

    def __init__(self, store: StateStore, connection: Connection, subjects: Subjects) -> None:
        self.store = store
        self.connection = connection
        self.subjects = subjects

    async def get(self, name: str) -> Found | None:
        """The replay of a name; None where there is none (any more)."""
        return _found(await self.store.get(replay_key(name)))

    async def all(self) -> list[ReplayRecord]:
        """Every replay that is kept, those that changed last at the end."""
        return [found.record for found in await self.changed(0)]

    async def changed(self, after: int) -> list[Found]:
        """Those that changed behind a revision, those that changed last at the end."""
        found = [_found(entry) async for _, entry in self.store.scan(PREFIX, after=after)]
        return [one for one in found if one is not None]

    async def put(self, record: ReplayRecord, revision: int) -> int:
        """Keep it over what is at `revision`; raises `StateConflictError` where that changed."""
        return await self.store.put(record.key, record.encoded(), revision, ttl=record.life())

    async def change(
        self, name: str, change: Callable[[ReplayRecord], ReplayRecord | None]
    ) -> ReplayRecord | None:
        """Have `change` make another record of what is kept, again where that changed meanwhile.

        Gives what is kept then; None where there is no such replay. None of `change` changes
        nothing.
        """
        for _ in range(_TRIES):
            found = await self.get(name)
            if found is None:
                return None
            record = change(found.record)
            if record is None:
                return found.record
            try:
                await self.put(record, found.revision)
            except StateConflictError:
                continue
            return record
        raise BusError(f"the replay {name} is changed by others all the time")


def _found(entry: Entry) -> Found | None:
    if entry.value is None:
        return None
    try:
        return Found(read_replay(entry.value), entry.revision)
    except DecodingError:
        return None
