"""A worker that hangs is seen from outside."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from receiver.testing import eventually
from tests.cli.conftest import Running, Yizhan


async def working(yizhan: Yizhan) -> Running:
    running = await yizhan.start("work")
    await running.line(lambda line: '"working"' in line)
    return running


def alive(yizhan: Yizhan) -> Path:
    return yizhan.directory / "yizhan-data" / "worker.alive"


def age(file: Path) -> None:
    """As if its last beat were a minute ago."""
    os.utime(file, (time.time() - 60, time.time() - 60))


async def test_a_worker_that_works_is_well_and_one_that_stopped_is_not(yizhan: Yizhan) -> None:
    running = await working(yizhan)
    well = await yizhan.run("check", "--worker")
    assert (well.code, "ok    worker" in well.out) == (0, True)
    assert await running.stop() == 0
    gone = await yizhan.run("check", "--worker")
    assert (gone.code, "no worker runs on yizhan-data" in gone.out) == (1, True)


async def test_a_worker_beats_and_one_that_hangs_is_told(yizhan: Yizhan) -> None:
    running = await working(yizhan)
    age(alive(yizhan))
    await eventually(lambda: alive(yizhan).stat().st_mtime > time.time() - 30, within_s=60)
    running.process.send_signal(signal.SIGSTOP)
    age(alive(yizhan))
    hung = await yizhan.run("check", "--worker")
    running.process.send_signal(signal.SIGCONT)
    assert hung.code == 1
    assert "has done nothing for 6" in hung.out
    assert "a handler that blocks" in hung.out
    assert await running.stop() == 0


async def test_a_worker_says_what_it_does_not_run_and_why(yizhan: Yizhan) -> None:
    running = await working(yizhan)
    assert await running.stop() == 0
    text = "".join(running.lines)
    assert "`yizhan receive` takes callbacks" in text
    assert '"handler":"fetch_tracking"' in text
    assert "add an [api] section" in text


async def test_a_receiver_says_that_it_runs_no_handlers(yizhan: Yizhan) -> None:
    running = await yizhan.start("receive")
    await running.line(lambda line: '"handlers_not_run"' in line and "yizhan work" in line)
    assert await running.stop() == 0


async def test_a_worker_whose_directory_cannot_be_written_runs_unwatched(yizhan: Yizhan) -> None:
    receiving = await yizhan.start("receive")
    await receiving.line(lambda line: '"handlers_not_run"' in line)
    url = (await yizhan.run("url", "--operator")).out.strip()
    (yizhan.directory / "file").touch()
    (yizhan.directory / "empty.toml").touch()
    running = await yizhan.start(
        "work", "--config", "empty.toml", YIZHAN_NATS__URL=url, YIZHAN_NATS__DATA_DIR="file"
    )
    await running.line(lambda line: '"worker_not_watched"' in line)
    await running.line(lambda line: '"working"' in line)
    assert await running.stop() == 0
