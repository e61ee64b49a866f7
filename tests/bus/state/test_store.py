"""Entries on a real server: compare-and-set, group commit, and a stream at fault."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from nats.aio.client import Client

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.state.store import Entry, StateConflictError, StateStore
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.testing import eventually
from tests.bus.relay import relayed

pytestmark = pytest.mark.anyio


async def test_an_entry_is_read_as_it_was_written(store: StateStore) -> None:
    revision = await store.put("order.1688.1", b"one", 0)

    assert await store.get("order.1688.1") == Entry(b"one", revision)
    assert await store.get("order.1688.2") == Entry(None, 0)


async def test_a_write_at_another_revision_is_a_conflict(store: StateStore) -> None:
    first = await store.put("a.b", b"one", 0)
    second = await store.put("a.b", b"two", first)

    for revision in (0, first):
        with pytest.raises(StateConflictError):
            await store.put("a.b", b"three", revision)
    assert await store.get("a.b") == Entry(b"two", second)


async def test_many_writes_at_once_are_one_batch(
    connection: Connection, subjects: Subjects
) -> None:
    sent = bytearray()
    keys = [f"order.1688.{number}" for number in range(100)]
    async with relayed(connection.url, sent=sent) as url:
        through = Connection(url, plans(subjects, []))
        assert await through.start(patience_s=30)
        store = StateStore(through, subjects)
        await store.ensure()

        revisions = await asyncio.gather(*(store.put(key, key.encode(), 0) for key in keys))

        found = [await store.get(key) for key in keys]
        await store.stop()
        await through.stop()
    assert sent.count(b"Nats-Batch-Commit: 1") == 1
    assert sent.count(b"Nats-Batch-Sequence: ") == 100
    assert b"Nats-Expected-Last-Msg-Id" not in sent

    assert revisions == list(range(1, 101))
    assert found == [Entry(key.encode(), n) for key, n in zip(keys, revisions, strict=True)]


async def test_a_conflict_among_many_fails_alone(store: StateStore) -> None:
    held = await store.put("order.1688.37", b"held", 0)
    keys = [f"order.1688.{number}" for number in range(64)]

    results = await asyncio.gather(
        *(store.put(key, b"new", 0) for key in keys), return_exceptions=True
    )

    failed = [key for key, result in zip(keys, results, strict=True) if not isinstance(result, int)]
    assert failed == ["order.1688.37"]
    assert isinstance(results[37], StateConflictError)
    assert await store.get("order.1688.37") == Entry(b"held", held)
    for key, result in zip(keys, results, strict=True):
        if isinstance(result, int):
            assert await store.get(key) == Entry(b"new", result)


async def test_of_many_writes_of_one_key_one_is_stored(store: StateStore) -> None:
    results = await asyncio.gather(
        *(store.put("a.b", b"%d" % number, 0) for number in range(40)), return_exceptions=True
    )

    stored = [number for number, result in enumerate(results) if isinstance(result, int)]
    assert len(stored) == 1
    assert sum(isinstance(result, StateConflictError) for result in results) == 39
    assert (await store.get("a.b")).value == b"%d" % stored[0]


async def test_what_lives_for_a_time_is_gone_after_it(store: StateStore) -> None:
    await store.put("a.b", b"one", 0, ttl=timedelta(seconds=1))
    await store.put("a.c", b"one", 0)

    async def gone() -> bool:
        return (await store.get("a.b")).value is None

    await eventually(gone, within_s=60)
    assert (await store.get("a.c")).value == b"one"
    assert await store.put("a.b", b"two", 0)


async def test_what_a_kv_client_deleted_has_no_value_and_can_be_written(
    store: StateStore, client: Client, subjects: Subjects
) -> None:
    first = await store.put("a.b", b"one", 0)
    bucket = await client.jetstream().key_value(subjects.state_bucket)
    assert (await bucket.get("a.b")).value == b"one"
    await bucket.delete("a.b")

    entry = await store.get("a.b")

    assert entry.value is None
    assert entry.revision > first
    assert await store.put("a.b", b"two", entry.revision) > entry.revision


async def test_a_scan_gives_the_entries_below_a_prefix(store: StateStore) -> None:
    for key in ("effect.h.1.a", "order.1688.1", "effect.h.2.a"):
        await store.put(key, key.encode(), 0)

    found = [(key, entry.value) async for key, entry in store.scan("effect")]

    assert found == [("effect.h.1.a", b"effect.h.1.a"), ("effect.h.2.a", b"effect.h.2.a")]


async def test_what_is_too_large_fails_alone(store: StateStore, connection: Connection) -> None:
    large = b"x" * connection.max_payload_bytes

    results = await asyncio.gather(
        store.put("a.0", large, 0),
        *(store.put(f"a.{number}", b"small", 0) for number in range(1, 40)),
        return_exceptions=True,
    )

    assert isinstance(results[0], BusError)
    assert all(isinstance(result, int) for result in results[1:])


async def test_a_stream_that_was_deleted_refuses_once_and_is_made_again(
    store: StateStore, connection: Connection, subjects: Subjects
) -> None:
    await connection.jetstream.delete_stream(subjects.state_stream)

    with pytest.raises(BusError):
        await store.put("a.b", b"one", 0)

    assert await store.put("a.b", b"two", 0) == 1


async def test_reading_from_a_stream_that_is_gone_is_an_error(
    store: StateStore, connection: Connection, subjects: Subjects
) -> None:
    await connection.jetstream.delete_stream(subjects.state_stream)

    with pytest.raises(BusError, match="cannot be read"):
        await store.get("a.b")


async def test_a_full_stream_refuses_and_keeps_what_it_has(
    store: StateStore, connection: Connection, subjects: Subjects
) -> None:
    revision = await store.put("a.kept", b"kept", 0)
    name = f"STREAM.UPDATE.{subjects.state_stream}"
    info = await call(connection.client, f"STREAM.INFO.{subjects.state_stream}", {})
    changed = await call(connection.client, name, info["config"] | {"max_bytes": 600})
    assert "error" not in changed

    results = await asyncio.gather(
        *(store.put(f"a.{number}", b"x" * 200, 0) for number in range(40)), return_exceptions=True
    )

    failed = [result for result in results if not isinstance(result, int)]
    assert failed
    assert all(isinstance(result, BusError) for result in failed)
    assert not any(isinstance(result, StateConflictError) for result in failed)
    assert await store.get("a.kept") == Entry(b"kept", revision)


async def test_an_existing_stream_gets_what_it_lacks(
    connection: Connection, subjects: Subjects
) -> None:
    old = {
        "name": subjects.state_stream,
        "subjects": [subjects.all_state],
        "storage": "file",
        "discard": "new",
        "max_msgs_per_subject": 1,
    }
    assert "error" not in await call(
        connection.client, f"STREAM.CREATE.{subjects.state_stream}", old
    )
    store = StateStore(connection, subjects)

    await store.ensure()

    revisions = await asyncio.gather(*(store.put(f"a.{n}", b"", 0) for n in range(40)))
    assert revisions == list(range(1, 41))
    await store.stop()
    await connection.jetstream.delete_stream(subjects.state_stream)


async def test_a_stream_that_forgets_is_no_place_for_state(
    connection: Connection, subjects: Subjects
) -> None:
    forgetful = {
        "name": subjects.state_stream,
        "subjects": [subjects.all_state],
        "storage": "memory",
        "max_age": 3_600_000_000_000,
    }
    assert "error" not in await call(
        connection.client, f"STREAM.CREATE.{subjects.state_stream}", forgetful
    )

    with pytest.raises(ConfigurationError, match=r"kept in memory.*max_age.*set discard to new"):
        await StateStore(connection, subjects).ensure()
    await connection.jetstream.delete_stream(subjects.state_stream)
