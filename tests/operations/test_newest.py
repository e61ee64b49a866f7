"""The newest messages, of many and of few, by a real server's counts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.reader import Reader
from receiver.bus.subjects import Subjects
from receiver.operations.look.newest import newest
from tests.operations.shelf import Shelf


class CountedReader(Reader):
    """Counts the messages that it reads."""

    scanned = 0

    async def read(self, *given: Any, **named: Any) -> AsyncGenerator[StoredMessage, None]:
        async for stored in super().read(*given, **named, scanned=self._count):
            yield stored

    def _count(self, number: int) -> None:
        self.scanned = number


async def test_the_newest_are_found_from_the_end(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
) -> None:
    reader, shelf = Reader(connection), Shelf(publisher, subjects)
    every = selection.events(Filters(), subjects)
    assert await newest(reader, every, 3) == []
    for order in range(20):
        await shelf.push(f"order-{order}")
    later = selection.events(Filters(since=datetime.now(UTC) + timedelta(days=1)), subjects)
    tested = selection.events(Filters(source="shop"), subjects)
    for chosen, count, found in ((every, 3, 3), (every, 100, 20), (tested, 2, 2), (later, 2, 0)):
        got = [one.headers["ce-subject"] for one in await newest(reader, chosen, count)]
        assert got == [f"order-{order}" for order in range(19, 19 - found, -1)]


async def test_of_a_young_log_what_lies_before_the_newest_is_not_read(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
) -> None:
    reader, shelf = CountedReader(connection), Shelf(publisher, subjects)
    for order in range(60):
        await shelf.push(f"order-{order}")
    chosen = selection.events(Filters(event_type="payment"), subjects)
    assert len(await newest(reader, chosen, 2)) == 2
    assert 2 <= reader.scanned < 60
