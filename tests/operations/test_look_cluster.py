"""What operators look at and give back on three servers, while the leaders step down."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.read.filters import Filters
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.operations.handlers import HandlerOperations
from receiver.operations.look.archive import Archive
from receiver.operations.look.order_life import order_life
from receiver.operations.look.status import Place, status
from receiver.operations.repair.letter_acts import LetterActs
from receiver.operations.repair.letters import Letters
from receiver.operations.repair.tally import Tally
from receiver.testing import eventually
from tests.bus.cluster import running_cluster
from tests.operations.repair.test_letters import letter
from tests.operations.shelf import Shelf

pytestmark = pytest.mark.serial

ORDER, EVENTS, LETTERS = "2745812000123456789", 5, 10


async def test_an_order_a_status_and_letters_are_whole_over_a_change_of_leader(
    tmp_path: Path, subjects: Subjects
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(running_cluster(tmp_path))
        connection = Connection(cluster.url, plans(subjects, [timedelta(hours=1)], replicas=3))
        stack.push_async_callback(connection.stop)
        assert await connection.start(patience_s=60)
        publisher = JetStreamPublisher(connection, timeout_s=30)
        shelf = Shelf(publisher, subjects)
        ids = [await shelf.push(ORDER, payTime=f"2026-01-31 08:00:0{n}") for n in range(EVENTS)]
        for number in range(LETTERS):
            await publisher.publish([letter(subjects, str(number), number)])
        archive, letters = Archive(connection, subjects), Letters(connection, subjects)
        handlers = HandlerOperations(connection, subjects, [], kept=timedelta(days=90))

        async def everywhere() -> bool:  # a replica that is asked may be a moment behind
            life = await order_life(archive, Filters(order_id=ORDER))
            return life is not None and life["events_count"] == EVENTS

        async def step_down() -> None:
            for stream in (subjects.stream, subjects.dead_stream):
                await call(connection.client, f"STREAM.LEADER.STEPDOWN.{stream}", {})

        await eventually(everywhere, within_s=60)
        tally, acts = Tally(), LetterActs(letters, publisher, patience_s=60)
        stepping = asyncio.create_task(step_down())
        life = await order_life(archive, Filters(order_id=ORDER))
        document = await status(Place(archive, handlers, ["shop"]), datetime.now(UTC))
        (group,) = await letters.groups(Filters())
        callback = await archive.callback(ids[0], Filters())
        await stepping
        again = asyncio.create_task(step_down())
        await acts.retry(await letters.chosen(Filters()), tally)
        await again

        assert life is not None
        assert [one["callback_id"] for one in life["events"]] == ids
        assert life["missing"] == document["missing"] == []
        assert (document["dead_letters"]["count"], group.count) == (LETTERS, LETTERS)
        assert callback is not None
        assert tally.numbers == {"retried": LETTERS}
        assert await letters.chosen(Filters()) == []
