"""Where one fault happens: its directory, the receiver, the load, and the verdict in the end."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bench.faults.judge import Verdict, judge
from bench.faults.sender import Forging, Platform, Seen
from bench.faults.stored import read_stored
from bench.faults.tree import Receiver

RATE_PER_S = 200
LEAD_S = 3.0
"""How long all is well before the fault, and after it."""


class SkippedError(Exception):
    """The fault cannot be made here; the text says why."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One fault under load: what the platform's side saw, and whether the promise was kept. The
    load is `rate_per_s`, or as much as goes over `connections`; `batched` is how many callbacks
    were stored in batches.
    """

    seen: Seen
    verdict: Verdict
    rate_per_s: int
    connections: int = 0
    batched: int = 0


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of raced stops: how many ended with code 0, and how long the slowest took. `lost`
    are callbacks that were answered 200 and that neither the log nor the spool holds.
    """

    stops: int
    ended: int
    slowest_s: float
    limit_s: float
    answered: int
    lost: int


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: `run` makes it in a directory of its own. A `control` is expected to lose: it shows
    that the fault is real."""

    name: str
    title: str
    text: str
    run: Callable[[Path], Awaitable[Happened | Stopped]]
    control: bool = False


@contextlib.asynccontextmanager
async def directory_on_disk() -> AsyncIterator[Path]:
    """A directory that is removed in the end, not on a file system in memory."""
    directory = Path(tempfile.mkdtemp(prefix="yizhan-faults-", dir="/var/tmp"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def under_load(
    receiver: Receiver,
    hurt: Callable[[], Awaitable[None]],
    *,
    lasts_s: float,
    rate_per_s: int = RATE_PER_S,
    connections: int = 0,
    duplicates: float = 0.0,
    read_from: str | None = None,
    forging: Forging | None = None,
    left: int = 0,
) -> Happened:
    """Start the receiver, load it, `hurt` it meanwhile, wait until all is settled, and judge.

    `lasts_s` is about how long `hurt` takes: the load begins before it and goes on behind it.
    `left` rows may stay in the spool in the end. With `connections` there is no rate.
    """
    await receiver.start()
    platform = Platform(
        receiver.port,
        rate_per_s=rate_per_s,
        connections=connections,
        duplicates=duplicates,
        forging=forging,
    )
    pushing = asyncio.create_task(platform.push_for(LEAD_S + lasts_s + LEAD_S))
    await asyncio.sleep(LEAD_S)
    await hurt()
    await pushing
    await receiver.settled(left=left)
    stored = await read_stored(read_from or receiver.nats_url)
    await receiver.stop()
    seen = platform.seen
    verdict = judge(seen.answered, stored.ids, seen.forged - stored.marked)
    rate_per_s = 0 if connections else rate_per_s
    return Happened(seen, verdict, rate_per_s, connections, stored.batched)
