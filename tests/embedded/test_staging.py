"""Batches staged in memory, by a real server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nats
import pytest
from nats.js.errors import APIError

from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.embedded.staging import MEMORY, BatchStaging, keep_staged
from receiver.resilience import supervision
from receiver.testing import eventually

pytestmark = pytest.mark.skipif(not MEMORY.is_dir(), reason="no memory file system")


@dataclass
class Staged:
    server: EmbeddedServer
    staging: BatchStaging
    link: Path


def link_of(server: EmbeddedServer) -> Path:
    return next(server.data_dir.rglob("streams/S")) / "batches"


def new_staging(server: EmbeddedServer, **more: float) -> BatchStaging:
    return BatchStaging(link_of(server).parent, **more)  # type: ignore[arg-type] # of the test's own


@pytest.fixture
async def staged(tmp_path: Path) -> AsyncIterator[Staged]:
    async with EmbeddedServer(EmbeddedServerConfig(tmp_path, port=0)) as server:
        client = await nats.connect(server.url)
        created = await client.request(
            "$JS.API.STREAM.CREATE.S",
            b'{"name":"S","subjects":["s.>"],"storage":"file","allow_atomic":true}',
        )
        assert b'"error"' not in created.data
        await client.close()
        staging = new_staging(server)
        yield Staged(server, staging, link_of(server))
    staging.remove()
    assert not staging.target.exists()


async def publish_batch(url: str, batch: str, count: int = 3, *, commit: bool = True) -> int:
    """The stream's last sequence after a batch, or after a part of one that is never committed."""
    client = await nats.connect(url)
    headers = {"Nats-Batch-Id": batch}
    for number in range(1, count):
        await client.publish(
            "s.x", b"x" * 1000, headers={**headers, "Nats-Batch-Sequence": str(number)}
        )
    last = {**headers, "Nats-Batch-Sequence": str(count)}
    jetstream = client.jetstream()
    if commit:
        await jetstream.publish("s.x", b"last", headers={**last, "Nats-Batch-Commit": "1"})
    else:
        await client.publish("s.x", b"last", headers=last)
        await client.flush()
    sequence = (await jetstream.stream_info("S")).state.last_seq
    await client.close()
    return sequence


async def test_a_batch_goes_through_memory_into_the_stream(staged: Staged) -> None:
    assert staged.staging.look()
    assert staged.link.readlink() == staged.staging.target
    assert await publish_batch(staged.server.url, "a") == 3
    await publish_batch(staged.server.url, "b", commit=False)
    assert [entry.name for entry in staged.staging.target.iterdir()] != []
    assert await publish_batch(staged.server.url, "c") == 6


async def test_what_was_committed_survives_a_kill_and_the_link_is_made_again(
    staged: Staged,
) -> None:
    async with supervision.running(
        partial(keep_staged, staged.staging, owned=lambda: True), name="staging"
    ):
        await eventually(staged.link.is_symlink)
        assert await publish_batch(staged.server.url, "a") == 3
        await publish_batch(staged.server.url, "cut", commit=False)
        os.kill(staged.server.pid, 9)
        await staged.server.wait_dead()
        await staged.server.start()
        await eventually(staged.link.is_symlink)
        assert await publish_batch(staged.server.url, "b") == 6


async def test_a_batch_that_lies_on_disk_is_let_finish(staged: Staged) -> None:
    await publish_batch(staged.server.url, "on-disk", commit=False)
    assert not staged.staging.look()
    assert staged.link.is_dir()
    assert not staged.link.is_symlink()


async def test_what_an_abandoned_batch_left_is_cleared(staged: Staged) -> None:
    staging = new_staging(staged.server, abandoned_s=0)
    assert staging.look()
    await publish_batch(staged.server.url, "left", commit=False)
    assert list(staging.target.iterdir()) != []
    assert staging.look()
    assert list(staging.target.iterdir()) == []
    assert await publish_batch(staged.server.url, "a") == 3


async def test_a_target_that_vanishes_refuses_batches_until_the_next_look(staged: Staged) -> None:
    assert staged.staging.look()
    staged.staging.target.rmdir()
    with pytest.raises(APIError):
        await publish_batch(staged.server.url, "gone")
    assert staged.staging.look()
    assert await publish_batch(staged.server.url, "back") == 3


async def test_disk_is_used_where_memory_is_short(staged: Staged) -> None:
    assert staged.staging.look()
    short = new_staging(staged.server, min_free_bytes=2**62)
    assert not short.look()
    assert not staged.link.is_symlink()
    assert await publish_batch(staged.server.url, "a") == 3


def test_disk_is_used_where_there_is_no_memory_file_system(tmp_path: Path) -> None:
    (tmp_path / "S").mkdir()
    (tmp_path / "memory").mkdir()
    assert not BatchStaging(tmp_path / "S", memory=tmp_path / "memory").look()


def test_a_target_that_others_can_enter_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "S").mkdir()
    staging = BatchStaging(tmp_path / "S")
    staging.target.mkdir(mode=0o755)
    staging.target.chmod(0o755)
    assert not staging.look()
    assert not (tmp_path / "S" / "batches").exists()
    staging.target.rmdir()


def test_what_was_left_in_the_target_by_an_earlier_run_goes(tmp_path: Path) -> None:
    (tmp_path / "S").mkdir()
    staging = BatchStaging(tmp_path / "S")
    staging.target.mkdir(mode=0o700)
    for name in ("left", "young"):
        (staging.target / name).mkdir()
    os.utime(staging.target / "left", (1, 1))
    assert staging.look()
    assert [entry.name for entry in staging.target.iterdir()] == ["young"]
    staging.remove()


def test_empty_targets_that_killed_runs_left_long_ago_go(tmp_path: Path) -> None:
    (tmp_path / "S").mkdir()
    old, full, new = (BatchStaging(tmp_path / name).target for name in ("old", "full", "new"))
    for target in (old, full, new):
        target.mkdir(mode=0o700)
    (full / "batch").mkdir()
    for target in (old, full):
        os.utime(target, (1, 1))
    staging = BatchStaging(tmp_path / "S")
    assert staging.look()
    assert [target.exists() for target in (old, full, new)] == [False, True, True]
    (full / "batch").rmdir()
    full.rmdir()
    new.rmdir()
    staging.remove()
