"""`yizhan order`: the life of an order on one screen."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.cli.app import LOOK, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import selecting
from receiver.cli.look.order_text import life_text
from receiver.cli.look.output import RevealOption, local, print_document, searching
from receiver.cli.options import not_empty
from receiver.cli.process import EXIT_PARTLY, refusing, run
from receiver.composition.archive import opened_archive
from receiver.errors import YizhanError
from receiver.operations.look.archive import Archive, Mention, searched_from
from receiver.operations.look.id_kinds import hint
from receiver.operations.look.numbers import MAX_ORDERS, indexed, why_not_indexed
from receiver.operations.look.order_life import order_life
from receiver.operations.selecting import past_time


@app.command(
    rich_help_panel=LOOK,
    epilog=examples(
        "yizhan order 2745812000123456789",
        "yizhan order 2745812000123456789 --at 2026-01-31T08:00:00+08:00",
        "yizhan order SF1234567890123 --since 7d --type logistics",
        "yizhan order 2745812000123456789 --json",
    ),
)
@selecting("since", "type", "channel", "limit")
def order(
    filters: Filters,
    order_id: Annotated[
        str,
        typer.Argument(
            help="The platform's order id, or another number of it: your own, a waybill's, a "
            "refund's.",
            metavar="ID",
        ),
    ],
    config: ConfigOption = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="As it was then: an age, a date or an RFC 3339 time."),
    ] = None,
    reveal: RevealOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what happened to an order: callbacks, events, runs of handlers, what waits.

    An order id is found by its subject, however old it is; an own number, a waybill's or a refund's
    by the index that handlers keep. What is not in it is searched for in the events of the last 24
    hours, those since --since, or of --type alone.
    Exits 1 where nothing is found, 3 where a part of the answer could not be read.
    """
    with refusing():
        not_empty("ID", order_id, write="write the id of an order, or another number of it")
        until = None if at is None else past_time("--at", at, datetime.now(UTC))
        of_order = replace(filters, order_id=order_id, until=until)
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        async with opened_archive(settings) as archive:
            return await _show(archive, of_order, reveal=reveal, as_json=as_json)

    run(main)


async def _show(archive: Archive, filters: Filters, *, reveal: bool, as_json: bool) -> int:
    life = await _life(archive, filters, reveal=reveal)
    if life is None:
        mentions, why = await _mentions(archive, filters)
        if len(mentions) > 1 or mentions[0].order_id is None:
            _list(mentions, filters, as_json=as_json)
            _note(why)
            return 0
        (found,) = mentions
        filters = replace(
            filters, order_id=found.order_id, channel=found.channel, since=None, event_type=None
        )
        life = await _life(archive, filters, reveal=reveal)
        if life is None:
            raise YizhanError(
                f"the events of the order {found.order_id} are gone: what is kept of it shows "
                f"yizhan state show {found.order_id}"
            )
        life["found_by"] = {"field": found.field, "stream_seq": found.stream_seq}
        _note(why)
    selected = selection.events(filters, archive.subjects)
    commands = selected.nats_commands(datetime.now(UTC))
    print_document(life, life_text(life), commands, as_json=as_json)
    return EXIT_PARTLY if life["missing"] else 0


async def _life(archive: Archive, filters: Filters, *, reveal: bool) -> dict[str, Any] | None:
    with searching(f"reading {filters.order_id}") as search:
        return await order_life(archive, filters, reveal=reveal, scanned=search.scanned)


async def _mentions(archive: Archive, filters: Filters) -> tuple[list[Mention], str]:
    """The orders that have the number; why the index did not have it, where they were searched for.
    Raises `YizhanError` where there is none.
    """
    text = filters.order_id or ""
    if found := await indexed(archive, text, filters.channel):
        return found, ""
    why = f"{text} is not in the index of numbers: {await why_not_indexed(archive)}"
    with searching(f"{why}. Searching") as search:
        elsewhere = replace(filters, order_id=None, limit=None)
        found = await archive.mentions(text, elsewhere, search.scanned)
    if found:
        return found, why
    said = hint(text, tried="yizhan order")
    raise YizhanError(
        f"{text}: no order of this id, and none of the {search.count:,} events since "
        f"{local(searched_from(filters).isoformat())} names it: write an earlier --since"
        f"{f'; {said}' if said else ''}; {why}"
    )


def _note(why: str) -> None:
    if why:
        typer.echo(f"yizhan: found by searching; {why}", err=True)


def _list(mentions: list[Mention], filters: Filters, *, as_json: bool) -> None:
    orders: list[dict[str, Any]] = [
        {
            "order_id": mention.order_id,
            "channel": mention.channel,
            "field": mention.field,
            "stream_seq": mention.stream_seq,
        }
        for mention in mentions
    ]
    more = " or more" if len(orders) >= MAX_ORDERS else ""
    lines = [f"{filters.order_id} is in events of {len(orders):,} orders{more}:"]
    for one in orders:
        where = "" if one["stream_seq"] is None else f" of #{one['stream_seq']}"
        lines.append(f"  yizhan order {one['order_id']}  ({one['channel']}, {one['field']}{where})")
    print_document({"orders": orders}, lines, (), as_json=as_json)
