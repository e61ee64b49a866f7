"""What a consumer is asked for, and what comes in answer, by the server's own words."""

from __future__ import annotations

import asyncio

import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig

from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage, StoredMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.pull_request import Answer, Kind, PullRequest, classify
from receiver.bus.subjects import Subjects

BODY = b"b" * 400


async def answers(
    client: Client, connection: Connection, request: PullRequest, *, until: Kind
) -> list[Answer]:
    """What comes in answer to one request, up to the first of the kind `until`."""
    stream = connection.stream
    consumer = await connection.jetstream.add_consumer(
        stream, ConsumerConfig(ack_policy=AckPolicy.NONE, mem_storage=True)
    )
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    await client.publish(request.subject(stream, consumer.name), request.body(), reply=inbox)
    found: list[Answer] = []
    async with asyncio.timeout(60):
        while not found or found[-1].kind is not until:
            found.append(classify(await subscription.next_msg(timeout=60)))
    return found


@pytest.fixture(autouse=True)
async def three_stored(publisher: GroupCommitPublisher, subjects: Subjects) -> None:
    for number in range(3):
        subject = subjects.raw(f"s{number}")
        message = OutgoingMessage.of(subject, {"Nats-Msg-Id": f"pulled.{number}"}, BODY)
        await publisher.publish([message])


async def test_messages_come_and_then_the_end(client: Client, connection: Connection) -> None:
    found = await answers(client, connection, PullRequest(10), until=Kind.ENDED)
    assert [answer.kind for answer in found] == [Kind.DATA] * 3 + [Kind.ENDED]


async def test_a_limit_in_bytes_ends_a_request(client: Client, connection: Connection) -> None:
    request = PullRequest(10, max_bytes=1500, expires_s=60, heartbeat_s=20)
    found = await answers(client, connection, request, until=Kind.ENDED)
    assert [answer.kind for answer in found] == [Kind.DATA] * (len(found) - 1) + [Kind.ENDED]
    assert len(found) in {2, 3}


async def test_an_idle_server_sends_signs_of_life(client: Client, connection: Connection) -> None:
    request = PullRequest(10, expires_s=60, heartbeat_s=0.1)
    found = await answers(client, connection, request, until=Kind.HEARTBEAT)
    assert [answer.kind for answer in found] == [Kind.DATA] * 3 + [Kind.HEARTBEAT]


async def test_a_request_ends_after_its_time(client: Client, connection: Connection) -> None:
    request = PullRequest(10, expires_s=0.5, heartbeat_s=0.2)
    found = await answers(client, connection, request, until=Kind.ENDED)
    assert found[-1] == Answer(Kind.ENDED)


async def test_a_consumer_that_is_deleted_breaks_the_request(
    client: Client, connection: Connection
) -> None:
    jetstream, stream = connection.jetstream, connection.stream
    consumer = await jetstream.add_consumer(stream, ConsumerConfig(mem_storage=True))
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    request = PullRequest(10, expires_s=60, heartbeat_s=20)
    await client.publish(request.subject(stream, consumer.name), request.body(), reply=inbox)
    for number in range(3):
        stored = StoredMessage.of(await subscription.next_msg(timeout=60))
        assert (stored.stream_seq, stored.body) == (number + 1, BODY)
    await jetstream.delete_consumer(stream, consumer.name)
    answer = classify(await subscription.next_msg(timeout=60))
    assert answer.kind is Kind.BROKEN
    assert answer.reason == "the pull ended: 409 Consumer Deleted"
