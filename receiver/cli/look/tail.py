"""`yizhan tail`: events as they are stored, one line each."""

from __future__ import annotations

import asyncio
import json
import shlex
from contextlib import aclosing
from dataclasses import replace

import typer

from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.cli.app import LOOK, ConfigOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import selecting
from receiver.cli.look.order_text import event_line
from receiver.cli.look.output import RevealOption, print_nats
from receiver.cli.process import run
from receiver.composition.archive import opened_archive
from receiver.operations.look.documents import event_document
from receiver.operations.look.tail import follow


@app.command(
    rich_help_panel=LOOK,
    epilog=examples(
        "yizhan tail",
        "yizhan tail --since 10m --type logistics",
        "yizhan tail --order 2745812000123456789 --json",
        "yizhan tail --source pandapon --limit 1",
    ),
)
@selecting("since", "type", "channel", "order", "source", "fact", "origin", "limit")
def tail(
    filters: Filters,
    config: ConfigOption = None,
    reveal: RevealOption = False,
    as_json: bool = typer.Option(False, "--json", help="Print a JSON document a line."),
) -> None:
    """Show events as they are stored, one line each, until it is stopped or --limit is reached.

    With --since those that are stored already come first. A restart of NATS leaves no gap.
    """
    left = filters.limit
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        count = 0
        async with opened_archive(settings) as archive:
            wanted = selection.events(replace(filters, limit=None), archive.subjects)
            print_nats([f"nats sub {shlex.quote(subject)}" for subject in wanted.nats_subjects])
            async with aclosing(follow(archive.reader, wanted)) as events:
                async for stored in events:
                    typer.echo(_line(stored, reveal=reveal, as_json=as_json))
                    count += 1
                    if count == left:
                        break
        return 0

    run(main, stays=True)


def _line(stored: StoredMessage, *, reveal: bool, as_json: bool) -> str:
    document = event_document(stored, reveal=reveal)
    if as_json:
        return json.dumps(document, ensure_ascii=False)
    return event_line(document)
