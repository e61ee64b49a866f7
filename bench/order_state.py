"""`python -m bench.order_state`: what the state of orders costs a handler.

One stream with the lives of orders, mixed as they happen, and handlers that do nothing, one with
`state=True` and one without, each in a process of its own; they take turns, round by round. The
server syncs each write. Beside it, what the fold and its JSON take by themselves.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop

from bench.broker import running_broker
from bench.dispatch_handlers import SEEN, Seen
from bench.machine import describe
from receiver.bus.codec import encode_event
from receiver.cli.process import tune_gc
from receiver.composition.bus import opened_bus
from receiver.composition.worker import running_worker
from receiver.event import Event
from receiver.observability.logs import configure_logs
from receiver.projection.orders import fold
from receiver.projection.state import OrderState, empty
from receiver.settings import LogSettings, NatsSettings, Settings
from schemas.events import (
    EventData,
    LogisticsProgressed,
    LogisticsShipped,
    OrderCompleted,
    OrderCreated,
    Parcel,
    PaymentSucceeded,
)
from schemas.parts import Amounts
from schemas.statuses import OrderStatus, Progress
from schemas.values import Money

GOAL = 0.6
CONTENDERS = ("without", "with_state")
_BEGUN_AT_ONCE = 500
_START = datetime.now(UTC) - timedelta(hours=1)


def life(number: int) -> Sequence[Event[EventData]]:
    """Eight events of an order."""
    order_id = str(2_700_000_000_000_000_000 + number)
    fact: dict[str, Any] = {"channel": "1688", "order_id": order_id}
    amounts = Amounts(total=Money.yuan(Decimal(128)), shipping=Money.yuan(Decimal(8)))
    parcel = Parcel(carrier_code="YTO", waybill_no=f"YT{number:013}", logistics_id=f"LP{number}")
    way = (Progress.ACCEPTED, Progress.IN_TRANSIT, Progress.DELIVERING, Progress.SIGNED)
    data: list[EventData] = [
        OrderCreated(**fact, status=OrderStatus.AWAITING_PAYMENT, amounts=amounts),
        PaymentSucceeded(**fact, status=OrderStatus.AWAITING_SHIPMENT, amounts=amounts),
        LogisticsShipped(**fact, status=OrderStatus.SHIPPED, parcels=(parcel,)),
        *(LogisticsProgressed(**fact, parcel=parcel, progress=progress) for progress in way),
        OrderCompleted(**fact, status=OrderStatus.COMPLETED),
    ]
    return [_event(part, f"{number:026}{place:06}", place) for place, part in enumerate(data)]


def _event(data: EventData, identity: str, minute: int) -> Event[EventData]:
    time = _START + timedelta(minutes=minute)
    return Event(f"{identity}.0", "bench", time, time, data, identity, "headers")


async def fill_lives(url: str, orders: int) -> int:
    """Store the lives of orders; of any two that begin together, the events take turns."""
    settings = Settings(nats=NatsSettings(url=url))
    stored = 0
    async with opened_bus(settings, name="bench-fill") as bus:
        for first in range(0, orders, _BEGUN_AT_ONCE):
            lives = [life(number) for number in range(first, min(orders, first + _BEGUN_AT_ONCE))]
            for turn in zip(*lives, strict=True):
                await bus.publisher.publish([encode_event(event, bus.subjects) for event in turn])
                stored += len(turn)
    return stored


async def run_handler(name: str, url: str, events: int) -> None:
    configure_logs(LogSettings(level="error"))
    tune_gc()  # as the command does
    SEEN.append(Seen(events))
    settings = Settings.model_validate(
        {"nats": NatsSettings(url=url), "handlers": {"load": [f"bench.dispatch_handlers:{name}"]}}
    )
    async with (
        asyncio.timeout(600),
        opened_bus(settings, name="bench-state") as bus,
        running_worker(settings, bus),
    ):
        await SEEN[0].done.wait()


async def _compare(orders: int, rounds: int) -> int:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory(prefix="state-", ignore_cleanup_errors=True) as where:
        async with running_broker(Path(where), sync_always=True) as broker:
            events = await fill_lives(broker.url, orders)
            for _ in range(rounds):
                for name in CONTENDERS:
                    command = (sys.executable, "-m", "bench.order_state", "--contender", name)
                    more = ("--url", broker.url, "--events", str(events))
                    run = await asyncio.to_thread(
                        subprocess.run,
                        (*command, *more),
                        check=True,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                    rate, used_us = map(float, run.stdout.split())
                    found[name].append((rate, used_us))
                    print(f"  {name:<10} {rate:7.0f}/s  {used_us:5.0f} µs of processor", flush=True)
                    await broker.jetstream.delete_consumer("YIZHAN", f"handler-bench_{name}")
                await broker.jetstream.delete_stream("KV_YIZHAN_STATE")
    rates = {name: statistics.median(rate for rate, _ in runs) for name, runs in found.items()}
    share = rates["with_state"] / rates["without"]
    print(describe(Path.cwd()))
    print(f"with state {rates['with_state']:.0f}/s, without {rates['without']:.0f}/s")
    verdict = "reached" if share >= GOAL else "missed"
    print(f"share: {share:.2f} (goal {GOAL}: {verdict})")
    _measure_fold()
    return 0 if share >= GOAL else 1


def _measure_fold() -> None:
    """One process, nothing else: the fold of a life, its state to JSON and back."""
    events, repeats = life(1), 300
    begun, state = time.perf_counter(), empty("1688", "1")
    for _ in range(repeats):
        state = empty("1688", "1")
        for seq, event in enumerate(events):
            state, _ = fold(state, event, seq)
    folded = time.perf_counter() - begun
    begun = time.perf_counter()
    for _ in range(repeats):
        text = state.to_json()
    written = time.perf_counter() - begun
    begun = time.perf_counter()
    for _ in range(repeats):
        OrderState.from_json(text)
    read = time.perf_counter() - begun
    per_event = folded / repeats / len(events) * 1e6
    print(
        f"fold {per_event:.0f} µs an event; JSON of {len(text)} bytes "
        f"{written / repeats * 1e6:.0f} µs to write, {read / repeats * 1e6:.0f} µs to read"
    )


def main() -> int:
    """The command: 0 where the goal is reached."""
    parser = argparse.ArgumentParser(prog="python -m bench.order_state", description=__doc__)
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--events", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        uvloop.run(run_handler(given.contender, given.url, given.events))
        return 0
    return asyncio.run(_compare(given.orders, given.rounds))


if __name__ == "__main__":
    sys.exit(main())
