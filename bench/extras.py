"""What is measured of Yizhan alone: steady load, a flood, memory, growth."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.contenders import YIZHAN, environment
from bench.fill import fill
from bench.machine import rss_mb
from bench.measure import Place, Sample, measure, median, started
from bench.processes import running
from bench.signed import SignedRequests
from bench.stopwatch import TIMES
from bench.wrk import Result, run_wrk

STEADY_PER_S = 500
GOOD_PER_S = 200
_RECOLLECT_S = 600.0


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
        await _has_begun(place.directory / "work.log")  # and so at the events that come now
        sample = await measure(
            place, YIZHAN, place.load(YIZHAN, 100, seconds, rate_per_s=STEADY_PER_S)
        )
        await _lines_settled(times)
    taken = sorted(map(float, times.read_text(encoding="ascii").splitlines()))
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
    """Bad ones at 256 connections; then the same while good ones come at 200 a second.

    The good ones come from a core of NATS: on that of the flood they would wait for their sender.
    """
    bad = replace(place.load(YIZHAN, 256, seconds), bad=True)
    alone = await run_wrk(bad, place.requests, place.cores.wrk)
    good = place.load(YIZHAN, 20, seconds, rate_per_s=GOOD_PER_S)
    apart = replace(place, cores=replace(place.cores, wrk=place.cores.nats.split(",")[-1]))
    others = SignedRequests(place.directory / "signed-flood")
    flooding = asyncio.create_task(
        run_wrk(replace(bad, seconds=seconds + 2), others, place.cores.wrk)
    )
    await asyncio.sleep(1)
    sample = await measure(apart, YIZHAN, good)
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


async def measure_growth(places: Mapping[int, Place], seconds: int) -> list[Grown]:
    """Fill the stream of each place up to so many events; then three rounds, taking turns."""
    async with contextlib.AsyncExitStack() as stack:
        here: dict[int, Place] = {}
        for events, place in places.items():
            await fill(place.broker, events)
            name = YIZHAN.server
            servers = await stack.enter_async_context(
                started([name], place.directory, place.cores, place.broker)
            )
            here[events] = replace(place, servers=servers)
            await _recollected(place.directory / f"{name}.log")
        samples: dict[int, list[Sample]] = {events: [] for events in here}
        for seconds_of_round in (1, seconds, seconds, seconds):
            for events, place in here.items():
                load = place.load(YIZHAN, 256, seconds_of_round)
                samples[events].append(await measure(place, YIZHAN, load))
        return [
            Grown(
                events,
                median(samples[events][1:]).result.per_s,
                place.servers[YIZHAN.server].ready_s,
            )
            for events, place in here.items()
        ]


async def measure_workers(place: Place, seconds: int) -> dict[int, float]:
    """Callbacks a second at 256 connections with one process and with two, each on a core."""
    nats_cores = place.cores.nats.split(",")
    if len(nats_cores) < 2:
        return {}
    ours = ",".join((place.cores.server, nats_cores[0]))
    rates: dict[int, list[Sample]] = {1: [], 2: []}
    os.sched_setaffinity(place.broker.pid, {int(nats_cores[1])})
    async with contextlib.AsyncExitStack() as stack:
        servers = {
            workers: await stack.enter_async_context(
                started(
                    [YIZHAN.server],
                    place.directory,
                    replace(place.cores, server=ours),
                    place.broker,
                    workers=workers,
                )
            )
            for workers in rates
        }
        for _ in range(3):
            for workers, samples in rates.items():
                here = replace(place, servers=servers[workers])
                samples.append(await measure(here, YIZHAN, here.load(YIZHAN, 256, seconds)))
    return {workers: median(samples).result.per_s for workers, samples in rates.items()}


async def _recollected(log: Path) -> None:
    """Return once the receiver has read what is stored: a start costs that, not a callback."""
    async with asyncio.timeout(_RECOLLECT_S):
        while not _says(log, b'"callbacks_recollected"'):
            await asyncio.sleep(0.25)


def _says(log: Path, word: bytes) -> bool:
    return word in log.read_bytes()


async def _has_begun(log) -> None:
    """Return once the worker's log says that its handlers run."""
    async with asyncio.timeout(60):
        while '"working"' not in log.read_text(encoding="utf-8"):
            await asyncio.sleep(0.1)


async def _lines_settled(path) -> int:
    """How many lines the file has once it has any and has not grown for two seconds."""
    last, same = -1, 0
    async with asyncio.timeout(_RECOLLECT_S):
        while same < 8:
            now = path.read_bytes().count(b"\n") if path.exists() else 0
            same = same + 1 if now and now == last else 0
            last = now
            await asyncio.sleep(0.25)
    return last
