"""`python -m bench.dispatch`: how fast stored events reach a handler, beside FastStream's pull.

One stream, one typed event (`payment.succeeded`), a handler that does nothing, a process of its
own for each run; contenders take turns, round by round. FastStream pulls batches, reads the same
pydantic model and acknowledges. Ours also reads the CloudEvents attributes, keeps one owner across
processes, counts attempts, records each run and acknowledges until the server has answered.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from faststream.nats import JStream, NatsBroker, PullSub
from nats.js.api import DeliverPolicy

from bench.broker import running_broker
from bench.dispatch_handlers import SEEN, Seen
from bench.fill import fill
from bench.machine import describe
from receiver.cli.process import tune_gc
from receiver.composition.bus import opened_bus
from receiver.composition.worker import running_worker
from receiver.observability.logs import configure_logs
from receiver.settings import LogSettings, NatsSettings, Settings
from schemas.events import PaymentSucceeded

SUBJECT = "yizhan.events.*.payment.succeeded.*"
CONTENDERS = ("faststream", "ordered", "unordered")
GOALS = {"ordered": 1.8, "unordered": 2.5}


async def _faststream(url: str, seen: Seen, durable: str) -> None:
    broker = NatsBroker(url, logger=None)

    @broker.subscriber(
        SUBJECT,
        stream=JStream("YIZHAN", declare=False),
        durable=durable,
        deliver_policy=DeliverPolicy.ALL,
        pull_sub=PullSub(batch_size=256),
    )
    async def handle(data: PaymentSucceeded) -> None:
        seen.note()

    async with broker:
        await broker.start()
        await seen.done.wait()


async def _ours(url: str, seen: Seen, name: str) -> None:
    configure_logs(LogSettings(level="error"))
    tune_gc()  # as the command does
    settings = Settings.model_validate(
        {"nats": NatsSettings(url=url), "handlers": {"load": [f"bench.dispatch_handlers:{name}"]}}
    )
    async with opened_bus(settings, name="bench-dispatch") as bus, running_worker(settings, bus):
        await seen.done.wait()


async def _run(name: str, url: str, events: int, durable: str) -> None:
    seen = Seen(events)
    SEEN.append(seen)
    run: Callable[[], Awaitable[None]] = {
        "faststream": lambda: _faststream(url, seen, durable),
        "ordered": lambda: _ours(url, seen, name),
        "unordered": lambda: _ours(url, seen, name),
    }[name]
    async with asyncio.timeout(300):
        await run()


async def _compare(events: int, rounds: int) -> int:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
    directory = tempfile.TemporaryDirectory(prefix="dispatch-", ignore_cleanup_errors=True)
    with directory as where:
        async with running_broker(Path(where), sync_always=True) as broker:
            await fill(broker, events)
            for number in range(rounds):
                for name in CONTENDERS:
                    command = (sys.executable, "-m", "bench.dispatch", "--contender", name)
                    more = ("--url", broker.url, "--events", str(events), "--durable", f"f{number}")
                    run = await asyncio.to_thread(
                        subprocess.run,
                        (*command, *more),
                        check=True,
                        capture_output=True,
                        text=True,
                    )
                    rate, used_us = map(float, run.stdout.split())
                    found[name].append((rate, used_us))
                    print(f"  {name:<10} {rate:7.0f}/s  {used_us:5.0f} µs of processor", flush=True)
                for name in ("ordered", "unordered"):
                    await broker.jetstream.delete_consumer("YIZHAN", f"handler-bench_{name}")
    return _report(found)


def _report(found: dict[str, list[tuple[float, float]]]) -> int:
    rates = {name: statistics.median(rate for rate, _ in runs) for name, runs in found.items()}
    missed = 0
    print(describe(Path.cwd()))
    for name, goal in GOALS.items():
        times = rates[name] / rates["faststream"]
        missed += times < goal
        verdict = "reached" if times >= goal else "missed"
        print(f"{name}: {rates[name]:.0f}/s, {times:.2f} times FastStream (goal {goal}: {verdict})")
    return 1 if missed else 0


def main() -> int:
    """The command: 0 where both goals are reached."""
    parser = argparse.ArgumentParser(prog="python -m bench.dispatch", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--durable", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        uvloop.run(_run(given.contender, given.url, given.events, given.durable))
        return 0
    return asyncio.run(_compare(given.events, given.rounds))


if __name__ == "__main__":
    sys.exit(main())
