"""After a restart the stream's headers tell what was said before."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from receiver.bus.connection import Connection
from receiver.bus.publisher import Publisher
from receiver.bus.recollection import keep_recollecting, recollect
from receiver.bus.subjects import Subjects
from receiver.callback import InboundRequest
from receiver.dialects import DIALECTS
from receiver.errors import BusError
from receiver.intake import Intake
from receiver.retransmissions import Retransmissions
from receiver.settings import SourceSettings

SOURCE = SourceSettings(
    name="s", dialect="xport", verification="path_token", path_token=SecretStr("t" * 16)
)
WINDOW = timedelta(hours=3)


def pushed(at: str) -> InboundRequest:
    body = json.dumps(
        {"messageType": "ORDER_CREATE", "timestamp": at, "messageBody": '{"orderId":"1"}'}
    )
    return InboundRequest(
        SOURCE, [], body.encode(), received_at=datetime.now(UTC), path_token="t" * 16
    )


async def test_a_retransmission_is_known_after_a_restart(
    connection: Connection, publisher: Publisher, subjects: Subjects
) -> None:
    first = await Intake(publisher, subjects, DIALECTS).accept(pushed("1700000000000"))
    said = Retransmissions(WINDOW)
    since = datetime.now(UTC) - WINDOW
    told = await recollect(connection, subjects, since=since, remember=said.remember)
    assert (told, len(said)) == (1, 1)
    restarted = Intake(publisher, subjects, DIALECTS, retransmissions=said)
    again = await restarted.accept(pushed("1700001800000"))
    assert (first.outcome, again.outcome) == ("stored", "retransmission")


async def test_what_another_receiver_stored_meanwhile_is_known_too(
    connection: Connection, publisher: Publisher, subjects: Subjects
) -> None:
    said = Retransmissions(WINDOW)
    rests, asked = asyncio.Event(), asyncio.Event()

    async def sleep(_: float) -> None:
        rests.set()
        await asked.wait()
        asked.clear()

    keeping = asyncio.create_task(
        keep_recollecting(
            connection,
            subjects,
            window=WINDOW,
            remember=said.remember,
            alone=False,
            sleep=sleep,
        )
    )
    async with asyncio.timeout(20):
        await rests.wait()
        await Intake(publisher, subjects, DIALECTS).accept(pushed("1700000000000"))
        rests.clear()
        asked.set()
        await rests.wait()
    ours = Intake(publisher, subjects, DIALECTS, retransmissions=said)
    assert (await ours.accept(pushed("1700001800000"))).outcome == "retransmission"
    keeping.cancel()
    await asyncio.wait({keeping})


async def test_what_is_older_than_the_window_is_not_told(
    connection: Connection, publisher: Publisher, subjects: Subjects
) -> None:
    await Intake(publisher, subjects, DIALECTS).accept(pushed("1700000000000"))
    said = Retransmissions(WINDOW)
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert await recollect(connection, subjects, since=later, remember=said.remember) == 0


async def test_an_unknown_stream_is_a_bus_error(connection: Connection) -> None:
    said = Retransmissions(WINDOW)
    with pytest.raises(BusError):
        await recollect(
            connection, Subjects("nothere"), since=datetime.now(UTC), remember=said.remember
        )


def test_the_first_of_equal_words_is_named_within_the_window_only() -> None:
    said, start = Retransmissions(WINDOW), datetime(2026, 1, 1, tzinfo=UTC)
    said.remember("s", "digest", "one", start)
    said.remember("s", "digest", "two", start + timedelta(hours=1))
    assert said.first_of("s", "digest", "three", start + timedelta(hours=2)) == "one"
    assert said.first_of("s", "digest", "one", start + timedelta(hours=2)) is None
    assert said.first_of("other", "digest", "three", start) is None
    assert said.first_of("s", "digest", "three", start + timedelta(hours=4)) is None


def test_the_memory_is_bounded() -> None:
    said, start = Retransmissions(WINDOW, limit=10), datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(100):
        said.remember("s", str(n), str(n), start)
    assert len(said) == 10
    assert said.first_of("s", "99", "x", start) == "99"
