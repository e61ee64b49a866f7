"""Reading a selection from a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.reader import PAGE, Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.errors import BusError, ConfigurationError
from receiver.testing import make_event
from schemas.events import OrderClosed, OrderCreated

MANY = 2 * PAGE + 10


@pytest.fixture
def reader(connection: Connection) -> Reader:
    return Reader(connection, patience_s=60)


@pytest.fixture
async def stored(publisher: GroupCommitPublisher, subjects: Subjects) -> int:
    """Two events of each of many orders, and some of one order more."""
    events = [
        encode_event(make_event(model(channel="1688", order_id=str(number % MANY))), subjects)
        for model in (OrderCreated, OrderClosed)
        for number in range(MANY)
    ]
    for start in range(0, len(events), 100):
        await publisher.publish(events[start : start + 100])
    return len(events)


async def found(reading: AsyncIterator[StoredMessage]) -> list[StoredMessage]:
    return [message async for message in reading]


async def test_an_order_is_read_by_its_subject_alone(
    reader: Reader, subjects: Subjects, stored: int
) -> None:
    looked: list[int] = []
    selected = selection.events(Filters(order_id="3"), subjects)
    messages = await found(reader.read(selected, scanned=looked.append))
    assert [m.nats_subject.rpartition(".events.1688.")[2] for m in messages] == [
        "order.created.3",
        "order.closed.3",
    ]
    assert all(m.body and m.headers["ce-subject"] == "3" for m in messages)
    assert not any(name in m.headers for m in messages for name in ("Nats-Subject", "Nats-Stream"))
    assert looked == [1, 2]


async def test_more_than_a_page_is_read_in_order_and_once(
    reader: Reader, subjects: Subjects, stored: int
) -> None:
    selected = selection.events(Filters(), subjects)
    seqs = [m.stream_seq for m in await found(reader.read(selected))]
    assert len(seqs) == stored
    assert seqs == sorted(set(seqs))
    assert await reader.count(selected) == stored


async def test_overlapping_subjects_are_merged_and_read_once(
    reader: Reader, subjects: Subjects, stored: int
) -> None:
    types = [subjects.events_of_type(t) for t in ("order.closed", "order.created", "order.*")]
    messages = await found(reader.read(StreamSelection(subjects.stream, types)))
    seqs = [m.stream_seq for m in messages]
    assert len(seqs) == stored
    assert seqs == sorted(set(seqs))


async def test_times_select_and_count_alike(
    reader: Reader, subjects: Subjects, stored: int
) -> None:
    everything = selection.events(Filters(), subjects)
    times = sorted({m.stored_at for m in await found(reader.read(everything))})
    since, until = times[len(times) // 4], times[len(times) // 2]
    selected = selection.events(Filters(since=since, until=until), subjects)
    messages = await found(reader.read(selected))
    assert messages
    assert all(since <= m.stored_at < until for m in messages)
    assert await reader.count(selected) == len(messages)
    beyond = selection.events(Filters(since=times[-1] + timedelta(hours=1)), subjects)
    assert await found(reader.read(beyond)) == []
    assert await reader.count(beyond) == 0


@pytest.mark.parametrize("headers_only", [False, True])
async def test_a_reading_goes_on_behind_a_sequence(
    reader: Reader, subjects: Subjects, stored: int, headers_only: bool
) -> None:
    everything = selection.events(Filters(), subjects)
    seqs = [m.stream_seq for m in await found(reader.read(everything))]
    since = Filters(since=(await found(reader.read(everything)))[0].stored_at)
    behind = selection.events(since, subjects)
    reading = reader.read(behind, after_seq=seqs[-3], headers_only=headers_only)
    messages = await found(reading)
    assert [m.stream_seq for m in messages] == seqs[-2:]
    assert [bool(m.body) for m in messages] == [not headers_only] * 2


async def test_the_limit_takes_the_last(reader: Reader, subjects: Subjects, stored: int) -> None:
    filters = Filters(event_type="order.closed", limit=2)
    messages = await found(reader.read(selection.events(filters, subjects)))
    assert [m.headers["ce-subject"] for m in messages] == [str(MANY - 2), str(MANY - 1)]


async def test_what_is_stored_meanwhile_is_not_read(
    reader: Reader, subjects: Subjects, stored: int, publisher: GroupCommitPublisher
) -> None:
    count = 0
    async for _ in reader.read(selection.events(Filters(), subjects)):
        if count % 100 == 0:
            late = make_event(OrderCreated(channel="1688", order_id=f"late{count}"))
            await publisher.publish([encode_event(late, subjects)])
        count += 1
    assert count == stored


async def test_single_messages_are_got_by_sequence_and_by_subject(
    reader: Reader, subjects: Subjects, stored: int
) -> None:
    last = (await found(reader.read(selection.events(Filters(limit=1), subjects))))[0]
    got = await reader.get(subjects.stream, last.stream_seq)
    assert got == last
    assert await reader.get(subjects.stream, last.stream_seq + 1) is None
    assert await reader.get(subjects.stream, 0) is None
    wanted = [subjects.event("1688", "order.closed", str(n)) for n in range(MANY)]
    latest = await reader.last(subjects.stream, wanted)
    assert len(latest) == MANY
    assert latest[-1] == last
    assert await reader.last(subjects.stream, [subjects.raw("none")]) == []


async def test_the_last_of_more_subjects_than_a_page_is_found_by_one_wildcard(
    reader: Reader, subjects: Subjects, stored: int
) -> None:
    latest = await reader.last(subjects.stream, [subjects.events_of_type("order.closed")])
    assert len(latest) == MANY


async def test_a_stream_that_is_not_there_holds_nothing(
    reader: Reader, subjects: Subjects, connection: Connection
) -> None:
    assert await found(reader.read(selection.runs(Filters(), subjects))) == []
    assert await reader.info(subjects.runs_stream) is None


async def test_a_stream_without_direct_reads_is_named(
    reader: Reader, client: Client, subjects: Subjects
) -> None:
    name = f"{subjects.stream}_OTHER"
    await client.jetstream().add_stream(name=name, subjects=[f"{subjects.root}.other"])
    try:
        with pytest.raises(ConfigurationError, match="--allow-direct"):
            await found(reader.read(StreamSelection(name, [f"{subjects.root}.other"])))
    finally:
        await client.jetstream().delete_stream(name)


async def test_a_large_message_is_read_though_it_exceeds_a_page(
    reader: Reader, client: Client, subjects: Subjects
) -> None:
    for size in (10, 1_000_000, 1_000_000, 10):
        await client.jetstream().publish(f"{subjects.root}.in.callbacks.big", b"x" * size)
    raw = StreamSelection(subjects.stream, [subjects.raw("big")])
    sizes = [len(m.body) for m in await found(reader.read(raw))]
    assert sizes == [10, 1_000_000, 1_000_000, 10]


async def test_a_reading_goes_on_when_nats_comes_back(tmp_path: Path) -> None:
    subjects = Subjects("again")
    server = EmbeddedServer(EmbeddedServerConfig(data_dir=tmp_path, port=0))
    await server.start()
    connection = Connection(server.url, plans(subjects, [timedelta(hours=1)]))
    try:
        assert await connection.start(patience_s=10)
        publisher = GroupCommitPublisher(connection, timeout_s=10)
        wanted = [
            encode_event(make_event(OrderCreated(channel="1688", order_id=str(n))), subjects)
            for n in range(MANY)
        ]
        await publisher.publish(wanted)
        reader, every = Reader(connection, patience_s=60), selection.events(Filters(), subjects)
        for headers_only in (False, True):
            seen = 0
            async for _ in reader.read(every, headers_only=headers_only):
                seen += 1
                if seen == 10:
                    await server.stop()
                    await server.start()
            assert seen == MANY
        await publisher.stop()
    finally:
        await connection.stop()
        await server.stop()


async def test_a_server_that_stays_away_is_reported(tmp_path: Path) -> None:
    subjects = Subjects("away")
    server = EmbeddedServer(EmbeddedServerConfig(data_dir=tmp_path, port=0))
    await server.start()
    connection = Connection(server.url, plans(subjects, [timedelta(hours=1)]))
    try:
        assert await connection.start(patience_s=10)
        reader = Reader(connection, patience_s=0)
        await server.stop()
        while connection.ready:
            await asyncio.sleep(0.01)
        with pytest.raises(BusError, match="cannot be read"):
            await reader.get(subjects.stream, 1)
    finally:
        await connection.stop()
        await server.stop()
