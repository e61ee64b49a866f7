"""`yizhan spool`: what was promised while NATS was away; list it, drain it, export it."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from receiver.bus.message import OutgoingMessage
from receiver.cli.app import REPAIR, ConfigOption, app
from receiver.cli.configuration import load_to_look
from receiver.cli.process import EXIT_FAILED, run
from receiver.composition.bus import opened_bus
from receiver.composition.spool import opened_spool, ready_drainer
from receiver.errors import ConfigurationError
from receiver.private_files import open_private
from receiver.settings import Settings
from receiver.spool.file import SpoolState
from receiver.spool.queue import Spool
from receiver.spool.row import SpooledBundle


@app.command(rich_help_panel=REPAIR)
def spool(
    config: ConfigOption = None,
    drain: Annotated[
        bool, typer.Option("--drain", help="Publish it to NATS now; a running receiver does so.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Write every message, exact bytes as base64, to FILE."),
    ] = None,
) -> None:
    """List what waits on our own disk for NATS: how many callbacks, since when, from whom.

    An export leaves the spool as it is. Exits 1 if a drain left something.
    """
    settings = load_to_look(config, spool=True)

    async def main(_: asyncio.Event) -> int:
        async with opened_spool(settings) as opened:
            if not opened.path.exists():
                typer.echo(f"nothing is spooled ({opened.path} does not exist)")
                return 0
            if export is not None:
                await _export(opened, export)
            if drain:
                await _drain(settings, opened)
            state = await opened.state()
            _report(opened, state)
        return EXIT_FAILED if drain and state.depth else 0

    run(main)


def _report(spool: Spool, state: SpoolState) -> None:
    if not state.depth:
        typer.echo(f"nothing is spooled in {spool.path}")
        return
    typer.echo(
        f"{state.depth} callbacks in {spool.path}, {state.size_bytes} bytes, "
        f"the oldest for {state.oldest_age_s:.0f} s"
    )
    for source, count in sorted(state.by_source.items()):
        typer.echo(f"  {source}  {count}")


async def _drain(settings: Settings, spool: Spool) -> None:
    async with (
        opened_bus(settings, name="yizhan-spool") as bus,
        ready_drainer(settings, bus, spool) as drainer,
    ):
        typer.echo(f"{await drainer.drain()} callbacks stored in {bus.subjects.stream}")


async def _export(spool: Spool, file: Path) -> None:
    """JSON lines, oldest first; raises `ConfigurationError` where the file cannot be written."""
    count = row = 0
    try:
        with open_private(file) as lines:
            while bundles := await spool.read(after=row):
                row = bundles[-1].row
                count += len(bundles)
                lines.writelines(f"{json.dumps(_line(bundle))}\n" for bundle in bundles)
    except OSError as error:
        raise ConfigurationError(
            f"--export {file}: cannot be written: {error.strerror}: name a new file"
        ) from error
    typer.echo(f"{count} callbacks written to {file}")


def _line(spooled: SpooledBundle) -> dict[str, Any]:
    bundle = spooled.bundle
    return {
        "callback_id": bundle.id,
        "source": bundle.source,
        "spooled_at": datetime.fromtimestamp(spooled.spooled_at, UTC).isoformat(),
        "messages": [_message(message) for message in bundle.messages],
        "guard": None if bundle.claim is None else _message(bundle.claim),
    }


def _message(message: OutgoingMessage) -> dict[str, Any]:
    return {
        "nats_subject": message.subject,
        "headers": dict(message.headers),
        "body_base64": base64.b64encode(message.body).decode(),
    }
