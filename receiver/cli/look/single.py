"""`yizhan callback` and `yizhan event`: one of them, with what belongs to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from receiver.bus.message import StoredMessage
from receiver.bus.read.filters import Filters
from receiver.bus.read.reader import Scanned
from receiver.cli.app import LOOK, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import selecting
from receiver.cli.look.output import (
    RevealOption,
    local,
    print_document,
    searching,
    sequence,
)
from receiver.cli.look.single_text import callback_text, event_text
from receiver.cli.options import not_empty
from receiver.cli.process import refusing, run
from receiver.composition.archive import opened_archive
from receiver.errors import YizhanError
from receiver.operations.look.archive import Archive, searched_from
from receiver.operations.look.id_kinds import hint
from receiver.operations.look.single import (
    CALLBACKS,
    EVENTS,
    callback_view,
    event_view,
    stored_at,
)
from receiver.operations.selecting import OF_CALLBACKS, OF_EVENTS

IdArgument = Annotated[
    str, typer.Argument(help="The id, or #SEQ, its sequence in the stream.", metavar="ID|#SEQ")
]
Search = Callable[[str, Filters, Scanned], Awaitable[StoredMessage | None]]


@app.command(
    rich_help_panel=LOOK,
    epilog=examples(
        "yizhan callback 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --since 2h",
        "yizhan callback '#1200' --reveal",
    ),
)
@selecting(*OF_CALLBACKS)
def callback(
    filters: Filters,
    callback_id: IdArgument,
    config: ConfigOption = None,
    reveal: RevealOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a callback: how it came, what it holds, and the events that were made of it.

    An id of the last hours is known to NATS; for any other the callbacks of the last 24 hours are
    searched, or those since --since, the latest first. Exits 1 where it is not there.
    """
    with refusing():
        seq = _checked(callback_id)
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        async with opened_archive(settings) as archive:
            stored = await _found(archive, callback_id, seq, filters, archive.callback, CALLBACKS)
            document = await callback_view(archive, stored, reveal=reveal)
        commands = [f"nats stream get {archive.subjects.stream} {stored.stream_seq}"]
        print_document(document, callback_text(document), commands, as_json=as_json)
        return 0

    run(main)


@app.command(
    rich_help_panel=LOOK,
    epilog=examples(
        "yizhan event 0a1b2c3d4e5f60718293a4b5c6d7e8f9.0 --since 2h",
        "yizhan event 0a1b2c3d4e5f60718293a4b5c6d7e8f9.0 --order 2745812000123456789",
        "yizhan event '#1201' --json",
    ),
)
@selecting(*OF_EVENTS)
def event(
    filters: Filters,
    event_id: IdArgument,
    config: ConfigOption = None,
    reveal: RevealOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show an event: its attributes, its data, the bytes it came in, and who handled it.

    An id of the last hours is known to NATS; for any other the events of the last 24 hours are
    searched, or those since --since, the latest first; --order, --type and --channel make that
    quick. Exits 1 where it is not there.
    """
    with refusing():
        seq = _checked(event_id)
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        async with opened_archive(settings) as archive:
            stored = await _found(archive, event_id, seq, filters, archive.event, EVENTS)
            document = await event_view(archive, stored, reveal=reveal)
        commands = [f"nats stream get {archive.subjects.stream} {stored.stream_seq}"]
        print_document(document, event_text(document), commands, as_json=as_json)
        return 0

    run(main)


def _checked(text: str) -> int | None:
    not_empty("ID", text, write="write an id, or a sequence such as '#1200'")
    return sequence(text)


async def _found(
    archive: Archive,
    text: str,
    seq: int | None,
    filters: Filters,
    search: Search,
    kinds: tuple[str, ...],
) -> StoredMessage:
    """The message of a sequence or an id; raises `YizhanError` where it is not there."""
    if seq is not None:
        return await stored_at(archive, seq, kinds)
    with searching(f"searching for {text}") as progress:
        stored = await search(text, filters, progress.scanned)
    if stored is not None:
        return stored
    said = hint(text, tried=f"yizhan {kinds[0].removesuffix('s')}")
    since = local(searched_from(filters).isoformat())
    raise YizhanError(
        f"{text}: is not among the {progress.count:,} {kinds[0]} since {since}: "
        f"write an earlier --since{f'; {said}' if said else ''}"
    )
