"""`yizhan replay run`, `list` and `cancel`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from receiver.cli import nats_tool
from receiver.cli.acting import ByOption, who
from receiver.cli.app import ConfigOption, JsonOption, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.desk import Desk
from receiver.cli.look.output import print_document, searching
from receiver.cli.options import YesOption, check_can_ask
from receiver.cli.process import EXIT_FAILED, if_stopped, refusing, run
from receiver.cli.replay import what_if  # noqa: F401 - it registers its command
from receiver.cli.replay.group import ForceOption, replay
from receiver.cli.replay.plan import NameArgument
from receiver.cli.replay.running import Manner, confirmed, questions, run_replay, stopped
from receiver.cli.replay.targets import RateOption, check_target, handlers_of
from receiver.cli.replay.text import list_lines
from receiver.composition.replays import opened_replays
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.replay_acts import cancel_replay, replay_document
from receiver.operations.replaying import state_of
from receiver.worker.replaying.record import PREFIX, check_name

OtherRampOption = Annotated[
    float | None,
    typer.Option("--ramp", help="Instead of the plan's.", min=0, show_default=False),
]


@replay.command(
    "run",
    epilog=examples(
        "yizhan replay run fix1",
        "yizhan replay run fix1 --rate 200 --ramp 60",
    ),
)
def run_command(
    context: typer.Context,
    name: NameArgument,
    config: ConfigOption = None,
    rate: RateOption = None,
    ramp: OtherRampOption = None,
    force: ForceOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    by: ByOption = None,
) -> None:
    """Run a plan, or go on with one where it was interrupted, from any machine.

    With --what-if, in place of NAME the options of `yizhan replay what-if`, which it is then.

    Exits 0 where all was given and succeeded, 3 where some failed, 1 where all did or it was
    cancelled, 130 where Ctrl-C interrupted it.
    """
    with refusing():
        check_name(name)
        operator = who(by)
    settings = load_to_look(config or context.obj)

    async def main(stop: asyncio.Event) -> int:
        with if_stopped(stopped(name)):
            return await go_on(stop)

    async def go_on(stop: asyncio.Event) -> int:
        async with opened_replays(settings) as desk:
            record = await desk.runs.runnable(name)
            changes = {"rate": rate, "ramp_s": ramp}
            given = {key: value for key, value in changes.items() if value is not None}
            record = record.model_copy(update=given)
            _, handlers = handlers_of(record.targets, settings)
            check_target(record.targets, settings.nats.subject_root, force=force)
            with refusing():
                check_can_ask(yes=yes or not questions(record, handlers))
            if not confirmed(record, handlers, yes=yes):
                return EXIT_FAILED
            manner = Manner(by=operator, force=force, as_json=as_json)
            return await run_replay(desk, record, handlers, stop, manner)

    run(main)


@replay.command("list", epilog=examples("yizhan replay list", "yizhan replay list --json"))
def list_replays(
    context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the replays: planned, under way, and those that are over, for 30 days."""
    settings = load_to_look(config or context.obj)

    async def main(_: asyncio.Event) -> int:
        async with opened_replays(settings) as desk:
            with searching("reading the replays"):
                found = [(one, await state_of(desk.runs, one)) for one in await desk.replays.all()]
        documents = [{**replay_document(one), "state": state} for one, state in found]
        commands = [nats_tool.entries(desk.bus.subjects, PREFIX)]
        print_document({"replays": documents}, list_lines(found), commands, as_json=as_json)
        return 0

    run(main)


@replay.command(epilog=examples("yizhan replay cancel fix1"))
def cancel(
    context: typer.Context,
    name: NameArgument,
    config: ConfigOption = None,
    yes: YesOption = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give nothing more of a replay, for good; what was given stays done.

    Asks first where it was begun. Exits 1 where that was declined.
    """
    with refusing():
        check_name(name)
        operator = who(by)
    settings, speaking = load_to_look(config or context.obj), Desk(yes, as_json)

    async def main(_: asyncio.Event) -> int:
        async with opened_replays(settings) as desk:
            record = await desk.runs.of(name)
            command = nats_tool.entry(desk.bus.subjects, record.key)
            if record.is_over:
                text = f"{name} is {record.state} already"
                speaking.done(text, [command], name=name, state=record.state)
                return 0
            if record.was_begun:
                with refusing():
                    check_can_ask(yes=yes)
                if not speaking.confirmed(f"{name} was begun. Cancel it for good?"):
                    return EXIT_FAILED
            trail = AuditTrail(desk.bus.connection, desk.bus.subjects, operator)
            await cancel_replay(desk.runs, record, trail)
            speaking.done(f"{name} is cancelled", [command], name=name, state="cancelled")
            return 0

    run(main)
