"""A process that is stopped ends, whatever hangs, and loses nothing that it answered 200.

That it ends within `grace_s` and a second is measured by `make faults`: here it has to end.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from bench.faults.stops import Situation, dialled, disk_hangs, handler_swallows, nats_away, raced
from receiver.testing import eventually
from tests.cli.conftest import Yizhan
from tests.freezing import freeze

pytestmark = [
    pytest.mark.serial,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux"),
]

STOPS = 25


@pytest.mark.timeout(600)
@pytest.mark.parametrize("situation", [nats_away, dialled, handler_swallows, disk_hangs])
async def test_every_stop_ends_whatever_hangs(situation: Situation, tmp_path: Path) -> None:
    stopped = await raced(situation, STOPS, tmp_path, lanes=2)
    assert (stopped.ended, stopped.lost) == (STOPS, 0)
    assert stopped.answered or situation is handler_swallows


async def test_a_frozen_nats_server_does_not_outlive_the_stop(yizhan: Yizhan) -> None:
    up = await yizhan.start("up", YIZHAN_RECEIVER__GRACE_S="0", YIZHAN_HANDLERS__GRACE_S="0")
    await up.line(lambda line: "Ctrl-C stops it" in line)
    pid = int((yizhan.directory / "yizhan-data/nats-server.lock").read_text())
    await freeze(pid)
    assert await up.stop() == 0
    await eventually(lambda: not Path(f"/proc/{pid}").exists(), within_s=30)


async def test_a_stop_in_the_middle_of_a_start_ends_it_with_0(yizhan: Yizhan) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"nats://127.0.0.1:{silent.getsockname()[1]}"
        up = await yizhan.start("up", YIZHAN_NATS__URL=url)
        dialled, _ = await asyncio.to_thread(silent.accept)
        with dialled:
            assert await up.stop() == 0
    assert "Ctrl-C stops it" not in "".join(up.lines)
