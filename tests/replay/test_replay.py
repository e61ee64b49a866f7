"""Replay: what is selected goes where it should, and the stream stays as it was."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import itertools
import json
import os
import re
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.publish.contract import Publisher
from receiver.bus.publish.deduplicating import DeduplicatingPublisher
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters, parse_time
from receiver.bus.read.history import Span, opened_history
from receiver.bus.read.selection import StreamSelection
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.errors import BusError, ConfigurationError
from receiver.event import Event
from receiver.replay.replay import Summary, replay
from receiver.replay.sinks.file import FileSink
from receiver.replay.sinks.subject import SubjectSink
from receiver.testing import make_event
from schemas.events import EventData, OrderCreated, PaymentSucceeded, UnknownReceived
from tests.freezing import freeze
from tests.subscribed import subscribed

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class ListSink:
    """Keeps what it is given; fails for the orders named."""

    def __init__(self, failing: Sequence[str] = ()) -> None:
        self.events: list[Event[EventData]] = []
        self._failing = failing

    async def put(self, event: Event[EventData], stored: StoredMessage) -> str:
        self.events.append(event)
        return "no" if event.order_id in self._failing else ""


@pytest.fixture
async def stored(publisher: GroupCommitPublisher, subjects: Subjects) -> list[Event[EventData]]:
    events: list[Event[EventData]] = []
    for order_id in ("1", "2", "a.b *>", "3"):
        events.append(make_event(OrderCreated(channel="1688", order_id=order_id)))
        events.append(make_event(PaymentSucceeded(channel="taobao", order_id=order_id)))
    for event in events:
        await publisher.publish([encode_event(event, subjects)])
    return events


def chosen(subjects: Subjects, **filters: Any) -> StreamSelection:
    return selection.events(Filters(**filters), subjects)


async def replayed(
    connection: Connection, subjects: Subjects, **filters: Any
) -> tuple[list[str], Summary]:
    sink = ListSink()
    summary = await replay(connection, subjects.stream, chosen(subjects, **filters), sink)
    return [event.id for event in sink.events], summary


async def test_everything_is_replayed_oldest_first_and_counted_first(
    connection: Connection, subjects: Subjects, stored: list[Event[EventData]]
) -> None:
    counts: list[int] = []
    sink = ListSink()
    summary = await replay(
        connection,
        subjects.stream,
        chosen(subjects),
        sink,
        progress=lambda s: counts.append(s.selected),
    )
    assert [event.id for event in sink.events] == [event.id for event in stored]
    assert counts[0] == summary.selected == summary.delivered == len(stored)


@pytest.mark.parametrize("order_id", ["1", "a.b *>"])
async def test_an_order_is_selected_whatever_its_id_holds(
    connection: Connection, subjects: Subjects, stored: list[Event[EventData]], order_id: str
) -> None:
    ids, _ = await replayed(connection, subjects, order_id=order_id)
    assert ids == [event.id for event in stored if event.order_id == order_id]


@pytest.mark.parametrize(("kind", "count"), [("payment.succeeded", 4), ("payment", 4)])
async def test_a_type_or_a_domain_is_selected(
    connection: Connection, subjects: Subjects, stored: object, kind: str, count: int
) -> None:
    ids, _ = await replayed(connection, subjects, event_type=kind)
    assert len(ids) == count
    ids, _ = await replayed(connection, subjects, event_type=kind, order_id="1")
    assert len(ids) == 1


async def test_times_are_those_of_storing(
    connection: Connection, subjects: Subjects, stored: list[Event[EventData]]
) -> None:
    async with opened_history(connection, subjects.stream, Span()) as history:
        times = [message.stored_at async for message in history.read()]
    between = [a + (b - a) / 2 for a, b in itertools.pairwise(times)]
    ids, summary = await replayed(connection, subjects, since=between[1], until=between[4])
    assert ids == [event.id for event in stored[2:5]]
    assert summary.selected == 3
    ids, _ = await replayed(connection, subjects, since=times[-1] + timedelta(hours=1))
    assert ids == []


async def test_what_is_stored_meanwhile_is_not_replayed(
    connection: Connection,
    publisher: GroupCommitPublisher,
    subjects: Subjects,
    stored: list[Event[EventData]],
) -> None:
    class Storing(ListSink):
        async def put(self, event: Event[EventData], stored: StoredMessage) -> str:
            late = make_event(OrderCreated(channel="1688", order_id=f"late{len(self.events)}"))
            await publisher.publish([encode_event(late, subjects)])
            return await super().put(event, stored)

    summary = await replay(connection, subjects.stream, chosen(subjects), Storing())
    assert summary.delivered == len(stored)


async def test_failures_and_foreign_messages_are_counted_and_named(
    connection: Connection, subjects: Subjects, stored: object, client: Client
) -> None:
    await client.jetstream().publish(f"{subjects.root}.in.events.a.b.c.d", b"not ours")
    summary = await replay(connection, subjects.stream, chosen(subjects), ListSink(failing=["2"]))
    assert (summary.delivered, summary.failed, summary.undecodable) == (6, 2, 1)
    assert summary.done == summary.selected == 9
    assert any("ce-specversion is missing" in text for text in summary.failures)


async def test_no_consumer_is_left_behind(
    connection: Connection, subjects: Subjects, stored: object, client: Client
) -> None:
    await client.jetstream().add_consumer(subjects.stream, durable_name="handler-mine")
    before = await client.jetstream().consumer_info(subjects.stream, "handler-mine")
    await replayed(connection, subjects)
    consumers = await client.jetstream().consumers_info(subjects.stream)
    assert [info.name for info in consumers] == ["handler-mine"]
    assert consumers[0].num_pending == before.num_pending == 8


async def test_a_cancelled_replay_leaves_nothing_behind_and_tells_how_far_it_came(
    connection: Connection, subjects: Subjects, stored: object, client: Client
) -> None:
    reached = asyncio.Event()

    class Stuck(ListSink):
        async def put(self, event: Event[EventData], stored: StoredMessage) -> str:
            await super().put(event, stored)
            if len(self.events) == 3:
                reached.set()
                await asyncio.Event().wait()
            return ""

    summary = Summary()
    task = asyncio.create_task(
        replay(connection, subjects.stream, chosen(subjects), Stuck(), summary=summary)
    )
    await reached.wait()
    task.cancel()
    await asyncio.wait({task})
    assert (summary.selected, summary.delivered) == (8, 2)
    assert await client.jetstream().consumers_info(subjects.stream) == []


async def test_a_result_is_stored_once_even_when_the_window_has_forgotten_it(
    client: Client, nats_url: str, subjects: Subjects
) -> None:
    window = timedelta(milliseconds=100)
    short = Connection(
        nats_url, [dataclasses.replace(plans(subjects, ())[0], duplicate_window=window)]
    )
    assert await short.start(patience_s=10)
    message = encode_event(make_event(OrderCreated(channel="1688", order_id="1")), subjects)
    plain = JetStreamPublisher(short, timeout_s=10)
    (first,) = await plain.publish([message])
    probe = encode_event(make_event(OrderCreated(channel="1688", order_id="p")), subjects)
    await plain.publish([probe])
    async with asyncio.timeout(60):  # until the window has forgotten the probe, so the message too
        while (await plain.publish([probe]))[0].duplicate:
            await asyncio.sleep(0.05)
    info = await client.jetstream().stream_info(subjects.stream)
    once = DeduplicatingPublisher(plain, short, subjects)
    for _ in range(2):
        (again,) = await once.publish([message])
        assert again.duplicate
    other_type = make_event(PaymentSucceeded(channel="1688", order_id="1"))
    changed = encode_event(dataclasses.replace(other_type, id=message.msg_id), subjects)
    assert (await once.publish([changed]))[0].duplicate
    new = encode_event(make_event(OrderCreated(channel="1688", order_id="2")), subjects)
    assert [(await once.publish([new]))[0].duplicate for _ in range(2)] == [False, True]
    after = await client.jetstream().stream_info(subjects.stream)
    assert after.state.messages == info.state.messages + 1
    assert first.stream_seq == 1
    await client.jetstream().delete_stream(subjects.stream)
    await short.stop()


async def test_subjects_get_the_stored_message_marked_as_replay(
    connection: Connection, subjects: Subjects, stored: list[Event[EventData]], client: Client
) -> None:
    copies = await client.subscribe("try.me.>")
    await subscribed(client)
    sink = SubjectSink(connection, subjects, "try.me")
    await sink.check()
    await replay(connection, subjects.stream, chosen(subjects, order_id="1"), sink)
    await sink.flush()
    copy = await copies.next_msg(timeout=60)
    assert copy.subject == "try.me.events.1688.order.created.1"
    assert copy.headers is not None
    assert copy.headers["ce-id"] == stored[0].id
    assert copy.headers["ce-origin"] == "replay"
    assert "Nats-Msg-Id" not in copy.headers


@pytest.mark.parametrize("prefix", ["", "a..b", "a.*", ">", "a b", "$SYS", "_INBOX.x"])
async def test_a_prefix_that_is_none_is_refused(
    connection: Connection, subjects: Subjects, prefix: str
) -> None:
    with pytest.raises(ConfigurationError, match="is no prefix"):
        await SubjectSink(connection, subjects, prefix).check()


async def test_a_prefix_inside_a_stream_is_refused(
    connection: Connection, subjects: Subjects
) -> None:
    name, prefix = f"OTHER_{subjects.stream}", f"other_{subjects.root}"
    await connection.jetstream.add_stream(name=name, subjects=[f"{prefix}.events.>"])
    with pytest.raises(ConfigurationError, match="a second time"):
        await SubjectSink(connection, subjects, prefix).check()
    await connection.jetstream.delete_stream(name)


@pytest.mark.parametrize("rest", ["", ".in", ".events", ".dead", ".said", ".replays", ".new"])
async def test_every_subject_below_the_root_is_reserved(
    connection: Connection, subjects: Subjects, rest: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{subjects.root}.replay.NAME"):
        await SubjectSink(connection, subjects, f"{subjects.root}{rest}").check()


async def test_what_is_replayed_below_the_roots_replays_is_not_stored(
    connection: Connection, subjects: Subjects, stored: list[Event[EventData]], client: Client
) -> None:
    prefix = f"{subjects.root}.replay.try1"
    seen = await client.subscribe(f"{prefix}.>")
    await subscribed(client)
    sink = SubjectSink(connection, subjects, prefix)
    await sink.check()
    await replay(connection, subjects.stream, chosen(subjects), sink)
    await sink.flush()
    got = [await seen.next_msg(timeout=60) for _ in stored]
    assert got[0].subject.startswith(f"{prefix}.events.")
    info = await connection.jetstream.stream_info(subjects.stream)
    assert info.state.messages == len(stored)


async def test_a_file_holds_cloudevents_one_a_line(
    connection: Connection, subjects: Subjects, stored: list[Event[EventData]], tmp_path: Path
) -> None:
    target = tmp_path / "events.jsonl"
    with FileSink(target, stdout=io.StringIO()) as sink:
        await replay(connection, subjects.stream, chosen(subjects), sink)
        assert not target.exists()
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line["id"] for line in lines] == [event.id for event in stored]
    assert lines[4]["subject"] == lines[4]["data"]["order_id"] == "a.b *>"
    assert lines[0]["type"] == "yizhan.order.created.v1"
    with pytest.raises(ConfigurationError, match="--force"), FileSink(target, stdout=io.StringIO()):
        pass
    with FileSink(target, stdout=io.StringIO(), force=True):
        pass
    assert target.read_text() == ""


def test_a_file_that_was_cut_off_is_not_there(tmp_path: Path) -> None:
    target = tmp_path / "events.jsonl"
    with pytest.raises(RuntimeError), FileSink(target, stdout=io.StringIO()):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    missing = FileSink(tmp_path / "no" / "where", stdout=io.StringIO())
    with pytest.raises(ConfigurationError, match="cannot be written"), missing:
        pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-01-31T08:00:00+08:00", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31 00:00:00Z", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 30, 16, tzinfo=UTC)),
    ],
)
def test_a_time_is_an_age_or_a_moment(text: str, expected: datetime) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "h", "-1h", "2 hours", "tomorrow", "999999w"])
def test_a_text_that_is_no_time_is_reported(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no time"):
        parse_time(text, NOW)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2026-01-31 08:00:00", "2026-01-31T08:00:00"),
        ("20260131T0800", "2026-01-31T08:00:00"),
        ("2026-01-31T08:00:00.5", "2026-01-31T08:00:00.500000"),
    ],
)
def test_a_time_without_offset_is_refused_with_both_readings(text: str, plain: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_time(text, NOW)
    china, utc = re.findall(r"write (\S+) \(China's time\) or (\S+) \(UTC\)", str(caught.value))[0]
    assert china == f"{plain}+08:00"
    assert parse_time(utc, NOW) - parse_time(china, NOW) == timedelta(hours=8)


def test_an_unknown_type_is_reported() -> None:
    with pytest.raises(ConfigurationError, match="no such event type"):
        chosen(Subjects(), event_type="payments")


class HookedSink(ListSink):
    def __init__(self, at: int, hook: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._at, self._hook = at, hook

    async def put(self, event: Event[EventData], stored: StoredMessage) -> str:
        await super().put(event, stored)
        if len(self.events) == self._at:
            await self._hook()
        return ""


async def store_many(publisher: Publisher, subjects: Subjects, count: int) -> None:
    events = [make_event(OrderCreated(channel="1688", order_id=str(n))) for n in range(count)]
    await asyncio.gather(*[publisher.publish([encode_event(e, subjects)]) for e in events])


async def test_until_leaves_nothing_out_while_events_come_in(
    connection: Connection, publisher: Publisher, subjects: Subjects, stored: object
) -> None:
    async with opened_history(connection, subjects.stream, Span()) as history:
        last = [message.stored_at async for message in history.read()][-1]
    until = last + timedelta(microseconds=10)
    storing = asyncio.create_task(store_many(publisher, subjects, 4000))
    while not storing.done():
        ids, summary = await replayed(connection, subjects, until=until)
        assert len(ids) == summary.selected == 8
    await storing


async def test_a_slow_replay_goes_on_where_the_server_forgot_its_consumer(
    connection: Connection, publisher: Publisher, subjects: Subjects, client: Client
) -> None:
    await store_many(publisher, subjects, 1200)

    async def forget() -> None:
        for info in await client.jetstream().consumers_info(subjects.stream):
            await client.jetstream().delete_consumer(subjects.stream, info.name)

    sink = HookedSink(300, forget)
    summary = await replay(connection, subjects.stream, chosen(subjects), sink)
    assert summary.delivered == len({event.id for event in sink.events}) == 1200
    assert await client.jetstream().consumers_info(subjects.stream) == []


async def test_what_expires_meanwhile_is_not_made_up_for_by_what_is_new(
    connection: Connection, publisher: Publisher, subjects: Subjects, client: Client
) -> None:
    await store_many(publisher, subjects, 1000)

    async def expire() -> None:
        await client.jetstream().purge_stream(subjects.stream, seq=801)
        await store_many(publisher, subjects, 500)

    summary = await replay(connection, subjects.stream, chosen(subjects), HookedSink(1, expire))
    assert (summary.selected, summary.delivered) == (1000, 700)


async def test_a_server_that_does_not_answer_is_an_error_and_no_end(
    tmp_path: Path, subjects: Subjects
) -> None:
    server = EmbeddedServer(EmbeddedServerConfig(data_dir=tmp_path / "nats", port=0))
    await server.start()
    connection = Connection(server.url, plans(subjects, []))
    assert await connection.start(patience_s=10)
    await store_many(JetStreamPublisher(connection, timeout_s=10), subjects, 1200)

    async def fall_silent() -> None:
        await freeze(server.pid)

    summary = Summary()
    sink = HookedSink(300, fall_silent)
    with pytest.raises(BusError):
        await replay(
            connection, subjects.stream, chosen(subjects), sink, summary=summary, silence_s=0.5
        )
    os.kill(server.pid, signal.SIGCONT)
    assert 300 <= summary.delivered < summary.selected == 1200
    assert summary.first_at != summary.last_at
    await connection.stop()
    await server.stop()


async def test_many_large_events_come_through(
    connection: Connection, publisher: Publisher, subjects: Subjects
) -> None:
    for n in range(30):
        data = UnknownReceived(channel="1688", order_id=str(n), body="x" * 3_900_000)
        await publisher.publish([encode_event(make_event(data), subjects)])
    _, summary = await replayed(connection, subjects)
    assert summary.delivered == summary.selected == 30


async def test_times_far_off_mean_what_they_say(
    connection: Connection, subjects: Subjects, stored: object
) -> None:
    old = parse_time("0001-01-01T00:00:00+14:00", NOW)
    far = parse_time("9999-12-31T23:59:59-14:00", NOW)
    for since, until, count in ((old, far, 8), (None, far, 8), (None, old, 0), (far, None, 0)):
        _, summary = await replayed(connection, subjects, since=since, until=until)
        assert summary.delivered == summary.selected == count


async def test_only_the_types_that_are_taken_are_selected(
    connection: Connection, subjects: Subjects, stored: object
) -> None:
    among = ("payment.succeeded", "logistics.shipped")
    sink = ListSink()
    taken = selection.events(Filters(), subjects, among)
    await replay(connection, subjects.stream, taken, sink)
    assert len(sink.events) == 4
    with pytest.raises(ConfigurationError, match="not taken there"):
        selection.events(Filters(event_type="order"), subjects, among)
