"""Entries on three servers: held by all, and whole when the leader is killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from receiver.bus.connection import Connection
from receiver.bus.state.store import Entry, StateConflictError, StateStore
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from tests.bus.cluster import Cluster, running_cluster

pytestmark = pytest.mark.anyio


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with running_cluster(tmp_path) as running:
        yield running


async def written(store: StateStore, key: str, value: bytes) -> int:
    """Write a new entry for as long as it takes; a write that is not known to be is read back."""
    while True:
        try:
            return await store.put(key, value, 0)
        except (StateConflictError, BusError):
            await asyncio.sleep(0.05)
        entry = await read(store, key)
        if entry.value == value:
            return entry.revision


async def read(store: StateStore, key: str) -> Entry:
    """An entry, for as long as it takes: an election may be under way."""
    while True:
        try:
            return await store.get(key)
        except BusError:
            await asyncio.sleep(0.05)


async def test_what_is_acknowledged_outlives_the_leader(
    cluster: Cluster, subjects: Subjects
) -> None:
    connection = Connection(cluster.url, plans(subjects, [timedelta(hours=1)], replicas=3))
    assert await connection.start(patience_s=60)
    store = StateStore(connection, subjects, timeout_s=2)
    await store.ensure()
    info = await connection.jetstream.stream_info(subjects.state_stream)

    first = await asyncio.gather(*(written(store, f"a.{n}", b"%d" % n) for n in range(200)))
    later = asyncio.gather(*(written(store, f"b.{n}", b"%d" % n) for n in range(400)))
    cluster.processes[await cluster.leader_of(subjects.state_stream)].kill()
    revisions = {"a": first, "b": await later}
    found = [
        await read(store, f"{kind}.{n}") == Entry(b"%d" % n, revision)
        for kind, of_kind in revisions.items()
        for n, revision in enumerate(of_kind)
    ]
    await store.stop()
    await connection.stop()

    assert info.config.num_replicas == 3
    assert all(found)
    assert len(found) == 600
