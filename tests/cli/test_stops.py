"""A process that is stopped ends, whatever hangs, and loses nothing that it answered 200.

That it ends within `grace_s` and a second is measured by `make faults`: here it has to end.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.faults.stops import Situation, dialled, disk_hangs, handler_swallows, nats_away, raced

pytestmark = [
    pytest.mark.serial,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux"),
]

STOPS = 25


@pytest.mark.timeout(600)
@pytest.mark.parametrize("situation", [nats_away, dialled, handler_swallows, disk_hangs])
async def test_every_stop_ends_whatever_hangs(situation: Situation, tmp_path: Path) -> None:
    stopped = await raced(situation, STOPS, tmp_path)
    assert (stopped.ended, stopped.lost) == (STOPS, 0)
    assert stopped.answered or situation is handler_swallows
