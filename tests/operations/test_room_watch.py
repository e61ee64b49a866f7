"""The warning before a stream or its disk is full, on a real stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.reader import Reader
from receiver.bus.subjects import Subjects
from receiver.operations.keeping.watch import warn_of_room
from tests.operations.shelf import Shelf


class EnoughError(Exception):
    """So many looks were taken."""


async def warned(connection: Connection, subjects: Subjects, times: list[datetime]) -> list[Any]:
    """What is logged in one look a time, with one byte more free than is stored."""
    left = [*times]

    async def sleep(_: float) -> None:
        if not left:
            raise EnoughError

    with structlog.testing.capture_logs() as logged, pytest.raises(EnoughError):
        await warn_of_room(
            Reader(connection),
            subjects,
            free_bytes=lambda: 1,
            now=lambda: left.pop(0),
            sleep=sleep,
        )
    return [(line["event"], line.get("stream")) for line in logged]


async def test_a_stream_and_a_disk_that_are_full_soon_are_warned_of_once_a_day(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
) -> None:
    await Shelf(publisher, subjects).push("1")
    info = await call(connection.client, f"STREAM.INFO.{subjects.stream}", {})
    bounded = info["config"] | {"max_bytes": 2 * info["state"]["bytes"]}
    await call(connection.client, f"STREAM.UPDATE.{subjects.stream}", bounded)
    start = datetime.now(UTC)
    found = await warned(
        connection, subjects, [start + timedelta(hours=hours) for hours in (0, 2, 3)]
    )
    assert found == [("stream_full_soon", subjects.stream), ("disk_full_soon", None)]
