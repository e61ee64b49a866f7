"""Events as they are stored, over restarts of the server too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.reader import Reader
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.operations.look.tail import follow
from receiver.testing import eventually
from tests.operations.shelf import Shelf


@asynccontextmanager
async def following(
    connection: Connection, subjects: Subjects, filters: Filters
) -> AsyncIterator[list[StoredMessage]]:
    """What has come so far; the following has begun where an event of the order `begin` came."""
    found: list[StoredMessage] = []

    async def collect() -> None:
        async with aclosing(
            follow(Reader(connection), selection.events(filters, subjects))
        ) as events:
            async for stored in events:
                found.extend([stored])

    task = asyncio.create_task(collect())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def orders(found: list[StoredMessage]) -> list[str]:
    return [one.headers["ce-subject"] for one in found if one.headers["ce-subject"] != "begin"]


async def begun(shelf: Shelf, found: list[StoredMessage]) -> None:
    """Store events until one is seen."""
    number = 0

    async def seen() -> bool:
        nonlocal number
        number += 1
        await shelf.push("begin", payTime=f"2026-01-31 08:00:{number % 60:02}", note=str(number))
        return bool(found)

    await eventually(seen, within_s=60)


async def test_what_is_stored_comes_in_order_and_once(
    connection: Connection, subjects: Subjects, publisher: GroupCommitPublisher
) -> None:
    shelf = Shelf(publisher, subjects)
    await shelf.push("before")
    async with following(connection, subjects, Filters()) as found:
        await begun(shelf, found)
        for number in range(1, 51):
            await shelf.push(str(number))
        await eventually(lambda: len(orders(found)) >= 50, within_s=60)
    assert orders(found) == [str(number) for number in range(1, 51)]
    assert all(one.body for one in found)


async def test_with_since_what_is_stored_already_comes_first(
    connection: Connection, subjects: Subjects, publisher: GroupCommitPublisher
) -> None:
    shelf = Shelf(publisher, subjects)
    for number in range(1, 6):
        await shelf.push(str(number))
    since = datetime.now(UTC) - timedelta(hours=1)
    async with following(connection, subjects, Filters(since=since)) as found:
        await eventually(lambda: len(found) >= 5, within_s=60)
        for number in range(6, 11):
            await shelf.push(str(number))
        await eventually(lambda: len(found) >= 10, within_s=60)
    assert orders(found) == [str(number) for number in range(1, 11)]


async def test_what_no_subject_holds_is_compared(
    connection: Connection, subjects: Subjects, publisher: GroupCommitPublisher
) -> None:
    other = Shelf(publisher, subjects, source="other")
    shelf = Shelf(publisher, subjects)
    async with following(connection, subjects, Filters(source="shop")) as found:
        await begun(shelf, found)
        await other.push("1")
        await shelf.push("2")
        await eventually(lambda: bool(orders(found)), within_s=60)
    assert orders(found) == ["2"]


async def test_a_restart_of_the_server_leaves_no_gap(tmp_path: Path) -> None:
    subjects = Subjects("gap")
    server = EmbeddedServer(EmbeddedServerConfig(data_dir=tmp_path, port=0))
    await server.start()
    tailing = Connection(server.url, plans(subjects, [timedelta(hours=1)]))
    storing = Connection(server.url, plans(subjects, [timedelta(hours=1)]))
    publisher = GroupCommitPublisher(storing, timeout_s=30)
    shelf = Shelf(publisher, subjects)
    try:
        assert await tailing.start(patience_s=10)
        assert await storing.start(patience_s=10)
        async with following(tailing, subjects, Filters()) as found:
            await begun(shelf, found)
            await shelf.push("1")
            await server.stop()
            await server.start()
            await eventually(lambda: storing.ready, within_s=60)
            await shelf.push("2")  # most likely before the other connection is back
            await eventually(lambda: len(orders(found)) >= 2, within_s=60)
            await shelf.push("3")
            await eventually(lambda: len(orders(found)) >= 3, within_s=60)
        assert orders(found) == ["1", "2", "3"]
    finally:
        await publisher.stop()
        await tailing.stop()
        await storing.stop()
        await server.stop()
