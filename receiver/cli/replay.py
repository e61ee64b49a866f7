"""`yizhan replay`: re-run stored events, to a handler, to subjects or to a file."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from receiver.bus.audit_stream import audit_rights
from receiver.bus.read.history import opened_history
from receiver.bus.subjects import Subjects
from receiver.cli.acting import ByOption, who
from receiver.cli.app import REPAIR, ConfigOption, app
from receiver.cli.configuration import load_to_look
from receiver.cli.options import not_empty, option, time_range
from receiver.cli.process import EXIT_FAILED, refusing, run
from receiver.composition.api import opened_api
from receiver.composition.bus import Bus, opened_bus
from receiver.composition.tracing import traced
from receiver.errors import ConfigurationError, YizhanError
from receiver.operations.audit_trail import Act, AuditTrail, words_of
from receiver.replay.replay import Sink, Summary
from receiver.replay.replay import replay as run_replay
from receiver.replay.selection import Selection
from receiver.replay.sinks.file import FileSink
from receiver.replay.sinks.handler import HandlerSink
from receiver.replay.sinks.subject import SubjectSink
from receiver.resilience.cancellation import cancel_all
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers
from receiver.worker.routing import Handler

_HANDLER: Final = "handler:"
_SUBJECT: Final = "subject:"
_END_S: Final = 5.0


@app.command(rich_help_panel=REPAIR)
def replay(
    to: Annotated[
        str,
        typer.Option(
            help="handler:NAME runs a handler, subject:PREFIX publishes below a prefix, "
            "anything else is a FILE of JSON lines (- is standard output).",
            metavar="handler:NAME|subject:PREFIX|FILE",
        ),
    ],
    config: ConfigOption = None,
    since: Annotated[
        str, typer.Option(help="From when on: an age (30m, 2h, 7d) or an RFC 3339 time.")
    ] = "1h",
    until: Annotated[str | None, typer.Option(help="Up to when; as --since.")] = None,
    event_type: Annotated[
        str | None,
        typer.Option("--type", help="Only a type (payment.succeeded) or a domain (payment)."),
    ] = None,
    order: Annotated[str | None, typer.Option(help="Only an order, by its id.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    by: ByOption = None,
) -> None:
    """Re-run stored events. Moves no handler's own position and stores nothing a second time.

    Exits 1 if an event failed.
    """
    with refusing():
        _check_target(to)
        not_empty("--order", order, write="write the order's id, or leave the option out")
        not_empty("--type", event_type, write="write one such as payment, or leave the option out")
        first, last = time_range(since, until, datetime.now(UTC))
        operator = who(by)
    settings = load_to_look(config)

    async def main(stop: asyncio.Event) -> int:
        selection = Selection(
            since=first,
            until=last,
            event_type=event_type,
            order_id=order,
            among=_taken_by(to, settings),
        )
        _check(selection, to, settings, force=force)
        rights = tuple(audit_rights(Subjects(settings.nats.subject_root)))
        async with opened_bus(settings, name="yizhan-replay", rights=rights) as bus:
            bus.connection.client  # noqa: B018 - say now that NATS is away
            if dry_run:
                typer.echo(f"{await _count(bus, selection)} events selected")
                return 0
            async with _sink(to, settings, bus, force=force) as sink:
                trail = AuditTrail(bus.connection, bus.subjects, operator)
                words = words_of(selection.filters)
                async with trail.act("replay", target=to, filters=words) as act:
                    return await _run(bus, selection, sink, stop, act)

    run(main)


def _check_target(to: str) -> None:
    not_empty(
        "--to", to, write="write handler:NAME, subject:PREFIX, a FILE, or - (standard output)"
    )
    if to in {_HANDLER, _SUBJECT}:
        what = "NAME" if to == _HANDLER else "PREFIX"
        raise ConfigurationError(f"--to {to}: says no {what.lower()}: write {to}{what}")


def _check(selection: Selection, to: str, settings: Settings, *, force: bool) -> None:
    """What can be known before a server is asked, or started."""
    root = settings.nats.subject_root
    with option("--type"):
        selection.span(Subjects(root))
    with option("--to"):
        if to.startswith(_SUBJECT):
            SubjectSink.check_prefix(to.removeprefix(_SUBJECT), root)
        elif not to.startswith(_HANDLER):
            FileSink(Path(to), stdout=sys.stdout, force=force).check()


def _taken_by(to: str, settings: Settings) -> Sequence[str]:
    """The event types of the handler named; none where it goes elsewhere."""
    if not to.startswith(_HANDLER):
        return ()
    handler = _handler(to.removeprefix(_HANDLER), configured_handlers(settings.handlers))
    return [model.event_type for model in handler.models]


async def _count(bus: Bus, selection: Selection) -> int:
    span = selection.span(bus.subjects)
    stream = bus.subjects.stream
    async with opened_history(bus.connection, stream, span, headers_only=True) as history:
        return history.count


async def _run(bus: Bus, selection: Selection, sink: Sink, stop: asyncio.Event, act: Act) -> int:
    console = Console(stderr=True)
    summary = Summary()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task("replaying", total=None)

        def report(so_far: Summary) -> None:
            if so_far.done == 0:
                console.print(f"{so_far.selected} events selected")
            bar.update(row, total=so_far.selected, completed=so_far.done)

        replaying = asyncio.create_task(
            run_replay(
                bus.connection, bus.subjects, selection, sink, summary=summary, progress=report
            )
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({replaying, stopping}, return_when=asyncio.FIRST_COMPLETED)
        interrupted = not replaying.done()
        await cancel_all({replaying, stopping}, patience_s=_END_S)
        act.numbers |= summary.numbers
        if replaying.done() and not replaying.cancelled():
            replaying.result()
    if summary.failed or summary.undecodable:
        act.outcome = "partly"
    sys.stdout.flush()  # the events before the summary, also where both go into one pipe
    console.print(
        f"{summary.delivered} delivered, {summary.failed} failed, "
        f"{summary.undecodable} not decodable, of {summary.selected} selected, "
        f"in {summary.duration_s:.1f} s"
    )
    for failure in summary.failures:
        console.print(f"  {failure}", markup=False)
    if interrupted:  # an error, so that the sink does not take the part for the whole
        raise YizhanError("the replay was interrupted")
    return EXIT_FAILED if summary.failed else 0


@contextlib.asynccontextmanager
async def _sink(to: str, settings: Settings, bus: Bus, *, force: bool) -> AsyncIterator[Sink]:
    if to.startswith(_HANDLER):
        handler = _handler(to.removeprefix(_HANDLER), configured_handlers(settings.handlers))
        if handler.off:
            raise ConfigurationError(f"the handler {handler.name} is off: {handler.off}")
        if settings.api is None and handler.needs_api:
            raise ConfigurationError(
                f"the handler {handler.name} needs the platform's API: add an [api] section"
            )
        tracing = traced(settings, service="yizhan-replay", deadline=bus.deadline)
        async with tracing as tracer, opened_api(settings, bus) as opened:
            api = opened.with_priority("replay") if opened else None
            kept = timedelta(days=settings.nats.max_age_days)
            to_bus = (bus.publisher, bus.connection, bus.subjects)
            sink = HandlerSink.of(handler, *to_bus, api=api, kept=kept, tracer=tracer)
            yield sink
            await sink.close()
    elif to.startswith(_SUBJECT):
        subject_sink = SubjectSink(bus.connection, bus.subjects, to.removeprefix(_SUBJECT))
        with option("--to"):
            await subject_sink.check()
        yield subject_sink
        await subject_sink.close()
    else:
        file_sink = FileSink(Path(to), stdout=sys.stdout, force=force)
        with contextlib.ExitStack() as stack:
            with option("--to"):
                stack.enter_context(file_sink)
            yield file_sink


def _handler(name: str, handlers: Sequence[Handler]) -> Handler:
    """By its own name, or by its module's where that holds one handler: `tracking`."""
    of_module = [h for h in handlers if h.function.__module__.rpartition(".")[2] == name]
    exact = [h for h in handlers if h.name == name]
    found = exact or of_module
    if len(found) == 1:
        return found[0]
    known = ", ".join(h.name for h in handlers) or "none is loaded"
    raise ConfigurationError(f"--to handler:{name}: no such handler; there are: {known}")
