"""What is measured of Yizhan alone: steady load, a flood, memory, growth."""

from __future__ import annotations

import asyncio
import statistics
import sys
from dataclasses import dataclass, replace

from bench.broker import Broker
from bench.contenders import YIZHAN, environment
from bench.fill import fill
from bench.machine import rss_mb
from bench.measure import Place, measure, median, started
from bench.processes import running
from bench.signed import SignedRequests
from bench.stopwatch import TIMES
from bench.wrk import Result, run_wrk

STEADY_PER_S = 500
GOOD_PER_S = 200


@dataclass(frozen=True, slots=True)
class Steady:
    """A steady load with handlers running: answers, and callback to handler in ms."""

    answers: Result
    handled: int
    handler_p50_ms: float
    handler_p99_ms: float


async def measure_steady(place: Place, seconds: int) -> Steady:
    """500 callbacks a second, handlers in a process of their own on NATS' cores."""
    times = place.directory / "times"
    times.unlink(missing_ok=True)
    worker = (sys.executable, "-m", "receiver", "work")
    config = ("--config", str(place.directory / "yizhan.toml"))
    surroundings = {**environment(0, place.broker.url), TIMES: str(times)}
    async with running(
        (*worker, *config),
        core=place.cores.nats,
        log=place.directory / "work.log",
        environment=surroundings,
    ):
        before = await _lines_settled(times)  # the handler starts with what is stored already
        sample = await measure(
            place, YIZHAN, place.load(YIZHAN, 100, seconds, rate_per_s=STEADY_PER_S)
        )
        after = await _lines_settled(times)
    taken = sorted(map(float, times.read_text(encoding="ascii").splitlines()[before:after]))
    if not taken:
        raise RuntimeError("no handler ran")
    return Steady(
        sample.result, len(taken), statistics.median(taken), taken[int(len(taken) * 0.99)]
    )


@dataclass(frozen=True, slots=True)
class Flood:
    """Bad signatures alone at full speed, then with good ones in between."""

    alone: Result
    good: Result


async def measure_flood(place: Place, seconds: int) -> Flood:
    """Bad ones at 256 connections; then the same while good ones come at 200 a second."""
    bad = replace(place.load(YIZHAN, 256, seconds), bad=True)
    alone = await run_wrk(bad, place.requests, place.cores.wrk)
    good = place.load(YIZHAN, 20, seconds, rate_per_s=GOOD_PER_S)
    others = SignedRequests(place.directory / "signed-flood")
    flooding = asyncio.create_task(
        run_wrk(replace(bad, seconds=seconds + 2), others, place.cores.wrk)
    )
    await asyncio.sleep(1)
    sample = await measure(place, YIZHAN, good)
    await flooding
    return Flood(alone, sample.result)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MB, of the receiver and of the NATS server."""

    callbacks: int
    receiver_mb: float
    nats_mb: float


def memory_now(place: Place, callbacks: int) -> Memory:
    """As it stands after so many callbacks."""
    return Memory(
        callbacks,
        rss_mb(place.servers[YIZHAN.server].pid),
        rss_mb(place.broker.pid),
    )


async def measure_memory(place: Place, callbacks: int) -> Memory:
    """Load at 256 connections until the stream holds so many callbacks."""
    while (stored := await place.broker.stored(YIZHAN)) < callbacks:
        await measure(place, YIZHAN, place.load(YIZHAN, 256, 8))
    return memory_now(place, stored)


@dataclass(frozen=True, slots=True)
class Grown:
    """With so many events stored: the rate at 256 connections, and the receiver's start."""

    events: int
    per_s: float
    ready_s: float


async def measure_growth(place: Place, broker: Broker, events: int, seconds: int) -> Grown:
    """Fill the stream up to `events`, start the receiver anew, take the median of three."""
    await fill(broker, events)
    async with started([YIZHAN.server], place.directory, place.cores, broker) as servers:
        here = replace(place, broker=broker, servers=servers)
        await measure(here, YIZHAN, here.load(YIZHAN, 256, 1))
        runs = [await measure(here, YIZHAN, here.load(YIZHAN, 256, seconds)) for _ in range(3)]
        return Grown(events, median(runs).result.per_s, servers[YIZHAN.server].ready_s)


async def _lines_settled(path) -> int:
    """How many lines the file has once it stops to grow for a second."""
    last, same = -1, 0
    while same < 4:
        now = path.read_bytes().count(b"\n") if path.exists() else 0
        same = same + 1 if now == last else 0
        last = now
        await asyncio.sleep(0.25)
    return last
