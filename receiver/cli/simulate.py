"""`yizhan simulate`: play the platform towards a receiver that runs already."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from receiver.cli.app import RUN, ConfigOption, app, examples
from receiver.cli.configuration import load
from receiver.cli.options import http_url, not_empty, writable_file
from receiver.cli.process import Stop, refusing, run
from receiver.cli.simulation import faults_of, new_seed, platform_config
from receiver.resilience.cancellation import cancel_all
from receiver.simulator.faults import KINDS
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.pusher import Counts

_END_S: Final = 5.0


@app.command(
    rich_help_panel=RUN, epilog=examples("yizhan simulate", "yizhan simulate --orders 100 --json")
)
def simulate(
    config: ConfigOption = None,
    orders: Annotated[
        int | None, typer.Option(min=1, help="Stop after that many orders (default: go on).")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="The receiver's base URL (default: from the settings).", metavar="URL"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="The source to push to (default: the first with `simulated = true`)."),
    ] = None,
    interval_s: Annotated[
        float, typer.Option("--interval", min=0, help="Seconds between two orders.")
    ] = 1.0,
    step_s: Annotated[
        float, typer.Option("--step", min=0, help="Seconds between two callbacks of an order.")
    ] = 0.2,
    speed: Annotated[
        float,
        typer.Option(min=0.001, help="How much faster the half hour between two tries passes."),
    ] = 1.0,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share sent twice.")] = 0.05,
    disorder: Annotated[float, typer.Option(min=0, max=1, help="Share out of order.")] = 0.05,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same orders.")] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Append a JSON line for each acknowledged callback.")
    ] = None,
    api_faults: Annotated[
        str | None,
        typer.Option(
            help=f"Make calls of its API fail: KIND=SHARE@CALL, more after commas; share and call "
            f"may be left out. Kinds: {', '.join(KINDS)}.",
            metavar="FAULTS",
        ),
    ] = None,
    as_json: bool = typer.Option(False, "--json", help="Print a JSON document a line."),
) -> None:
    """Play the platform: push orders' lives to a running receiver, by the platform's rules.

    Its API is served meanwhile; the first line prints its URL. Exits 1 if a push was given up.
    """
    with refusing():
        given = None if url is None else http_url("--url", url)
        writable_file("--journal", journal)
        not_empty("--source", source, write="write the name of a source, or leave the option out")
        faults = faults_of(api_faults)
    (settings, _), speaking = load(config, quiet=True), _Speaking(as_json)

    async def main(stop: Stop) -> int:
        base = given or f"http://{settings.receiver.host}:{settings.receiver.port}"
        platform_settings = platform_config(
            settings,
            base,
            source=source,
            seed=new_seed() if seed is None else seed,
            speed=speed,
            duplicate_rate=duplicates,
            disorder_rate=disorder,
            step_s=step_s,
            interval_s=interval_s,
            journal=journal,
            api_faults=faults,
        )
        async with SimulatedPlatform(platform_settings, on_push=speaking.pushed) as platform:
            speaking.begun(platform.api_url, base)
            pushing = asyncio.create_task(platform.run(orders=orders), name="simulator")
            stopping = asyncio.create_task(stop.wait(), name="stop")
            await asyncio.wait({pushing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await cancel_all({pushing, stopping}, patience_s=_END_S)
            if pushing.done() and not pushing.cancelled():
                pushing.result()
            speaking.ended(platform.counts)
            if orders is not None and stop.is_set():
                return stop.code
            return 1 if platform.counts.given_up else 0

    run(main)


@dataclass(frozen=True, slots=True)
class _Speaking:
    """A line for each thing that happens."""

    as_json: bool

    def begun(self, api_url: str, base: str) -> None:
        self._say(f"api {api_url}  pushing to {base}", api_url=api_url, receiver_url=base)

    def pushed(self, message_type: str, acknowledged: bool) -> None:
        text = f"{'200   ' if acknowledged else 'GIVEN UP'}  {message_type}"
        self._say(text, message_type=message_type, acknowledged=acknowledged)

    def ended(self, counts: Counts) -> None:
        self._say(
            _summary(counts),
            pushed=counts.pushed,
            acknowledged=counts.acknowledged,
            given_up=counts.given_up,
            deliveries=counts.deliveries,
            timed_out=counts.timed_out,
            unreachable=counts.unreachable,
            refused={str(status): count for status, count in sorted(counts.refused.items())},
        )

    def _say(self, text: str, **document: Any) -> None:
        typer.echo(json.dumps(document, ensure_ascii=False) if self.as_json else text)


def _summary(counts: Counts) -> str:
    refused = ", ".join(f"{count} x {status}" for status, count in sorted(counts.refused.items()))
    return (
        f"pushed {counts.pushed}, acknowledged {counts.acknowledged}, given up {counts.given_up}; "
        f"{counts.deliveries} deliveries, {counts.timed_out} timed out, "
        f"{counts.unreachable} not connected, refused: {refused or 'none'}"
    )
