"""What a process that stands by does about the one that is said to own a handler. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from receiver.bus.consumers import PIN_S

SILENCE_S: Final = PIN_S + 1.0
"""After how long without an announcement an owner that may still live is asked to let go: longer
than its fence, so that it starts nothing meanwhile."""
VACANT_S: Final = 0.6
"""For how long the preferred process alone may take what has no owner: three announcements."""

Verdict = Literal["wait", "gone", "ask"]


@dataclass(frozen=True, slots=True)
class Rival:
    """Another process that owns a handler, or is about to (then `pin` is empty), and when it last
    said so, by our clock."""

    worker: str
    pin: str
    heard_at: float


def judge(rival: Rival, *, deaths: int, needed: int, now: float) -> Verdict:
    """What to do about a rival that answered the last `deaths` pings with no responders.

    A suspended process gives a time-out in place of that, and is only asked.
    """
    if deaths >= needed:
        return "gone"
    return "ask" if now - rival.heard_at > SILENCE_S else "wait"


def yields(mine: str, rival: Rival) -> bool:
    """Whether we, about to own a handler, step back for one that says the same or owns it already:
    of two that are about to, the lower name goes on."""
    return bool(rival.pin) or rival.worker < mine


def preferred(handler: str, workers: Iterable[str]) -> str:
    """Which of the processes is to run a handler: a rendezvous hash spreads them."""
    return max(workers, key=lambda worker: hashlib.sha256(f"{handler} {worker}".encode()).digest())
