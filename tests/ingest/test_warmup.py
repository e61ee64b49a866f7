"""After a restart the stream's headers hold what was pushed before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from receiver.bus.connection import Connection
from receiver.bus.publish.contract import Submitter
from receiver.bus.subjects import Subjects
from receiver.callback import InboundRequest
from receiver.dialects import DIALECTS
from receiver.errors import BusError
from receiver.ingest.intake import Intake
from receiver.ingest.peers import StoredCallbackBroadcast
from receiver.ingest.retransmissions import Retransmissions
from receiver.ingest.storing import IntakeResult, Receipt
from receiver.ingest.warmup import keep_warm, warm_up
from receiver.resilience import supervision
from receiver.settings import SourceSettings
from receiver.testing import eventually

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


async def accepted(intake: Intake, request: InboundRequest) -> Receipt:
    answer: asyncio.Future[IntakeResult] = asyncio.get_running_loop().create_future()
    intake.accept(request, answer.set_result)
    told = await answer
    assert isinstance(told, Receipt)
    return told


async def test_a_retransmission_is_known_after_a_restart(
    connection: Connection, publisher: Submitter, subjects: Subjects
) -> None:
    first = await accepted(Intake(publisher, subjects, DIALECTS), pushed("1700000000000"))
    seen = Retransmissions(WINDOW)
    restarted = Intake(publisher, subjects, DIALECTS, retransmissions=seen)  # before it is filled
    since = datetime.now(UTC) - WINDOW
    told = await warm_up(connection, subjects, since=since, remember=seen.remember)
    assert (told, len(seen)) == (1, 1)
    again = await accepted(restarted, pushed("1700001800000"))
    assert (first.outcome, again.outcome) == ("stored", "retransmission")


async def test_what_was_missed_while_the_connection_was_lost_is_read_after_it(
    connection: Connection, publisher: Submitter, subjects: Subjects
) -> None:
    seen = Retransmissions(WINDOW)
    rested: list[float] = []

    async def sleep(pause_s: float) -> None:
        rested.append(pause_s)

    keep = partial(
        keep_warm,
        connection,
        subjects,
        window=WINDOW,
        remember=seen.remember,
        sleep=sleep,
    )
    with capture_logs() as logs:
        async with supervision.running(keep, name="recollection"):
            await eventually(lambda: read(logs) == [0])
            await accepted(Intake(publisher, subjects, DIALECTS), pushed("1700000000000"))
            await connection.client._send_command(b"NONSENSE\r\n")  # the server hangs up
            await connection.client._flush_pending()
            await eventually(lambda: read(logs) == [0, 1], within_s=60)
    ours = Intake(publisher, subjects, DIALECTS, retransmissions=seen)
    assert (await accepted(ours, pushed("1700001800000"))).outcome == "retransmission"
    assert rested


def read(logs: list[MutableMapping[str, Any]]) -> list[int]:
    return [line["count"] for line in logs if line["event"] == "callbacks_recollected"]


async def test_receivers_broadcast_what_they_stored(
    connection: Connection, publisher: Submitter, subjects: Subjects
) -> None:
    theirs, ours = Retransmissions(WINDOW), Retransmissions(WINDOW)
    one = StoredCallbackBroadcast(connection, subjects, theirs.remember)
    other = StoredCallbackBroadcast(connection, subjects, ours.remember)
    async with (
        supervision.running(one.run, name="one"),
        supervision.running(other.run, name="other"),
    ):
        await accepted(
            Intake(publisher, subjects, DIALECTS, announce=one.announce), pushed("1700000000000")
        )
        await eventually(lambda: len(ours) == 1)
        again = Intake(publisher, subjects, DIALECTS, retransmissions=ours, announce=other.announce)
        assert (await accepted(again, pushed("1700001800000"))).outcome == "retransmission"
        await eventually(lambda: len(theirs) == 1)  # what the other broadcast, not its own
        for nonsense in (b"", b"x", b"x\n", b"x\n7", b"x\n[[1]]", b'x\n[["s","d","i",1e99]]'):
            await connection.client.publish(subjects.broadcast, nonsense)
        now = datetime.now(UTC)
        for number in range(2500):  # more than one message holds
            one.announce("s", f"digest {number}", f"id {number}", now)
        await eventually(lambda: len(ours) == 2501)
    assert len(theirs) == 1


async def test_a_client_that_was_dialled_anew_listens_again(
    connection: Connection, subjects: Subjects
) -> None:
    ours = Retransmissions(WINDOW)
    other = StoredCallbackBroadcast(connection, subjects, ours.remember)
    async with supervision.running(other.run, name="other"):
        one = StoredCallbackBroadcast(connection, subjects, lambda *_: None)
        async with supervision.running(one.run, name="one"):
            one.announce("s", "first", "id", datetime.now(UTC))
            await eventually(lambda: len(ours) == 1)
            before = connection.client
            await before._send_command(b"NONSENSE\r\n")
            await before._flush_pending()
            await eventually(lambda: connection.ready and connection.client is not before)
            async with asyncio.timeout(60):
                while len(ours) < 2:  # one that is told before both listen is lost
                    one.announce("s", "second", "id", datetime.now(UTC))
                    await asyncio.sleep(0.05)


async def test_stored_callbacks_older_than_the_window_are_not_remembered(
    connection: Connection, publisher: Submitter, subjects: Subjects
) -> None:
    await accepted(Intake(publisher, subjects, DIALECTS), pushed("1700000000000"))
    seen = Retransmissions(WINDOW)
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert await warm_up(connection, subjects, since=later, remember=seen.remember) == 0


async def test_an_unknown_stream_is_a_bus_error(connection: Connection) -> None:
    seen = Retransmissions(WINDOW)
    with pytest.raises(BusError):
        await warm_up(
            connection, Subjects("nothere"), since=datetime.now(UTC), remember=seen.remember
        )


def test_the_first_of_equal_words_is_named_within_the_window_only() -> None:
    seen, start = Retransmissions(WINDOW), datetime(2026, 1, 1, tzinfo=UTC)
    seen.remember("s", "digest", "one", start)
    seen.remember("s", "digest", "two", start + timedelta(hours=1))
    assert (
        seen.earlier_with_same_content("s", "digest", "three", start + timedelta(hours=2)) == "one"
    )
    assert seen.earlier_with_same_content("s", "digest", "one", start + timedelta(hours=2)) is None
    assert seen.earlier_with_same_content("other", "digest", "three", start) is None
    assert (
        seen.earlier_with_same_content("s", "digest", "three", start + timedelta(hours=4)) is None
    )


def test_the_memory_is_bounded() -> None:
    seen, start = Retransmissions(WINDOW, limit=10), datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(100):
        seen.remember("s", str(n), str(n), start)
    assert len(seen) == 10
    assert seen.earlier_with_same_content("s", "99", "x", start) == "99"
