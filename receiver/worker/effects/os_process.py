"""A name for a process of the operating system, by which others of its machine know whether it is
there: what a server sees of it is its connections alone.

Linux says enough in `/proc`. Elsewhere there is no name, and nothing is known.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_OVER: Final = frozenset("ZX")
"""The states of a process that ended and was not waited for yet."""
_STARTED: Final = 19
"""Where the time of its start stands in `/proc/<pid>/stat`, behind the state."""


def name_of(pid: int) -> str | None:
    """`<machine>.<pid>.<start>` of a process that is there; None where the system does not say."""
    try:
        _, started = _state_of(pid)
        return f"{_machine()}.{pid}.{started}"
    except OSError:
        return None


def lives(process: str | None) -> bool | None:
    """Whether a process is there, be it suspended; False where it runs no code any more for sure,
    None where this machine cannot know.
    """
    with suppress(OSError, ValueError):
        machine, pid, started = (process or "").split(".")
        if machine != _machine():
            return None
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # another user's: it is there, and may be hidden from us in /proc
        state, started_now = _state_of(int(pid))
        return state not in _OVER and started_now == started
    return None


def _machine() -> str:
    """Since its last start; in a container, of those that see the same processes and clock."""
    parts = [(_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii"), os.uname().nodename]
    parts += [str((_PROC / "self/ns" / kind).readlink()) for kind in ("pid", "time")]
    return sha256("\n".join(parts).encode()).hexdigest()[:12]


def _state_of(pid: int) -> tuple[str, str]:
    """Its state, and when it began, in ticks since the machine did."""
    text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    fields = text.rpartition(")")[2].split()  # a name may hold anything
    return fields[0], fields[_STARTED]
