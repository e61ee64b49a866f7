"""The newest messages, of many and of few, by a real server's counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.reader import Reader
from receiver.bus.subjects import Subjects
from receiver.operations.look.newest import newest
from tests.operations.shelf import Shelf


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
