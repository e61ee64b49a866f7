"""`yizhan handlers`: what runs, how far it is, and pause, resume, rewind, forget."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from receiver.bus.durables import FOR_GOOD
from receiver.bus.subjects import Subjects
from receiver.cli import completion, nats_tool
from receiver.cli.acting import ByOption, checked_reason, who
from receiver.cli.app import REPAIR, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.desk import Desk
from receiver.cli.handlers_text import handler_text
from receiver.cli.look.output import print_document, searching
from receiver.cli.options import YesOption, check_can_ask
from receiver.cli.process import EXIT_FAILED, if_stopped, refusing, run
from receiver.composition.operations import opened_operations
from receiver.errors import ConfigurationError
from receiver.operations.handler_report import handler_report
from receiver.operations.handlers import HandlerOperations, rewind_text
from receiver.operations.selecting import past_place
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers
from receiver.worker.routing import Handler

handlers = typer.Typer()
app.add_typer(handlers, name="handlers", rich_help_panel=REPAIR)

NameArgument = Annotated[
    str,
    typer.Argument(help="The handler's name.", metavar="NAME", autocompletion=completion.handlers),
]
Act = Callable[[HandlerOperations], Awaitable[int]]


@handlers.callback(
    invoke_without_command=True,
    epilog=examples(
        "yizhan handlers",
        "yizhan handlers --json",
        'yizhan handlers pause fetch_tracking --reason "the API is down"',
        "yizhan handlers resume fetch_tracking",
        "yizhan handlers rewind fetch_tracking --to 2h",
    ),
)
def list_handlers(
    context: typer.Context,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the handlers: from where, on which events, how far, and what waits.

    Works beside a running worker and without one.
    """
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    settings = load_to_look(config)
    loaded, fault = _loaded(settings)

    async def act(operations: HandlerOperations) -> int:
        now = datetime.now(UTC)
        with searching("asking for the handlers"):
            reports = [handler_report(view, now) for view in await operations.look()]
        lines = map(handler_text, reports) if reports else ["no handler is loaded or stored"]
        commands = [f"nats consumer report {_subjects(settings).stream}"]
        print_document({"handlers": reports}, lines, commands, as_json=as_json)
        return EXIT_FAILED if fault else 0

    if fault:
        typer.echo(f"yizhan: {fault}", err=True)
    _operate(settings, loaded, act)


@handlers.command(
    epilog=examples(
        'yizhan handlers pause fetch_tracking --reason "the API is down"',
    )
)
def pause(
    context: typer.Context,
    name: NameArgument,
    reason: Annotated[str, typer.Option(help="Why; `yizhan handlers` and `check` show it.")],
    config: ConfigOption = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a handler no more events, until `resume`; what it runs now, it finishes."""
    with refusing():
        reason = checked_reason(reason, write="say why, for whoever finds it paused")
        operator = who(by)
    settings, desk = load_to_look(config or context.obj), Desk(True, as_json)

    async def act(operations: HandlerOperations) -> int:
        now = datetime.now(UTC)
        await operations.pause(name, reason=reason, by=operator, now=now)
        text = f"{name} is paused; to go on: yizhan handlers resume {name}"
        until = f"{now + FOR_GOOD:%Y-%m-%d %H:%M:%S}"
        command = nats_tool.consumer("pause", _subjects(settings), name, until)
        desk.done(text, [command], handler=name, paused=True, reason=reason, by=operator)
        return 0

    _operate(settings, _loaded(settings)[0], act)


@handlers.command(
    epilog=examples(
        "yizhan handlers resume fetch_tracking",
    )
)
def resume(
    context: typer.Context,
    name: NameArgument,
    config: ConfigOption = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a paused handler go on where it stands."""
    with refusing():
        operator = who(by)
    settings, desk = load_to_look(config or context.obj), Desk(True, as_json)

    async def act(operations: HandlerOperations) -> int:
        was_paused = await operations.resume(name, by=operator)
        text = f"{name} goes on" if was_paused else f"{name} was not paused"
        command = nats_tool.consumer("resume", _subjects(settings), name)
        desk.done(text, [command], handler=name, was_paused=was_paused)
        return 0

    _operate(settings, _loaded(settings)[0], act)


@handlers.command(
    epilog=examples(
        "yizhan handlers rewind fetch_tracking --to 2h",
        'yizhan handlers rewind fetch_tracking --to "#1200"',
        "yizhan handlers rewind fetch_tracking --to 2026-01-31T08:00:00+08:00 --yes",
    )
)
def rewind(
    context: typer.Context,
    name: NameArgument,
    to: Annotated[
        str,
        typer.Option(help="#SEQ in the stream, an age (2h) or an RFC 3339 time.", metavar="TO"),
    ],
    config: ConfigOption = None,
    yes: YesOption = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a handler run stored events again, from a time or a sequence on.

    Says how many it will run again, and asks. Exits 1 where that was declined.
    """
    with refusing():
        target, operator = past_place("--to", to, datetime.now(UTC)), who(by)
        check_can_ask(yes=yes)
    settings, desk = load_to_look(config or context.obj), Desk(yes, as_json)

    async def act(operations: HandlerOperations) -> int:
        plan = await operations.plan_rewind(name, target)
        desk.say(rewind_text(name, plan))
        if not desk.confirmed("Rewind?"):
            return EXIT_FAILED
        left = f"{name} is where it was, unless `yizhan handlers` says otherwise: rewind it again"
        with searching(f"waiting for the runs of {name}"), if_stopped(left):
            await operations.rewind(name, plan, by=operator, now=datetime.now(UTC))
        text, at = f"{name} goes on from #{plan.seq}", f"--sequence={plan.seq}"
        command = nats_tool.consumer("reset", _subjects(settings), name, at)
        desk.done(text, [command], handler=name, seq=plan.seq, again=plan.again)
        return 0

    _operate(settings, _loaded(settings)[0], act)


@handlers.command(
    epilog=examples(
        "yizhan handlers forget old_name",
    )
)
def forget(
    context: typer.Context,
    name: NameArgument,
    config: ConfigOption = None,
    yes: YesOption = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete the position of a handler that is no longer loaded; its dead letters stay.

    Asks first. Exits 1 where that was declined.
    """
    with refusing():
        operator = who(by)
        check_can_ask(yes=yes)
    settings, desk = load_to_look(config or context.obj), Desk(yes, as_json)
    with refusing():
        loaded = configured_handlers(settings.handlers)

    async def act(operations: HandlerOperations) -> int:
        durable = await operations.forgettable(name)
        waiting = durable.pending + durable.unfinished
        desk.say(f"{name}: {waiting} events that it has not handled will not be")
        if not desk.confirmed("Forget it?"):
            return EXIT_FAILED
        await operations.forget(durable, by=operator)
        command = nats_tool.consumer("rm", _subjects(settings), name)
        desk.done(f"{name} is forgotten", [command], handler=name, not_handled=waiting)
        return 0

    _operate(settings, loaded, act)


def _operate(settings: Settings, loaded: list[Handler], act: Act) -> None:
    async def main(_: asyncio.Event) -> int:
        async with opened_operations(settings, loaded) as operations:
            return await act(operations)

    run(main)


def _loaded(settings: Settings) -> tuple[list[Handler], str]:
    """The handlers, or none and why: what is stored of them can be operated all the same."""
    try:
        return configured_handlers(settings.handlers), ""
    except ConfigurationError as error:
        return [], str(error)


def _subjects(settings: Settings) -> Subjects:
    return Subjects(settings.nats.subject_root)
