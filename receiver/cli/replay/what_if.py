"""`yizhan replay what-if`: what today's code of a handler would do with stored events."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from receiver.bus.read.filters import Filters
from receiver.cli.app import ConfigOption, JsonOption, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import selecting
from receiver.cli.look.output import RevealOption
from receiver.cli.process import EXIT_PARTLY, refusing, run
from receiver.cli.replay.group import replay
from receiver.operations.selecting import OF_EVENTS
from receiver.replay.what_if.guard import GuardedLoop

HandlerOption = Annotated[
    str, typer.Option("--to", help="The handler whose code is run.", metavar="handler:NAME")
]
OnlyOption = Annotated[
    str | None,
    typer.Option(
        "--only",
        help="Show these runs alone: differs, cannot_tell, new or same.",
        show_default=False,
    ),
]
RecordingsOption = Annotated[
    Path | None,
    typer.Option(
        "--recordings",
        help="A recording of calls, or a directory of some, to answer the API from.",
        metavar="PATH",
        show_default=False,
    ),
]


@replay.command(
    "what-if",
    epilog=examples(
        "yizhan replay what-if --to handler:order_sync",
        "yizhan replay what-if --to handler:order_sync --since 7d --only differs --json",
        "yizhan replay what-if --to handler:order_sync --order 2745812000123456789 --reveal",
    ),
)
@selecting(*OF_EVENTS, "limit")
def what_if(
    context: typer.Context,
    to: HandlerOption,
    filters: Filters,
    config: ConfigOption = None,
    recordings: RecordingsOption = None,
    only: OnlyOption = None,
    reveal: RevealOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run today's code of a handler on stored events, and compare it with what was done then.

    Nothing is published, sent, scheduled or kept. Takes the last 24 hours, or all of an order,
    unless --since says.

    Exits 0 where every run does what it did then, 3 where one differs, is new or undecided.
    """
    from receiver.cli.replay.what_if_run import Wish, compare  # the API's models load slowly

    with refusing():
        wish = Wish.of(to, filters, recordings, only, reveal=reveal, as_json=as_json)
    settings = load_to_look(config or context.obj)

    async def main(_: asyncio.Event) -> int:
        summary = await compare(wish, settings)
        return 0 if summary.all_same else EXIT_PARTLY

    run(main, loop_factory=GuardedLoop)
