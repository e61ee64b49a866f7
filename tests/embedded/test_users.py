"""The two users of an embedded server: it lets in these alone, and to what they need."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects, input_subject
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.embedded.server_urls import ServerUrls
from receiver.embedded.users import FILE, Users
from receiver.testing import eventually, make_event
from schemas.events import PaymentSucceeded
from tests.bus.entering import enters
from tests.subscribed import subscribed

SHOP = Subjects("shop-1")
EVENT = encode_event(make_event(PaymentSucceeded(channel="1688", order_id="1")), SHOP)


def server(data_dir: Path, *, secured: bool = True) -> EmbeddedServer:
    return EmbeddedServer(
        EmbeddedServerConfig(data_dir, port=0, secured=secured, subject_root=SHOP.root)
    )


async def urls_of_a_run(data_dir: Path, *, secured: bool = True) -> ServerUrls:
    async with server(data_dir, secured=secured) as running:
        assert running.urls is not None
        return running.urls


def users_of(urls: ServerUrls) -> Users:
    users = Users.of(urls)
    assert users is not None
    return users


class Refusals:
    """What the server refused to one client."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def add(self, error: Exception) -> None:
        self.said.append(str(error).lower())

    def last_names(self, action: str, subject: str) -> bool:
        return bool(self.said) and f'{action} to "{subject.lower()}"' in self.said[-1]


@asynccontextmanager
async def subscribing(url: str) -> AsyncIterator[tuple[Client, Refusals]]:
    refusals = Refusals()
    client = await nats.connect(url, error_cb=refusals.add)
    yield client, refusals
    await client.close()


@asynccontextmanager
async def publishing(url: str) -> AsyncIterator[JetStreamPublisher]:
    """As our own processes do, with their streams set up."""
    connection = Connection(url, plans(SHOP, [timedelta(hours=1)]))
    assert await connection.start(patience_s=30)
    yield JetStreamPublisher(connection, timeout_s=10)
    await connection.stop()


async def test_a_client_without_the_password_is_refused(tmp_path: Path) -> None:
    async with server(tmp_path) as running:
        assert running.urls is not None
        address = running.url.rpartition("@")[2]
        assert await enters(running.urls.operator)
        assert await enters(running.urls.subscriber)
        for url in (f"nats://{address}", f"nats://yizhan:{'0' * 64}@{address}"):
            assert not await enters(url)


async def test_a_subscriber_reads_live_and_by_a_durable(tmp_path: Path) -> None:
    async with server(tmp_path) as running:
        assert running.urls is not None
        async with (
            publishing(running.url) as publisher,
            subscribing(running.urls.subscriber) as (client, refusals),
        ):
            live = await client.subscribe(SHOP.all_events)
            replayed = await client.subscribe(f"{SHOP.root}.replay.>")
            durable = await client.jetstream().pull_subscribe(
                SHOP.all_events, durable="mine", stream=SHOP.stream
            )
            await subscribed(client)
            await publisher.publish([EVENT])
            assert (await live.next_msg(timeout=60)).subject == EVENT.subject
            (fetched,) = await durable.fetch(1, timeout=60)
            await fetched.ack_sync(timeout=60)
            async with subscribing(running.url) as (operator, _):
                await operator.publish(f"{SHOP.root}.replay.once.events.x", b"")
                assert (await replayed.next_msg(timeout=60)).data == b""
            assert refusals.said == []


async def test_a_subscriber_may_publish_nothing_and_subscribe_to_nothing_else(
    tmp_path: Path,
) -> None:
    async with server(tmp_path) as running:
        assert running.urls is not None
        async with (
            publishing(running.url),
            subscribing(running.urls.subscriber) as (client, refusals),
        ):
            for subject in (
                input_subject(EVENT.subject),
                EVENT.subject,
                f"{SHOP.root}.dead.x",
                f"{SHOP.root}.said",
                f"$JS.API.STREAM.DELETE.{SHOP.stream}",
                f"$JS.API.STREAM.MSG.DELETE.{SHOP.stream}",
            ):
                await client.publish(subject, b"{}")
                await eventually(partial(refusals.last_names, "publish", subject))
            for subject in (SHOP.everything, ">", SHOP.all_input):
                refusals.said.clear()
                await client.subscribe(subject)
                await eventually(lambda: len(refusals.said) == 1)
                assert "permissions violation for subscription" in refusals.said[0]
        async with subscribing(running.url) as (operator, _):
            info = await operator.jetstream().stream_info(SHOP.stream)
            assert info.state.messages == 0


async def test_the_passwords_survive_a_restart(tmp_path: Path) -> None:
    before = users_of(await urls_of_a_run(tmp_path))
    assert users_of(await urls_of_a_run(tmp_path)) == before
    assert len({before.operator, before.subscriber}) == 2


async def test_passwords_of_ones_own_are_taken_from_the_file(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(f'yizhan = "{"o" * 16}"\nsubscriber = "{"s" * 16}"\n')
    assert users_of(await urls_of_a_run(tmp_path)) == Users("o" * 16, "s" * 16)
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "yizhan = ",
        "yizhan = 1\nsubscriber = 2\n",
        'yizhan = "0123456789abcdef"\n',
        'yizhan = "0123456789abcdef"\nsubscriber = "@/"\n',
        'yizhan = "0123456789abcdef"\nsubscriber = ""\n',
        "\xff",
    ],
)
async def test_a_damaged_file_is_made_anew_and_logged(tmp_path: Path, content: str) -> None:
    before = users_of(await urls_of_a_run(tmp_path))
    (tmp_path / FILE).write_text(content, encoding="latin-1")
    with capture_logs() as logs:
        after = users_of(await urls_of_a_run(tmp_path))
    assert after != before
    assert ("nats_users_written", "damaged", "warning") in [
        (line["event"], line.get("before"), line["log_level"]) for line in logs
    ]
    assert users_of(await urls_of_a_run(tmp_path)) == after


async def test_a_lost_file_is_made_anew_and_logged(tmp_path: Path) -> None:
    before = users_of(await urls_of_a_run(tmp_path))
    (tmp_path / FILE).unlink()
    with capture_logs() as logs:
        assert users_of(await urls_of_a_run(tmp_path)) != before
    assert "nats_users_written" in [line["event"] for line in logs]
    assert not any(before.operator in str(line) for line in logs)


async def test_a_file_lost_while_the_server_runs_changes_no_password(tmp_path: Path) -> None:
    async with server(tmp_path) as running:
        urls = running.urls
        (tmp_path / FILE).unlink()
        os.kill(running.pid, signal.SIGKILL)
        await running.wait_dead()
        await running.start()
        assert running.urls == urls
        assert await enters(running.url)
    assert users_of(await urls_of_a_run(tmp_path)).operator in running.url


async def test_an_open_directory_is_closed_by_a_run_that_asks_for_it(tmp_path: Path) -> None:
    async with server(tmp_path, secured=False) as running:
        assert running.urls is not None
        assert running.urls.open
        async with publishing(running.url) as publisher:
            await publisher.publish([EVENT])
    async with server(tmp_path) as running, subscribing(running.url) as (client, _):
        assert not await enters(f"nats://{running.url.rpartition('@')[2]}")
        assert (await client.jetstream().stream_info(SHOP.stream)).state.messages == 1


async def test_a_directory_with_users_is_never_opened_again(tmp_path: Path) -> None:
    before = users_of(await urls_of_a_run(tmp_path))
    assert users_of(await urls_of_a_run(tmp_path, secured=False)) == before


async def test_no_users_file_is_made_for_an_open_server(tmp_path: Path) -> None:
    await urls_of_a_run(tmp_path, secured=False)
    assert not (tmp_path / FILE).exists()
    assert "authorization" not in (tmp_path / "nats-server.conf").read_text()


@pytest.fixture
def wide_umask() -> Iterator[None]:
    """New files are everybody's unless we see to it."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(directory: Path) -> list[str]:
    every = [directory, *directory.rglob("*")]
    return [str(path) for path in every if path.stat().st_mode & 0o077]


@pytest.mark.usefixtures("wide_umask")
async def test_whatever_the_server_writes_is_private(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    async with server(data_dir) as running:
        async with publishing(running.url) as publisher:
            await publisher.publish([EVENT])
        assert list((data_dir / "jetstream").rglob("*.blk"))
        assert open_to_others(data_dir) == []
    assert open_to_others(data_dir) == []


async def test_what_an_older_version_left_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "jetstream").mkdir(mode=0o755)
    for name in ("nats-server.log", "nats-server.log.1", "nats-server.conf"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o644)
    async with server(tmp_path):
        assert [path for path in open_to_others(tmp_path) if path != str(tmp_path)] == []
