"""`yizhan dead list` and `show`: the letters that handlers left behind, by cause and one by one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from receiver.bus.read.filters import Filters
from receiver.cli.app import REPAIR, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import selecting
from receiver.cli.look.output import RevealOption, print_document, searching, sequence
from receiver.cli.options import not_empty
from receiver.cli.process import refusing, run
from receiver.cli.repair.dead_text import groups_text, letter_text
from receiver.composition.repair import opened_letters
from receiver.operations.look.snoozes import by_cause, snoozes
from receiver.operations.repair.letters import letter_view
from receiver.operations.selecting import OF_LETTERS

dead = typer.Typer(no_args_is_help=True, help="Dead letters: list, show, retry, drop, snooze.")
app.add_typer(dead, name="dead", rich_help_panel=REPAIR)

OneArgument = Annotated[
    str,
    typer.Argument(help="#SEQ as listed, or the id of its event.", metavar="ID|#SEQ"),
]


@dead.command(
    "list",
    epilog=examples(
        "yizhan dead list",
        "yizhan dead list --handler fetch_tracking --since 1d",
        "yizhan dead list --cause ValueError --json",
    ),
)
@selecting(*OF_LETTERS)
def list_letters(
    filters: Filters,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the causes of dead letters, with their number, the most frequent first.

    By --handler and --cause with a fingerprint it is quick; other filters look at every letter.
    """
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        async with opened_letters(settings) as letters:
            with searching("looking at dead letters") as progress:
                found = await letters.groups(filters, progress.scanned)
            held = by_cause(await snoozes(letters.reader, letters.subjects, datetime.now(UTC)))
            stream = letters.subjects.dead_stream
        document = {
            "causes": [
                {**one.report(), "snoozed": snooze.report() if snooze else None}
                for one in found
                for snooze in [held.get((one.handler, one.cause))]
            ]
        }
        commands = [f"nats stream subjects {stream}"]
        print_document(document, groups_text(document), commands, as_json=as_json)
        return 0

    run(main)


@dead.command(epilog=examples("yizhan dead show '#12'", "yizhan dead show '#12' --reveal --json"))
def show(
    which: OneArgument,
    config: ConfigOption = None,
    reveal: RevealOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a dead letter: why and where its handler failed, each attempt, and the event."""
    with refusing():
        not_empty("ID", which, write="write an id, or a sequence such as '#12'")
        seq = sequence(which)
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        async with opened_letters(settings) as letters:
            letter = await letters.one(which, seq)
            stream = letters.subjects.dead_stream
        document = letter_view(letter, reveal=reveal)
        commands = [f"nats stream get {stream} {letter.stream_seq}"]
        print_document(document, letter_text(document), commands, as_json=as_json)
        return 0

    run(main)
