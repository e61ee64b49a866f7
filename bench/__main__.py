"""`python -m bench`: measure everything and write docs/performance.md and docs/performance.png."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench import contenders, machine, plot, report
from bench.broker import running_broker
from bench.extras import (
    measure_flood,
    measure_growth,
    measure_memory,
    measure_steady,
    measure_workers,
    memory_now,
)
from bench.matrix import measure_matrix
from bench.measure import Place, started
from bench.outcome import Outcome
from bench.signed import SignedRequests

_DOCS = contenders.ROOT / "docs"


def main() -> int:
    """The command."""
    arguments = _arguments()
    for tool in ("wrk", "taskset"):
        if not shutil.which(tool):
            print(f"{tool} is missing: on Debian, apt-get install wrk util-linux", file=sys.stderr)
            return 2
    directory = Path(tempfile.mkdtemp(prefix="yizhan-bench-", dir=arguments.dir))
    try:
        outcome = asyncio.run(_measure(directory, arguments))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    plot.write(outcome, arguments.out / "performance.png")
    (arguments.out / "performance.md").write_text(report.page(outcome), encoding="utf-8")
    print(f"written: {arguments.out}/performance.md and performance.png")
    return 0


async def _measure(directory: Path, arguments: argparse.Namespace) -> Outcome:
    began = time.monotonic()
    cores = machine.share_cores()
    # The NATS server and this process inherit these cores; the others are pinned by taskset.
    os.sched_setaffinity(0, {int(core) for core in cores.nats.split(",")})
    skipped = contenders.prepare_node(directory)
    if skipped:
        print(f"Node is left out: {skipped}")
    taking_part = [c for c in contenders.ALL if not (skipped and c is contenders.NODE)]
    outcome = Outcome(
        when=datetime.now(UTC),
        machine=machine.describe(directory),
        versions=machine.versions(),
        cores=cores,
        load_before=machine.load_average(),
        long=arguments.long,
        node_skipped=skipped,
        contenders=taking_part,
        seconds=arguments.seconds,
    )
    for sync in ("always", "lazy"):
        await _matrix(_made(directory / sync), sync, outcome, arguments)
    await _growth(_made(directory / "growth"), outcome, arguments)
    outcome.took_s = time.monotonic() - began
    return outcome


async def _matrix(
    directory: Path, sync: str, outcome: Outcome, arguments: argparse.Namespace
) -> None:
    if not outcome.node_skipped:
        shutil.copytree(directory.parent / "node", directory / "node", symlinks=True)
    requests = SignedRequests(directory / "signed")
    names = dict.fromkeys(contender.server for contender in outcome.contenders)
    async with (
        running_broker(directory / "nats", sync_always=sync == "always") as broker,
        started(names, directory, outcome.cores, broker) as servers,
    ):
        place = Place(directory, outcome.cores, requests, broker, servers)
        if sync == "always":
            outcome.ready_s = {name: server.ready_s for name, server in servers.items()}
            outcome.memory_before = memory_now(place, 0)
        samples = await measure_matrix(place, outcome.contenders, sync, arguments.seconds)
        outcome.samples |= samples
        if sync == "always":
            print("  steady load, flood, memory", flush=True)
            outcome.flood = await measure_flood(place, 6)
            outcome.memory = await measure_memory(place, arguments.callbacks)
            outcome.steady = await measure_steady(place, 10)


async def _growth(directory: Path, outcome: Outcome, arguments: argparse.Namespace) -> None:
    requests = SignedRequests(directory / "signed")
    async with contextlib.AsyncExitStack() as stack:
        places = {}
        for events in (10_000, arguments.events):
            here = _made(directory / str(events))
            broker = await stack.enter_async_context(
                running_broker(here / "nats", sync_always=True)
            )
            places[events] = Place(here, outcome.cores, requests, broker, {})
        print(
            f"  growth: {', '.join(f'{events:,}' for events in places)} stored events", flush=True
        )
        outcome.growth = await measure_growth(places, 4)
        print("  workers", flush=True)
        outcome.workers = await measure_workers(places[10_000], 4)


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--long", action="store_true", help="1,000,000 callbacks, 5,000,000 events")
    parser.add_argument("--seconds", type=int, default=2, help="of each run")
    parser.add_argument("--dir", default="/var/tmp", help="where the logs go: a real disk")
    parser.add_argument("--out", type=Path, default=_DOCS, help="where the page and plot go")
    arguments = parser.parse_args()
    arguments.callbacks = 1_000_000 if arguments.long else 100_000
    arguments.events = 5_000_000 if arguments.long else 300_000
    return arguments


if __name__ == "__main__":
    sys.exit(main())
