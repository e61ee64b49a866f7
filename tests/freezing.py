"""Freezes a process, so that it answers nothing more and ends nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from receiver.testing import eventually


async def freeze(pid: int) -> None:
    """Send SIGSTOP and return once every thread has stopped; raises `TimeoutError` where none does.

    The signal alone is not enough: on another core, a thread may still answer what comes next.
    Where there is no /proc, it returns at once.
    """
    os.kill(pid, signal.SIGSTOP)
    await eventually(lambda: all(map(_stopped, Path(f"/proc/{pid}/task").glob("*/stat"))))


def _stopped(stat: Path) -> bool:
    state = stat.read_text(encoding="utf-8").rpartition(") ")[2]
    return state.startswith(("T", "Z", "X"))
