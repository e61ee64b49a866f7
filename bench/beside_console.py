"""`python -m bench.beside_console`: what the console, its viewers and `yizhan metrics` cost the
receiver at 256 connections.

Two receivers with streams of their own on one server: one alone, and one beside a console that is
looked at and a scraped `yizhan metrics`. In each round they take turns of two seconds, which is
first changes, and whoever is not asked is stopped (SIGSTOP) for the turn of the other. `--before`
names another checkout, whose receiver is the one alone. The server syncs each write.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import httpx2
import uvloop

from bench.broker import running_broker
from bench.contenders import ROOT, YIZHAN, command, environment
from bench.machine import Cores, describe, load_average, share_cores
from bench.processes import Started, free_port, running
from bench.signed import SignedRequests
from bench.wrk import Load, run_wrk

CONNECTIONS: Final = 256
GOAL: Final = 0.95
"""The least share of the rate that is left."""
_LOOKED_AT: Final = ("/", "/dead", "/orders", "/handlers", "/events")
_LOOK_EVERY_S: Final = 2.0
_TURN_S: Final = 2


@dataclass(frozen=True, slots=True)
class Side:
    """A receiver, and what runs beside it."""

    receiver: Started
    beside: Sequence[Started] = ()

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Let what is beside run meanwhile."""
        self.send(signal.SIGCONT)
        try:
            yield
        finally:
            self.send(signal.SIGSTOP)

    def send(self, what: signal.Signals) -> None:
        """Send a signal to what is beside."""
        for one in self.beside:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, what)


@contextlib.asynccontextmanager
async def _sides(
    directory: Path, nats_url: str, cores: Cores, before: Path
) -> AsyncIterator[tuple[Side, Side]]:
    async with contextlib.AsyncExitStack() as stack:

        async def started(name: str, words: Sequence[str], root: Path, core: str) -> Started:
            here, port = directory / f"{name}-{words[0]}", free_port()
            here.mkdir()
            made = command(YIZHAN.server, here, port, nats_url)
            if words[0] != "receive":
                made = [sys.executable, "-m", "receiver", *words]
            known = {
                **environment(port, nats_url),
                "YIZHAN_NATS__URL": nats_url,
                "YIZHAN_NATS__SUBJECT_ROOT": name,
                "YIZHAN_CONSOLE__PORT": str(port),
                "YIZHAN_METRICS__PORT": str(port),
                "PYTHONPATH": str(root),
            }
            ran = running(made, core=core, log=here / "log", port=port, environment=known)
            return await stack.enter_async_context(ran)

        alone = Side(await started("alone", ["receive"], before, cores.server))
        receiver = await started("beside", ["receive"], ROOT, cores.server)
        more = [
            await started("beside", words, ROOT, cores.nats) for words in (["console"], ["metrics"])
        ]
        side = Side(receiver, more)
        try:
            yield alone, side
        finally:
            side.send(signal.SIGCONT)


async def _look(side: Side, *, tail: bool) -> None:
    """As a viewer who opens a page every other second, and one whose live tail is open, if at all;
    what scrapes the metrics does so as often.
    """
    console, metrics = side.beside
    async with httpx2.AsyncClient(timeout=30) as client:
        base = f"http://127.0.0.1:{console.port}"

        async def follow() -> None:
            async with client.stream("GET", f"{base}/events/live") as response:
                async for _ in response.aiter_raw():
                    pass

        following = [asyncio.create_task(follow())] if tail else []
        try:
            for path in cycle(_LOOKED_AT):
                (await client.get(f"{base}{path}")).raise_for_status()
                (await client.get(f"http://127.0.0.1:{metrics.port}/metrics")).raise_for_status()
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            for one in following:
                one.cancel()


async def _compare(seconds: int, rounds: int, before: Path, *, tail: bool) -> int:
    cores, found = share_cores(), list[tuple[float, float]]()
    with tempfile.TemporaryDirectory(prefix="beside-", ignore_cleanup_errors=True) as where:
        requests = SignedRequests(Path(where) / "requests")
        async with (
            running_broker(Path(where) / "nats", sync_always=True) as broker,
            _sides(Path(where), broker.url, cores, before) as sides,
        ):
            looking = asyncio.create_task(_look(sides[1], tail=tail))
            for number in range(rounds + 1):  # the first is to warm up
                rates = await _round(sides, requests, cores, seconds)
                if looking.done():
                    looking.result()
                if number:
                    found.append(rates)
                    print(f"  alone {rates[0]:7.0f}/s  beside {rates[1]:7.0f}/s", flush=True)
            looking.cancel()
    print(f"{describe(Path.cwd())}, load {load_average()}; {rounds} rounds of {seconds} s each\n")
    return _report(found)


async def _round(
    sides: Sequence[Side], requests: SignedRequests, cores: Cores, seconds: int
) -> tuple[float, float]:
    """Each for so many seconds, in turns."""
    answered, turns = [0] * len(sides), max(1, seconds // _TURN_S)
    for turn in range(turns):
        for number in range(len(sides))[:: -1 if turn % 2 else 1]:
            side = sides[number]
            url = f"http://127.0.0.1:{side.receiver.port}{YIZHAN.path}"
            with side.awake():
                result = await run_wrk(Load(url, CONNECTIONS, seconds=_TURN_S), requests, cores.wrk)
            answered[number] += result.answered
    return answered[0] / (turns * _TURN_S), answered[1] / (turns * _TURN_S)


def _report(found: Sequence[tuple[float, float]]) -> int:
    alone, beside = (statistics.median(rates[at] for rates in found) for at in (0, 1))
    shares = sorted(rates[1] / max(rates[0], 1) for rates in found)
    share = statistics.median(shares)
    verdict = "reached" if share >= GOAL else "missed"
    print(f"| | callbacks/s |\n| --- | ---: |\n| alone | {alone:.0f} |\n| beside | {beside:.0f} |")
    print(f"\n{share:.3f} ({shares[0]:.3f} to {shares[-1]:.3f}; goal {GOAL}: {verdict})")
    return int(share < GOAL)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 where the goal is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", type=Path, default=ROOT, help="another checkout's root")
    parser.add_argument("--tail", action="store_true", help="a live tail of all events, too")
    asked = parser.parse_args(arguments)
    before = asked.before.resolve()
    return uvloop.run(_compare(asked.seconds, asked.rounds, before, tail=asked.tail))


if __name__ == "__main__":
    sys.exit(main())
