"""`python -m bench.costs`: what ordering, the state of orders and an effect each cost a handler.

One stream with the lives of orders, and handlers that do nothing, each in a process of its own on
the same stored events; they take turns, round by round. The server syncs each write.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from bench.broker import running_broker
from bench.machine import describe
from bench.order_state import fill_lives, run_handler

CONTENDERS: Final = {
    "plain": 'plain (`order="none"`)',
    "without": "in order, the default",
    "with_state": "in order, `state=True`",
    "with_once": "in order, one `ctx.once`",
}
GOALS: Final = {"with_state": ("without", 0.6)}
"""The least share of the rate of another one."""

Runs = dict[str, list[tuple[float, float]]]


async def _compare(orders: int, rounds: int) -> int:
    found: Runs = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory(prefix="costs-", ignore_cleanup_errors=True) as where:
        async with running_broker(Path(where), sync_always=True) as broker:
            events = await fill_lives(broker.url, orders)
            for _ in range(rounds):
                for name, runs in found.items():
                    runs.append(await asyncio.to_thread(_one, name, broker.url, events))
                    rate, used_us = runs[-1]
                    print(f"  {name:<10} {rate:7.0f}/s  {used_us:5.0f} µs", flush=True)
                    await broker.jetstream.delete_consumer("YIZHAN", f"handler-bench_{name}")
                await broker.jetstream.delete_stream("KV_YIZHAN_STATE")
    print(f"{describe(Path.cwd())}; {events} events of {orders} orders, median of {rounds}\n")
    return _report(found)


def _one(name: str, url: str, events: int) -> tuple[float, float]:
    command = (sys.executable, "-m", "bench.costs", "--contender", name)
    more = ("--url", url, "--events", str(events))
    run = subprocess.run((*command, *more), check=True, stdout=subprocess.PIPE, text=True)
    rate, used_us = map(float, run.stdout.split())
    return rate, used_us


def _report(found: Runs) -> int:
    rates = {name: statistics.median(rate for rate, _ in runs) for name, runs in found.items()}
    print("| handler | events/s | of plain | µs of processor an event |")
    print("| --- |" + " ---: |" * 3)
    for name, title in CONTENDERS.items():
        used_us = statistics.median(used for _, used in found[name])
        print(
            f"| {title} | {rates[name]:.0f} | {rates[name] / rates['plain']:.2f} | {used_us:.0f} |"
        )
    missed = 0
    for name, (base, goal) in GOALS.items():
        share = rates[name] / rates[base]
        missed += share < goal
        verdict = "reached" if share >= goal else "missed"
        print(f"\n{name} by {base}: {share:.2f} (goal {goal}: {verdict})")
    return 1 if missed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 where the goals are reached."""
    parser = argparse.ArgumentParser(prog="python -m bench.costs", description=__doc__)
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contender", choices=[*CONTENDERS], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--events", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.contender:
        uvloop.run(run_handler(given.contender, given.url, given.events))
        return 0
    return asyncio.run(_compare(given.orders, given.rounds))


if __name__ == "__main__":
    sys.exit(main())
