"""`yizhan quarantine list` and `show`: callbacks that could not be read, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from receiver.bus.read.filters import Filters
from receiver.cli.app import REPAIR, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import selecting
from receiver.cli.look.output import (
    RevealOption,
    local,
    print_document,
    searching,
    sequence,
    strong,
)
from receiver.cli.look.single_text import callback_text
from receiver.cli.options import not_empty
from receiver.cli.process import refusing, run
from receiver.composition.repair import opened_quarantine
from receiver.operations.look.documents import callback_document
from receiver.operations.selecting import OF_CALLBACKS

quarantine = typer.Typer(no_args_is_help=True, help="Callbacks that could not be read.")
app.add_typer(quarantine, name="quarantine", rich_help_panel=REPAIR)

OneArgument = Annotated[
    str, typer.Argument(help="#SEQ as listed, or the id of the callback.", metavar="ID|#SEQ")
]


@quarantine.command(
    "list", epilog=examples("yizhan quarantine list", "yizhan quarantine list --since 1d --json")
)
@selecting(*OF_CALLBACKS)
def list_quarantine(
    filters: Filters,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List callbacks in quarantine by source and reason, with their number."""
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        async with opened_quarantine(settings) as found:
            with searching("looking at the quarantine") as progress:
                groups = await found.groups(filters, progress.scanned)
            document = {
                "reasons": [group.report() for group in groups],
                "unknown_type": await found.unknown(filters),
            }
            subject, stream = (
                found.subjects.quarantine(filters.source or "*"),
                found.subjects.stream,
            )
        commands = [f"nats stream view {stream} --subject='{subject}'"]
        print_document(document, _groups_text(document), commands, as_json=as_json)
        return 0

    run(main)


@quarantine.command(
    epilog=examples("yizhan quarantine show '#1200'", "yizhan quarantine show '#1200' --reveal")
)
def show(
    which: OneArgument,
    config: ConfigOption = None,
    reveal: RevealOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a callback in quarantine: why it could not be read, how it came, and what it holds.

    Its bytes hold whatever was sent, so they are shown with --reveal only; without it JSON and
    forms are shown with personal data masked, anything else not at all.
    """
    with refusing():
        not_empty("ID", which, write="write an id, or a sequence such as '#1200'")
        seq = sequence(which)
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        async with opened_quarantine(settings) as found:
            stored = await found.one(which, seq)
            subjects = found.subjects
        document = {"callback": callback_document(stored, subjects, reveal=reveal), "events": []}
        commands = [f"nats stream get {subjects.stream} {stored.stream_seq}"]
        print_document(document, callback_text(document), commands, as_json=as_json)
        return 0

    run(main)


def _groups_text(document: Mapping[str, Any]) -> Iterator[str]:
    groups, unknown = document["reasons"], document["unknown_type"]
    total = sum(group["count"] for group in groups)
    yield f"{total:,} callbacks in quarantine" if total else "nothing is in quarantine"
    for group in groups:
        place = f" at {group['place']}" if group["place"] else ""
        yield strong(f"{group['source']}  {group['reason'] or 'no reason is given'}{place}")
        yield (
            f"  {group['count']:,}, first {local(group['first_at'])}, last "
            f"{local(group['last_at'])}: yizhan quarantine show '#{group['newest_seq']}'"
        )
    if unknown:
        yield (
            f"{unknown:,} callbacks of a type that was not known: "
            "yizhan quarantine reparse --unknown --dry-run"
        )
