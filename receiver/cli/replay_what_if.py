"""`yizhan what-if`: what today's code of a handler would do with stored events."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from receiver.cli.app import REPAIR, ConfigOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import (
    ChannelOption,
    LimitOption,
    OrderOption,
    OriginOption,
    SinceOption,
    SourceOption,
    TypeOption,
    UntilOption,
    chosen,
)
from receiver.cli.look.output import RevealOption
from receiver.cli.process import EXIT_PARTLY, refusing, run
from receiver.replay.what_if.guard import GuardedLoop

ToOption = Annotated[
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


@app.command(
    "what-if",
    rich_help_panel=REPAIR,
    epilog=examples(
        "yizhan what-if --to handler:order_sync",
        "yizhan what-if --to handler:order_sync --since 7d --only differs --json",
        "yizhan what-if --to handler:order_sync --order 2745812000123456789 --reveal",
    ),
)
def what_if(
    to: ToOption,
    config: ConfigOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    event_type: TypeOption = None,
    channel: ChannelOption = None,
    order: OrderOption = None,
    source: SourceOption = None,
    origin: OriginOption = None,
    limit: LimitOption = None,
    recordings: RecordingsOption = None,
    only: OnlyOption = None,
    reveal: RevealOption = False,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Run today's code of a handler on stored events, and compare it with what was done then.

    Nothing is published, sent, scheduled or kept. Takes the last 24 hours, or all of an order,
    unless --since says.

    Exits 0 where every run does what it did then, 3 where one differs, is new or cannot be told.
    """
    from receiver.cli.what_if_run import Wish, compare  # the models of the API load slowly

    with refusing():
        filters = chosen(
            since=since,
            until=until,
            event_type=event_type,
            channel=channel,
            order_id=order,
            source=source,
            origin=origin,
            limit=limit,
        )
        wish = Wish.of(to, filters, recordings, only, reveal=reveal, as_json=as_json)
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        summary = await compare(wish, settings)
        return 0 if summary.all_same else EXIT_PARTLY

    run(main, loop_factory=GuardedLoop)
