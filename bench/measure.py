"""One measurement: a load on one contender, what it cost, and whether it was really stored."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.broker import Broker
from bench.contenders import Contender, command, environment
from bench.machine import Cores, cpu_s
from bench.processes import Started, free_port, running
from bench.signed import SignedRequests
from bench.wrk import Load, Result, run_wrk


@dataclass(frozen=True, slots=True)
class Sample:
    """One run; `stored` is what the stream grew by. Times of the processor are microseconds for
    each callback: the server's and the NATS server's."""

    result: Result
    stored: int
    server_cpu_us: float
    nats_cpu_us: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a measurement happens."""

    directory: Path
    cores: Cores
    requests: SignedRequests
    broker: Broker
    servers: Mapping[str, Started]

    def load(self, contender: Contender, connections: int, seconds: int, **more: int) -> Load:
        """A load on a contender."""
        port = self.servers[contender.server].port
        return Load(f"http://127.0.0.1:{port}{contender.path}", connections, seconds, **more)


@contextlib.asynccontextmanager
async def started(
    names: Iterable[str], directory: Path, cores: Cores, broker: Broker, *, workers: int = 1
) -> AsyncIterator[dict[str, Started]]:
    """Run the servers by their names, all on the core of the server under test; `workers` is for
    Yizhan."""
    async with contextlib.AsyncExitStack() as stack:
        servers = {}
        for name in names:
            port = free_port()
            servers[name] = await stack.enter_async_context(
                running(
                    command(name, directory, port, broker.url, workers=workers),
                    core=cores.server,
                    log=directory / f"{name}.log",
                    port=port,
                    environment=environment(port, broker.url),
                )
            )
        yield servers


async def measure(place: Place, contender: Contender, load: Load) -> Sample:
    """Run the load; raises `RuntimeError` where an answer of 200 has nothing stored behind it.

    What was in flight when wrk stopped is stored without being counted as answered.
    """
    pid, nats_pid = place.servers[contender.server].pid, place.broker.pid
    before, cpu, nats_cpu = await place.broker.stored(contender), cpu_s(pid), cpu_s(nats_pid)
    result = await run_wrk(load, place.requests, place.cores.wrk)
    cpu, nats_cpu = cpu_s(pid) - cpu, cpu_s(nats_pid) - nats_cpu
    stored = await _settled(place.broker, contender, before + result.sent) - before
    if contender.stream and not result.answered <= stored <= result.sent:
        raise RuntimeError(
            f"{contender.name}: answered {result.answered}, stored {stored}, sent {result.sent}"
        )
    answered = max(result.answered, 1)
    return Sample(result, stored, cpu / answered * 1e6, nats_cpu / answered * 1e6)


async def _settled(broker: Broker, contender: Contender, most: int) -> int:
    """The count once it is `most`, or has not grown for 0.3 s."""
    last, same = -1, 0
    while (now := await broker.stored(contender)) < most and same < 3:
        same = same + 1 if now == last else 0
        last = now
        await asyncio.sleep(0.1)
    return now


def median(samples: Sequence[Sample]) -> Sample:
    """The sample in the middle by rate."""
    ordered = sorted(samples, key=lambda sample: sample.result.per_s)
    return ordered[len(ordered) // 2]


def spread(samples: Sequence[Sample]) -> float:
    """How far the rates lie apart: (highest - lowest) / median."""
    rates = [sample.result.per_s for sample in samples]
    return (max(rates) - min(rates)) / max(statistics.median(rates), 1e-9)
