"""Streams on three servers: replicated, scaled up, and refused by a server that is alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import nats
import pytest
from nats.js.errors import NotFoundError

from receiver.bus.connection import Connection
from receiver.bus.credentials import servers
from receiver.bus.message import MSG_ID, OutgoingMessage, StoredMessage
from receiver.bus.publish.contract import NonceClaimedError, Publisher
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.read.history import Span, opened_history
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.errors import ConfigurationError
from tests.bus.cluster import Cluster, running_cluster

HORIZON = [timedelta(hours=1)]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with running_cluster(tmp_path) as running:
        yield running


async def replicas_of(connection: Connection, stream: str) -> tuple[int | None, int]:
    """As configured, and as there are."""
    info = await connection.jetstream.stream_info(stream)
    assert info.cluster is not None
    return info.config.num_replicas, 1 + len(info.cluster.replicas or ())


async def test_both_streams_are_held_by_three_servers_and_never_by_fewer_again(
    cluster: Cluster, subjects: Subjects
) -> None:
    client = await nats.connect(servers(cluster.url))
    for made in plans(subjects, HORIZON):
        await client.jetstream().add_stream(name=made.name, subjects=list(made.subjects))
    await client.close()
    for replicas, found in ((3, (3, 3)), (1, (3, 3))):
        asked = plans(subjects, HORIZON, replicas=replicas)
        connection = Connection(cluster.url, asked)
        assert await connection.start(patience_s=60)
        for stream in (subjects.stream, subjects.dead_stream):
            async with asyncio.timeout(60):  # a new replica joins a moment later
                while await replicas_of(connection, stream) != found:
                    await asyncio.sleep(0.05)
        await connection.stop()


async def test_one_replica_on_a_cluster_is_refused_and_nothing_is_made(
    cluster: Cluster, subjects: Subjects
) -> None:
    connection = Connection(cluster.url, plans(subjects, HORIZON))
    with pytest.raises(ConfigurationError, match=r"set nats\.replicas to 3"):
        await connection.start(patience_s=60)
    await connection.stop()
    client = await nats.connect(servers(cluster.url))
    with pytest.raises(NotFoundError):
        await client.jetstream().stream_info(subjects.stream)
    await client.close()


async def test_replicas_on_a_server_that_is_alone_are_a_sentence(
    nats_url: str, subjects: Subjects
) -> None:
    connection = Connection(nats_url, plans(subjects, HORIZON, replicas=3))
    with pytest.raises(ConfigurationError, match=r"nats\.replicas: 3 need a cluster"):
        await connection.start(patience_s=10)
    await connection.stop()


def made(subjects: Subjects, name: str) -> list[OutgoingMessage]:
    event = subjects.event("1688", "payment.succeeded", name)
    return [
        OutgoingMessage.of(subjects.raw("s"), {MSG_ID: name}, name.encode()),
        OutgoingMessage.of(event, {MSG_ID: f"{name}.0"}, b"{}"),
    ]


def claim(subjects: Subjects, nonce: str, owner: str) -> OutgoingMessage:
    headers = {MSG_ID: f"nonce.{nonce}", "Nats-TTL": "600s"}
    return OutgoingMessage.of(subjects.nonce("s", nonce), headers, owner.encode())


@asynccontextmanager
async def replicated(cluster: Cluster, subjects: Subjects) -> AsyncIterator[Connection]:
    connection = Connection(cluster.url, plans(subjects, HORIZON, replicas=3))
    try:
        assert await connection.start(patience_s=60)
        assert connection.replicated
        yield connection
    finally:
        await connection.stop()


async def all_stored(connection: Connection, subjects: Subjects, count: int) -> list[StoredMessage]:
    """Every stored message, in their order, once there are `count`: a replica may be behind."""
    async with asyncio.timeout(60):
        while True:
            async with opened_history(connection, subjects.stream, Span()) as history:
                found = [stored async for stored in history.read()]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", ["group commit", "without memory", "plain"])
async def test_replayed_signatures_stop_no_replicated_stream(
    cluster: Cluster, subjects: Subjects, kind: str
) -> None:
    async with replicated(cluster, subjects) as connection:
        group = GroupCommitPublisher(connection, timeout_s=30, remember=0 if "out" in kind else 99)
        publisher: Publisher = JetStreamPublisher(connection, timeout_s=30)
        if kind != "plain":
            publisher = group
        for number in range(10):
            honest, forged = made(subjects, f"h{number}"), made(subjects, f"f{number}")
            await publisher.publish(honest, claim=claim(subjects, f"n{number}", f"h{number}"))
            with pytest.raises(NonceClaimedError) as taken:
                await publisher.publish(forged, claim=claim(subjects, f"n{number}", f"f{number}"))
            assert taken.value.claimed_by == f"h{number}"
        await connection.probe(timeout_s=30)
        found = await all_stored(connection, subjects, 30)
        stored = [message.nats_subject for message in found]
        assert [s for s in stored if ".events." in s] == [
            subjects.event("1688", "payment.succeeded", f"h{number}") for number in range(10)
        ]
        assert len(stored) == 30
        await group.stop()


async def test_a_lone_callback_is_one_batch_where_the_stream_is_replicated(
    cluster: Cluster, subjects: Subjects
) -> None:
    async with replicated(cluster, subjects) as connection:
        publisher = GroupCommitPublisher(connection, timeout_s=30)
        await publisher.publish(made(subjects, "a"), claim=claim(subjects, "n", "a"))
        found = await all_stored(connection, subjects, 3)
        assert len(found) == 3
        assert len({stored.headers.get("Nats-Batch-Id") for stored in found} - {None}) == 1
        await publisher.stop()


async def test_many_at_once_with_duplicates_and_forgeries_are_settled_when_replicated(
    cluster: Cluster, subjects: Subjects
) -> None:
    async with replicated(cluster, subjects) as connection:
        publishers = [GroupCommitPublisher(connection, timeout_s=20, remember=0) for _ in range(2)]
        calls = [
            publishers[n % 2].publish(
                made(subjects, f"m{n % 40}"), claim=claim(subjects, f"n{n % 40}", f"m{n % 40}")
            )
            for n in range(80)
        ]
        await asyncio.gather(*calls)
        forged = [
            publishers[0].publish(made(subjects, f"f{n}"), claim=claim(subjects, f"n{n}", f"f{n}"))
            for n in range(40)
        ]
        results = await asyncio.gather(*forged, return_exceptions=True)
        assert [type(result) for result in results] == [NonceClaimedError] * 40
        assert len(await all_stored(connection, subjects, 120)) == 120
        for publisher in publishers:
            await publisher.stop()
