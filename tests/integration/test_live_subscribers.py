"""A plain NATS subscriber sees what is committed, once, and nothing that was refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from tests.subscribed import subscribed
from tests.web.test_callbacks import Stack, serve_stack, signed_headers

CASE = Path(__file__).parents[1] / "fixtures/cases/refused-replay-reaches-plain-subscribers"
HONEST, FORGED = (CASE / "honest.json").read_bytes(), (CASE / "forged.json").read_bytes()


class Live:
    """What a plain subscriber to everything below the root has seen."""

    def __init__(self) -> None:
        self.messages: list[Msg] = []

    async def take(self, message: Msg) -> None:
        self.messages.append(message)

    def totals(self) -> list[str]:
        events = [m for m in self.messages if ".events." in m.subject and ".in." not in m.subject]
        return [json.loads(m.data)["amounts"]["total"]["amount"] for m in events]


@pytest.fixture
async def live(client: Client, subjects: Subjects) -> Live:
    seen = Live()
    await client.subscribe(subjects.all_events, cb=seen.take)
    await subscribed(client)
    return seen


@asynccontextmanager
async def receiver(connection: Connection, subjects: Subjects) -> AsyncIterator[Stack]:
    """One that remembers nothing, as after a restart."""
    publisher = GroupCommitPublisher(connection, timeout_s=10)
    async for stack in serve_stack(publisher, connection, subjects):
        yield stack
    await publisher.stop()


async def seen_by_now(client: Client, connection: Connection) -> None:
    """What the stream republished is on its way before its answer to this is."""
    await connection.jetstream.account_info()
    await subscribed(client)


async def post(stack: Stack, source: str, body: bytes, headers: dict[str, str]) -> int:
    answer = await stack.http.post(f"/callbacks/{source}", content=body, headers=headers)
    return answer.status_code


async def test_a_refused_replay_is_not_seen(
    connection: Connection, subjects: Subjects, client: Client, live: Live
) -> None:
    headers = signed_headers()
    async with receiver(connection, subjects) as first:
        assert await post(first, "signed", HONEST, headers) == 200
    async with receiver(connection, subjects) as second:
        assert await post(second, "signed", FORGED, headers) == 401
    await seen_by_now(client, connection)
    assert live.totals() == ["100.00"]


async def test_eight_forgeries_to_another_receiver_are_not_seen(
    connection: Connection, subjects: Subjects, client: Client, live: Live
) -> None:
    async with receiver(connection, subjects) as one, receiver(connection, subjects) as other:
        for number in range(8):
            headers = signed_headers()
            honest = HONEST.replace(b"170001", b"17%04d" % number)
            forged = FORGED.replace(b"170001", b"17%04d" % number)
            assert await post(one, "signed", honest, headers) == 200
            assert await post(other, "signed", forged, headers) == 401
    await seen_by_now(client, connection)
    assert live.totals() == ["100.00"] * 8


async def test_a_marked_replay_is_never_seen_without_its_mark(
    connection: Connection, subjects: Subjects, client: Client, live: Live
) -> None:
    headers = signed_headers()
    async with receiver(connection, subjects) as first:
        assert await post(first, "marking", HONEST, headers) == 200
    async with receiver(connection, subjects) as second:
        assert await post(second, "marking", FORGED, headers) == 200
    await seen_by_now(client, connection)
    marks = [(m.headers or {}).get("ce-replayof") is not None for m in live.messages]
    assert (live.totals(), marks) == (["100.00", "0.01"], [False, True])


@pytest.mark.parametrize("entries", [2, 998, 999, 1000])
async def test_each_event_of_a_long_list_is_seen_once(
    connection: Connection, subjects: Subjects, client: Client, live: Live, entries: int
) -> None:
    paid = [{"orderId": 3305075341149000000 + n, "status": "successed"} for n in range(entries)]
    envelope: dict[str, Any] = {"messageType": "ORDER_BATCH_PAY", "messagePlatform": 1}
    body = json.dumps(envelope | {"messageBody": {"batchPay": paid}}).encode()
    async with receiver(connection, subjects) as stack:
        assert await post(stack, "signed", body, signed_headers()) == 200
    await seen_by_now(client, connection)
    ids = Counter((m.headers or {})["ce-id"] for m in live.messages)
    assert (len(ids), set(ids.values())) == (entries, {1})
    info = await connection.jetstream.stream_info(subjects.stream)
    assert info.state.messages == entries + 2  # the raw message and the used signature
