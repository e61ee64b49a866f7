"""Streams on three servers: replicated, scaled up, and refused by a server that is alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from receiver.bus.connection import Connection
from receiver.bus.streams import plans
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


@pytest.mark.serial
async def test_both_streams_are_held_by_three_servers_and_never_by_fewer_again(
    cluster: Cluster, subjects: Subjects
) -> None:
    for replicas, found in ((1, (1, 1)), (3, (3, 3)), (1, (3, 3))):
        asked = plans(subjects, HORIZON, replicas=replicas)
        connection = Connection(cluster.url, asked)
        assert await connection.start(patience_s=30)
        for stream in (subjects.stream, subjects.dead_stream):
            async with asyncio.timeout(30):  # a new replica joins a moment later
                while await replicas_of(connection, stream) != found:
                    await asyncio.sleep(0.05)
        await connection.stop()


async def test_replicas_on_a_server_that_is_alone_are_a_sentence(
    nats_url: str, subjects: Subjects
) -> None:
    connection = Connection(nats_url, plans(subjects, HORIZON, replicas=3))
    with pytest.raises(ConfigurationError, match=r"nats\.replicas: 3 need a cluster"):
        await connection.start(patience_s=10)
    await connection.stop()
