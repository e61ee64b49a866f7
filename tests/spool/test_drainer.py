"""From the spool into a real stream: each message once, forgeries marked, nothing in the way."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from receiver.bus.connection import Connection
from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.bus.publish.contract import Bundle, RefusedError, Stored
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.read.lookup import stored_ids
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.spool.drainer import MAX_ROUND, AnotherDrainsError, Drainer, Sleep, _held
from receiver.spool.queue import Spool


class Bundles:
    """Makes bundles below one root."""

    def __init__(self, subjects: Subjects) -> None:
        self._subjects = subjects

    def make(self, msg_id: str, *, nonce: str = "") -> Bundle:
        raw = OutgoingMessage.of(self._subjects.raw("s"), {MSG_ID: msg_id}, msg_id.encode())
        headers = {MSG_ID: f"{msg_id}.0", "ce-id": f"{msg_id}.0"}
        nats_subject = self._subjects.event("1688", "order.created", "1")
        event = OutgoingMessage.of(nats_subject, headers, b"{}")
        return Bundle([raw, event], self.claim(nonce, msg_id) if nonce else None)

    def claim(self, nonce: str, owner: str) -> OutgoingMessage:
        headers = {MSG_ID: nonce, "Nats-TTL": "60s"}
        return OutgoingMessage.of(self._subjects.nonce("s", nonce), headers, owner.encode())


class Unfit:
    """A publisher whose log refuses some callbacks, or all."""

    def __init__(self, inner: GroupCommitPublisher, refuses: str) -> None:
        self._inner = inner
        self._refuses = refuses
        self.asked = 0

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, claim: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        self.asked += 1
        if messages[0].msg_id.startswith(self._refuses):
            raise RefusedError("unfit", 10054)
        return await self._inner.publish(messages, claim=claim)


@pytest.fixture
def bundles(subjects: Subjects) -> Bundles:
    return Bundles(subjects)


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    opened = Spool(tmp_path / "spool.sqlite3", limit_bytes=64 * 1024 * 1024, put_timeout_s=10)
    yield opened
    await opened.close()


def drainer(
    spool: Spool,
    publisher: GroupCommitPublisher | Unfit,
    connection: Connection,
    subjects: Subjects,
    *,
    sleep: Sleep = asyncio.sleep,
    on_stored: Callable[[], None] = lambda: None,
) -> Drainer:
    return Drainer(
        spool,
        publisher,
        subjects,
        probe=partial(connection.probe, timeout_s=10),
        stored_ids=partial(stored_ids, connection, subjects),
        window=timedelta(hours=3),
        sleep=sleep,
        on_stored=on_stored,
    )


async def ids_in(connection: Connection, subjects: Subjects) -> list[str]:
    jetstream = connection.jetstream
    last = (await jetstream.stream_info(subjects.stream)).state.last_seq
    found = [await jetstream.get_msg(subjects.stream, seq) for seq in range(1, last + 1)]
    return [str((message.headers or {})[MSG_ID]) for message in found]


async def test_the_oldest_comes_first_and_each_once(
    spool: Spool,
    publisher: GroupCommitPublisher,
    connection: Connection,
    subjects: Subjects,
    bundles: Bundles,
) -> None:
    names = [f"{number:03}" for number in range(MAX_ROUND * 2 + 5)]
    for name in names:
        await spool.put(bundles.make(name))
    await publisher.publish(bundles.make("001").messages)  # it was under way
    assert await drainer(spool, publisher, connection, subjects).drain() == len(names)
    ids = [one for one in await ids_in(connection, subjects) if "." not in one]
    assert ids == ["001", *(name for name in names if name != "001")]
    assert (await spool.state()).depth == 0


async def test_a_drain_by_another_process_counts_as_a_working_log(
    spool: Spool,
    publisher: GroupCommitPublisher,
    connection: Connection,
    subjects: Subjects,
    bundles: Bundles,
) -> None:
    told = asyncio.Event()
    await spool.put(bundles.make("a"))
    waiting = drainer(spool, publisher, connection, subjects, on_stored=told.set)
    with _held(spool.path):  # the other process drains
        waiting.start()
        await asyncio.wait_for(_until_tried(spool), 60)
        assert not told.is_set()
        await spool.remove([(await spool.read(limit=1))[0].row])
    await asyncio.wait_for(told.wait(), 60)
    await waiting.stop()


async def _until_tried(spool: Spool) -> None:
    """The drainer forgets the news when it begins."""
    while spool.news.is_set():
        await asyncio.sleep(0.01)
    await spool.state()  # behind what it asks of the spool first


async def test_live_callbacks_go_first(
    spool: Spool,
    publisher: GroupCommitPublisher,
    connection: Connection,
    subjects: Subjects,
    bundles: Bundles,
) -> None:
    """After each round it rests for as long as the round took."""
    for number in range(MAX_ROUND * 2 + 1):
        await spool.put(bundles.make(f"{number:03}"))
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    started = time.monotonic()
    draining = drainer(spool, publisher, connection, subjects, sleep=rest)
    assert await draining.drain() == MAX_ROUND * 2 + 1
    assert len(rests) == 3
    assert 0 < sum(rests) <= time.monotonic() - started


async def test_a_bundle_that_the_duplicate_window_may_have_forgotten_is_looked_up(
    nats_url: str, tmp_path: Path, subjects: Subjects, bundles: Bundles
) -> None:
    an_hour_ago = time.time() - 3600
    spool = Spool(tmp_path / "old.sqlite3", limit_bytes=10**6, clock=lambda: an_hour_ago)
    forgetful = replace(plans(subjects, ())[0], duplicate_window=timedelta(milliseconds=100))
    connection = Connection(nats_url, [forgetful])
    assert await connection.start(patience_s=10)
    publisher = GroupCommitPublisher(connection, timeout_s=10, remember=0)
    try:
        old, half, new = (bundles.make(name) for name in ("old", "half", "new"))
        await publisher.publish([*old.messages, half.messages[0]])
        await _forgotten(connection, subjects)
        for one in (old, half, new):
            await spool.put(one)
        await drainer(spool, publisher, connection, subjects).drain()
        ids = [one for one in await ids_in(connection, subjects) if not one.startswith("probe")]
        assert sorted(ids) == ["half", "half.0", "new", "new.0", "old", "old.0"]
        assert (await spool.state()).depth == 0
    finally:
        await spool.close()
        await publisher.stop()
        await connection.jetstream.delete_stream(subjects.stream)
        await connection.stop()


async def _forgotten(connection: Connection, subjects: Subjects) -> None:
    """Wait until what was stored before has left the duplicate window."""
    plain = JetStreamPublisher(connection, timeout_s=10)
    name = f"probe{secrets.token_hex(4)}"
    probe = OutgoingMessage.of(subjects.nonce("s", name), {MSG_ID: name}, b"")
    await plain.publish([probe])
    async with asyncio.timeout(60):
        while (await plain.publish([probe]))[0].duplicate:
            await asyncio.sleep(0.02)


async def test_a_replay_that_nobody_could_see_is_stored_with_a_mark(
    spool: Spool,
    publisher: GroupCommitPublisher,
    connection: Connection,
    subjects: Subjects,
    bundles: Bundles,
) -> None:
    await publisher.publish(bundles.make("first").messages, claim=bundles.claim("n", "first"))
    await spool.put(bundles.make("forged", nonce="n"))
    await spool.put(bundles.make("honest", nonce="m"))
    assert await drainer(spool, publisher, connection, subjects).drain() == 2
    jetstream = connection.jetstream
    marks = {}
    for seq in range(1, 9):
        headers = (await jetstream.get_msg(subjects.stream, seq)).headers or {}
        marks[headers[MSG_ID]] = headers.get("ce-replayof")
    assert marks.pop("forged.0") == "first"
    assert set(marks) == {"n", "first", "first.0", "forged", "m", "honest", "honest.0"} | set(marks)
    assert set(marks.values()) == {None}


async def test_what_the_log_refuses_blocks_no_other_callback(
    spool: Spool,
    publisher: GroupCommitPublisher,
    connection: Connection,
    subjects: Subjects,
    bundles: Bundles,
) -> None:
    names = [f"bad{n}" for n in range(MAX_ROUND + 1)] + [f"good{n}" for n in range(5)]
    for name in names:
        await spool.put(bundles.make(name))
    unfit = Unfit(publisher, "bad")
    assert await drainer(spool, unfit, connection, subjects).drain() == 5
    assert (await spool.state()).depth == MAX_ROUND + 1
    assert "good4" in await ids_in(connection, subjects)


async def test_a_log_that_takes_nothing_is_not_asked_for_everything(
    spool: Spool,
    publisher: GroupCommitPublisher,
    connection: Connection,
    subjects: Subjects,
    bundles: Bundles,
) -> None:
    await asyncio.gather(*(spool.put(bundles.make(str(n))) for n in range(MAX_ROUND * 6)))
    unfit = Unfit(publisher, "")
    with pytest.raises(BusError, match="refuses"):
        await drainer(spool, unfit, connection, subjects).drain()
    assert unfit.asked == MAX_ROUND * 3
    assert (await spool.state()).depth == MAX_ROUND * 6


async def test_one_drains_at_a_time(
    spool: Spool,
    publisher: GroupCommitPublisher,
    connection: Connection,
    subjects: Subjects,
    bundles: Bundles,
) -> None:
    for number in range(MAX_ROUND * 3):
        await spool.put(bundles.make(str(number)))
    both = [drainer(spool, publisher, connection, subjects).drain() for _ in range(2)]
    one, other = await asyncio.gather(*both, return_exceptions=True)
    assert one == MAX_ROUND * 3
    assert isinstance(other, AnotherDrainsError)


async def test_a_message_that_can_never_be_sent_is_reported(
    tmp_path: Path,
    publisher: GroupCommitPublisher,
    connection: Connection,
    subjects: Subjects,
) -> None:
    large = b"x" * (connection.client.max_payload - 10)  # too much with its headers
    message = OutgoingMessage.of(subjects.raw("s"), {MSG_ID: "large"}, large)
    spool = Spool(tmp_path / "large.sqlite3", limit_bytes=10**8, put_timeout_s=10)
    await spool.put(Bundle([message]))
    with capture_logs() as logs:
        assert await drainer(spool, publisher, connection, subjects).drain() == 0
    (told,) = [line for line in logs if line["event"] == "spooled_callback_not_stored"]
    assert (told["callback_id"], (await spool.state()).depth) == ("large", 1)
    await spool.close()


async def test_a_callback_whose_event_can_never_be_sent_goes_to_quarantine(
    tmp_path: Path,
    publisher: GroupCommitPublisher,
    connection: Connection,
    subjects: Subjects,
    bundles: Bundles,
) -> None:
    spool = Spool(tmp_path / "large.sqlite3", limit_bytes=10**8, put_timeout_s=10)
    raw, event = bundles.make("large").messages
    large = event._replace(body=b"x" * connection.client.max_payload)
    await spool.put(Bundle([raw, large], bundles.claim("n", "large")))
    await spool.put(bundles.make("other"))
    assert await drainer(spool, publisher, connection, subjects).drain() == 2
    kept = await connection.jetstream.get_last_msg(subjects.stream, subjects.quarantine("s"))
    assert (kept.data, (kept.headers or {})[MSG_ID]) == (raw.body, "large")
    assert "max_payload" in (kept.headers or {})["yizhan-reason"]
    assert (await spool.state()).depth == 0
