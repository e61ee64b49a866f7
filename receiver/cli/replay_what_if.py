"""`yizhan what-if`: what today's code of a handler would do with stored events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
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
from receiver.cli.look.output import RevealOption, searching
from receiver.cli.process import EXIT_PARTLY, refusing, run
from receiver.cli.what_if_output import JsonOutput, Printing, Shown, checked_only, text_output
from receiver.composition.archive import opened_archive
from receiver.errors import ConfigurationError
from receiver.operations.look.archive import Archive
from receiver.operations.look.bodies import shown_data
from receiver.replay.what_if.answers import Recordings
from receiver.replay.what_if.guard import Guard, GuardedLoop, ProcessGuard
from receiver.replay.what_if.past import StreamPast
from receiver.replay.what_if.results import Summary, Verdict
from receiver.replay.what_if.what_if import what_if as compared
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers
from receiver.worker.execution import contain_subtasks
from receiver.worker.routing import Handler
from schemas.events import MODEL_OF_TYPE

_HANDLER: Final = "handler:"
_IMPORT_S: Final = 60.0
ToOption = Annotated[
    str,
    typer.Option("--to", help="The handler whose code is run.", metavar="handler:NAME"),
]
OnlyOption = Annotated[
    str | None,
    typer.Option("--only", help="Show these alone: differs, new, cannot_tell or same."),
]
RecordingsOption = Annotated[
    Path | None,
    typer.Option(
        "--recordings",
        help="A recording of calls, or a directory of some, to answer the API from.",
        metavar="DIR",
        show_default=False,
    ),
]


@app.command(
    "what-if",
    rich_help_panel=REPAIR,
    epilog=examples(
        "yizhan what-if --to handler:order_sync --since 24h",
        "yizhan what-if --to handler:order_sync --since 7d --only differs --json",
    ),
)
def what_if(
    to: ToOption,
    config: ConfigOption = None,
    since: SinceOption = "24h",
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
    """Run today's code of a handler on stored events, and compare with what it did then.

    Nothing is published, called, scheduled or kept. Exits 0 where every run is the same, 3 where
    one differs, is new or cannot be told.
    """
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
        shown = checked_only(only)
        answers = Recordings.of(recordings) if recordings else Recordings()
    settings = load_to_look(config)
    wish = _Wish(filters=filters, recordings=answers, only=shown, reveal=reveal, as_json=as_json)

    async def main(_: asyncio.Event) -> int:
        contain_subtasks(asyncio.get_running_loop())
        guard = ProcessGuard()
        with guard.running(_IMPORT_S):
            handler = _handler(to, settings)
        async with opened_archive(settings) as archive:
            summary = await _run(archive, handler, wish, settings, guard)
        return 0 if summary.all_same else EXIT_PARTLY

    run(main, loop_factory=GuardedLoop)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What is asked for."""

    filters: Filters
    recordings: Recordings
    only: Sequence[Verdict]
    reveal: bool
    as_json: bool

    def output(self, handler: Handler, shown: Shown) -> AbstractContextManager[Printing]:
        """How it is printed."""
        if not self.as_json:
            return text_output(f"{handler.name} ({handler.code_version})", self.only)
        head = {"handler": handler.name, "code_version": handler.code_version}
        return nullcontext(JsonOutput(head, self.only, shown, reveal=self.reveal))


def _handler(to: str, settings: Settings) -> Handler:
    handlers = configured_handlers(settings.handlers)
    name = to.removeprefix(_HANDLER)
    found = [handler for handler in handlers if handler.name == name]
    if not to.startswith(_HANDLER) or not found:
        known = ", ".join(handler.name for handler in handlers) or "none is loaded"
        raise ConfigurationError(f"--to {to}: write handler:NAME; there are: {known}")
    return found[0]


async def _taken(archive: Archive, handler: Handler) -> Sequence[str]:
    """The types that it takes today, and those that its consumer gives it until the deploy."""
    taken = [model.event_type for model in handler.models]
    for durable in await archive.durables():
        if durable.name == handler.durable:
            taken += [_type_of(subject) for subject in durable.filters]
    return [t for t in dict.fromkeys(taken) if t in MODEL_OF_TYPE]


def _type_of(subject: str) -> str:
    """`<domain>.<event>` of a filter of a consumer; empty for one that is of no events."""
    tokens = subject.split(".")
    return ".".join(tokens[3:5]) if tokens[1:2] == ["events"] else ""


async def _run(
    archive: Archive, handler: Handler, wish: _Wish, settings: Settings, guard: Guard
) -> Summary:
    wanted = selection.events(wish.filters, archive.subjects, await _taken(archive, handler))

    def shown(data: Any) -> Any:
        return shown_data(json.dumps(data).encode(), reveal=wish.reveal)

    summary = Summary()
    with searching("running") as search, wish.output(handler, shown) as printing:
        results = compared(
            archive.reader.read(wanted, scanned=search.scanned),
            handler,
            past=StreamPast(archive.connection, archive.subjects),
            subjects=archive.subjects,
            until=wish.filters.until or datetime.now(UTC),
            recorded=wish.recordings.sender(settings.api),
            guard=guard,
            shown=shown,
            texts=settings.log.errors == "full",
            kept=timedelta(days=settings.nats.max_age_days),
        )
        async with aclosing(results) as runs:
            async for result in runs:
                summary.add(result)
                printing.add(result)
        printing.end(summary)
    return summary
