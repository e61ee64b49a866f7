"""`yizhan spool`: what was promised while NATS was away; list it, drain it, export it."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from receiver.bus.message import OutgoingMessage
from receiver.bus.subjects import Subjects
from receiver.cli.app import REPAIR, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.desk import Desk
from receiver.cli.look.output import searching
from receiver.cli.process import EXIT_FAILED, if_stopped, run
from receiver.composition.bus import opened_bus
from receiver.composition.spool import opened_spool, ready_drainer
from receiver.errors import ConfigurationError
from receiver.private_files import open_private
from receiver.settings import Settings
from receiver.spool.file import SpoolState
from receiver.spool.queue import Spool
from receiver.spool.row import SpooledBundle

_LEFT: Final = "what is not stored yet is still in the spool: give the same command again"
_NOTHING: Final = SpoolState(0, 0.0, 0)


@app.command(
    rich_help_panel=REPAIR,
    epilog=examples("yizhan spool", "yizhan spool --drain", "yizhan spool --export kept.jsonl"),
)
def spool(
    config: ConfigOption = None,
    drain: Annotated[
        bool, typer.Option("--drain", help="Publish it to NATS now; a running receiver does so.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Write every message, exact bytes as base64, to FILE."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what waits on our own disk for NATS: how many callbacks, since when, from whom.

    An export leaves the spool as it is. Exits 1 if a drain left something.
    """
    settings, desk = load_to_look(config, spool=True), Desk(True, as_json)

    async def main(_: asyncio.Event) -> int:
        done: dict[str, Any] = {}
        async with opened_spool(settings) as opened:
            is_there = opened.path.exists()
            if is_there and export is not None:
                done["exported"] = await _export(opened, export)
                desk.say(f"{done['exported']} callbacks written to {export}")
            if is_there and drain:
                done["stored"] = await _drain(settings, opened)
                stream = Subjects(settings.nats.subject_root).stream
                desk.say(f"{done['stored']} callbacks stored in {stream}")
            state = await opened.state() if is_there else _NOTHING
            desk.done(_text(opened.path, state), **_document(opened.path, state), **done)
        return EXIT_FAILED if drain and state.depth else 0

    run(main)


def _text(path: Path, state: SpoolState) -> str:
    if not path.exists():
        return f"nothing is spooled ({path} does not exist)"
    if not state.depth:
        return f"nothing is spooled in {path}"
    lines = [
        f"{state.depth} callbacks in {path}, {state.size_bytes} bytes, "
        f"the oldest for {state.oldest_age_s:.0f} s"
    ]
    lines += [f"  {source}  {count}" for source, count in sorted(state.by_source.items())]
    return "\n".join(lines)


def _document(path: Path, state: SpoolState) -> dict[str, Any]:
    return {
        "file": str(path),
        "callbacks": state.depth,
        "size_bytes": state.size_bytes,
        "oldest_age_s": round(state.oldest_age_s, 3),
        "sources": dict(sorted(state.by_source.items())),
    }


async def _drain(settings: Settings, spool: Spool) -> int:
    async with (
        opened_bus(settings, name="yizhan-spool") as bus,
        ready_drainer(settings, bus, spool) as drainer,
    ):
        with searching("storing what is spooled"), if_stopped(_LEFT):
            return await drainer.drain()


async def _export(spool: Spool, file: Path) -> int:
    """JSON lines, oldest first; raises `ConfigurationError` where the file cannot be written."""
    count = row = 0
    try:
        with open_private(file) as lines, searching("writing", "{:,} callbacks") as progress:
            while bundles := await spool.read(after=row):
                row = bundles[-1].row
                count += len(bundles)
                progress.scanned(count)
                lines.writelines(f"{json.dumps(_line(bundle))}\n" for bundle in bundles)
    except OSError as error:
        raise ConfigurationError(
            f"--export {file}: cannot be written: {error.strerror}: name a new file"
        ) from error
    return count


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
