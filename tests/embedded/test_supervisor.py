"""An embedded server that ended, stores nothing more, or was another run's, is at work again."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import nats
import pytest
from nats.errors import Error as NatsError
from structlog.testing import capture_logs

from receiver.embedded import supervisor
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.embedded.server_log import ServerLog
from receiver.embedded.supervisor import supervise, take_over
from receiver.resilience import supervision
from receiver.testing import eventually

BODY = b"x" * 20_000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(EmbeddedServerConfig(tmp_path / "data", port=0)) as running:
        client = await nats.connect(running.url)
        await client.jetstream().add_stream(name="S", subjects=["s"])
        await client.close()
        yield running


def refuse_writes(server: EmbeddedServer) -> None:
    """Let the server write no file beyond a few bytes, as a full disk does not: needs no root."""
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (len(BODY) // 2, unlimited))


async def stores(url: str) -> bool:
    try:
        client = await nats.connect(url, allow_reconnect=False, connect_timeout=1)
    except (NatsError, OSError):
        return False
    try:
        await client.jetstream(timeout=0.5).publish("s", BODY)
    except (NatsError, OSError):
        return False
    finally:
        await client.close()
    return True


async def test_a_server_that_ended_is_started_again(server: EmbeddedServer) -> None:
    before = server.pid
    async with supervision.running(partial(supervise, server), name="watch"):
        os.kill(before, signal.SIGKILL)
        await eventually(partial(stores, server.url), within_s=60)
    assert server.pid != before


async def test_a_server_that_stores_nothing_more_is_started_again_once_there_is_room(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_LOOK_S", 0.05)
    answers = iter([False, False, True])
    pids: list[int] = []

    def has_room(directory: Path) -> bool:
        assert directory == server.data_dir
        pids.append(server.pid)
        return next(answers)

    monkeypatch.setattr(supervisor, "_has_room", has_room)
    refuse_writes(server)
    assert not await stores(server.url)
    before = server.pid
    with capture_logs() as logs:
        async with supervision.running(partial(supervise, server), name="watch"):
            await eventually(partial(stores, server.url), within_s=60)
    assert pids == [before] * 3
    assert server.pid != before
    events = [line["event"] for line in logs]
    assert events == ["nats_server_stores_nothing", "nats_server_stuck"]


def test_room_is_what_can_be_written(tmp_path: Path) -> None:
    assert supervisor._has_room(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not supervisor._has_room(tmp_path / "gone")


async def test_the_server_of_a_run_that_ends_is_taken_over(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_LOOK_S", 0.05)
    heir = EmbeddedServer(EmbeddedServerConfig(tmp_path / "data", port=0))
    heir.urls, url = server.urls, server.url
    async with supervision.running(partial(take_over, heir), name="watch"):
        assert await stores(url)
        await server.stop()
        await eventually(partial(stores, url), within_s=60)
        os.kill(heir.pid, signal.SIGKILL)
        await heir.wait_dead()
        await eventually(partial(stores, url), within_s=60)
    await heir.stop()


@pytest.mark.parametrize("was_secured", [True, False])
async def test_a_server_that_is_taken_over_keeps_its_users_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was_secured: bool
) -> None:
    monkeypatch.setattr(supervisor, "_LOOK_S", 0.05)
    config = EmbeddedServerConfig(tmp_path, port=0, secured=was_secured)
    owner = EmbeddedServer(config)
    heir = EmbeddedServer(replace(config, secured=not was_secured))
    async with owner:
        heir.urls = owner.urls
        assert ("@" in owner.url) is was_secured
        client = await nats.connect(owner.url)
        await client.jetstream().add_stream(name="S", subjects=["s"])
        await client.close()
    async with supervision.running(partial(take_over, heir), name="watch"):
        await eventually(partial(stores, owner.url), within_s=60)
    await heir.stop()
    assert heir.urls == owner.urls


async def test_a_log_that_begins_anew_is_read_from_its_start(tmp_path: Path) -> None:
    log = ServerLog(tmp_path / "nats-server.log")
    assert log.store_failure() == ""
    log.path.write_text("[1] a b [ERR] JetStream failed to store a msg on stream: old\n")
    log.begin_run()
    assert log.store_failure() == ""
    line = "[1] a b [ERR] JetStream stream '$G > S' critical write error: no space\n"
    with log.path.open("a") as file:
        file.write("[1] a b [INF] Server is ready \xff\n" + line)
    assert log.store_failure() == "JetStream stream '$G > S' critical write error: no space"
    assert log.store_failure() == ""
    log.path.write_text(line)
    assert "no space" in await asyncio.to_thread(log.store_failure)
