"""`yizhan demo`: the whole way, bounded, and checked against the stream at its end."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from nats.errors import Error as NatsError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from receiver.cli.app import RUN, JsonOption, app, examples
from receiver.cli.desk import print_json
from receiver.cli.handler_processes import running_handlers
from receiver.cli.options import writable_file
from receiver.cli.process import Stop, refusing, run
from receiver.cli.simulation import new_seed, platform_config, with_simulated_api
from receiver.composition.bus import Bus, opened_bus
from receiver.composition.receiver import running_receiver
from receiver.errors import BusError
from receiver.observability.logs import configure_logs
from receiver.operations.audit import StoredCounts, count_stored
from receiver.resilience.cancellation import cancel_all
from receiver.settings import LogSettings, Settings, development
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.pusher import Counts
from receiver.web.server import base_url, bind

_CALM_S: Final = 60.0
"""How long the handlers may take to catch up once the last callback is in."""
_END_S: Final = 5.0
_REST_S: Final = 1.0
_SPEED: Final = 1800.0
_STEPS_AN_ORDER: Final = 8
_WORDS: Final = {
    "pushed": "callbacks pushed",
    "deliveries": "deliveries, with duplicates and retries",
    "acknowledged": "acknowledged with 200",
    "stored": "stored",
    "lost": "acknowledged and lost",
    "stored_twice": "stored twice",
    "trackings_fetched": "trackings fetched",
}


@app.command(rich_help_panel=RUN, epilog=examples("yizhan demo", "yizhan demo --orders 200 --json"))
def demo(
    orders: Annotated[int, typer.Option(min=1, help="How many orders live.")] = 20,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Keep the data there (default: a directory that is removed again)."),
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Append a JSON line for each acknowledged callback.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same orders.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run everything on a simulated platform for a while, then check the promise.

    Exits 0 only if every acknowledged callback was found in the stream, exactly once.
    """
    with refusing():
        writable_file("--journal", journal)
    log = LogSettings(level="error")
    configure_logs(log)

    async def main(stop: Stop) -> int:
        with contextlib.ExitStack() as stack:
            where = data_dir or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            settings = development.defaults(where).model_copy(update={"log": log})
            counts, found = await _demo(settings, stop, orders, journal, seed)
        code = _said(counts, found, as_json=as_json)
        return stop.code if stop.is_set() else code

    run(main)


async def _demo(
    settings: Settings, stop: asyncio.Event, orders: int, journal: Path | None, seed: int | None
) -> tuple[Counts, StoredCounts]:
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(bind(settings.receiver.host, settings.receiver.port))
        config = platform_config(
            settings,
            base_url(listener),
            seed=new_seed() if seed is None else seed,
            speed=_SPEED,
            duplicate_rate=0.1,
            disorder_rate=0.1,
            journal=journal,
        )
        progress = stack.enter_context(
            Progress(console=Console(stderr=True), transient=True, redirect_stdout=False)
        )
        bar = progress.add_task("pushing", total=orders * _STEPS_AN_ORDER)
        platform = await stack.enter_async_context(
            SimulatedPlatform(config, on_push=lambda _type, _ok: progress.advance(bar))
        )
        running = with_simulated_api(settings, platform)
        bus = await stack.enter_async_context(opened_bus(running, name="yizhan-demo"))
        await stack.enter_async_context(running_handlers(running, bus))
        await stack.enter_async_context(running_receiver(running, bus, listener))
        pushing = asyncio.create_task(platform.run(orders=orders), name="simulator")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({pushing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        interrupted = not pushing.done()
        await cancel_all({pushing, stopping}, patience_s=_END_S)
        if pushing.done() and not pushing.cancelled():
            pushing.result()
        if not interrupted:
            await _calm(bus)
        found = await count_stored(bus.connection, bus.subjects)
    return platform.counts, found


def _said(counts: Counts, found: StoredCounts, *, as_json: bool) -> int:
    """Print what was pushed and what is stored; the exit code."""
    verdict = Verdict.of(counts, found)
    if as_json:
        print_json({**_rows(counts, found, verdict), "events": dict(found.event_types)})
    else:
        Console().print(_table(counts, found, verdict))
    return verdict.exit_code


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the promise was kept: ids that were acknowledged and are not there, or there twice."""

    lost: Collection[str]
    twice: Collection[str]

    @classmethod
    def of(cls, counts: Counts, found: StoredCounts) -> Verdict:
        """Compare what was acknowledged to the platform with what the stream holds."""
        stored = found.callbacks
        acknowledged = counts.acknowledged_ids
        return cls(
            lost=[identity for identity in acknowledged if stored[identity] == 0],
            twice=[identity for identity, count in stored.items() if count > 1]
            + [event_id for event_id, count in found.events.items() if count > 1],
        )

    @property
    def exit_code(self) -> int:
        """0 where nothing was lost and nothing is there twice."""
        return 1 if self.lost or self.twice else 0


async def _calm(bus: Bus) -> None:
    """Wait until the handlers have looked at everything and rest, within reason.

    What a handler has put off for a minute is not waited for.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CALM_S):
            before: Sequence[tuple[int, ...]] | None = None
            while (now := await _progress(bus)) is None or now != before:
                before = now
                await asyncio.sleep(_REST_S)


async def _progress(bus: Bus) -> Sequence[tuple[int, ...]] | None:
    """How far each handler is; None while events have not reached their handlers yet."""
    try:
        consumers = await bus.connection.jetstream.consumers_info(bus.subjects.stream)
    except (NatsError, BusError):
        return None
    handlers = [info for info in consumers if info.name.startswith("handler-")]
    if any(info.num_pending for info in handlers):
        return None
    return [
        (
            info.delivered.consumer_seq if info.delivered else 0,
            info.ack_floor.consumer_seq if info.ack_floor else 0,
            info.num_ack_pending or 0,
        )
        for info in handlers
    ]


def _table(counts: Counts, found: StoredCounts, verdict: Verdict) -> Table:
    table = Table(title="yizhan demo", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    for name, count in _rows(counts, found, verdict).items():
        table.add_row(_WORDS[name], str(count))
    table.add_section()
    for event_type, count in _by_count(found.event_types):
        table.add_row(event_type, str(count))
    return table


def _rows(counts: Counts, found: StoredCounts, verdict: Verdict) -> Mapping[str, int]:
    return {
        "pushed": counts.pushed,
        "deliveries": counts.deliveries,
        "acknowledged": counts.acknowledged,
        "stored": sum(1 for count in found.callbacks.values() if count),
        "lost": len(verdict.lost),
        "stored_twice": len(verdict.twice),
        "trackings_fetched": found.event_types["logistics.tracked"],
    }


def _by_count(event_types: Counter[str]) -> list[tuple[str, int]]:
    return sorted(event_types.items(), key=lambda row: (-row[1], row[0]))
