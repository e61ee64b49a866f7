"""`yizhan replay plan`: freeze a selection, and say what running it would do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from receiver.bus.read.filters import WORDS, Filters
from receiver.bus.subjects import Subjects
from receiver.cli import completion, nats_tool
from receiver.cli.acting import ByOption, who
from receiver.cli.app import ConfigOption, JsonOption, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import selecting
from receiver.cli.look.output import print_document, searching
from receiver.cli.process import if_stopped, refusing, run
from receiver.cli.replay.group import replay
from receiver.cli.replay.targets import (
    ForceEffectsOption,
    RampOption,
    RateOption,
    ReparseOption,
    SeqOption,
    ToOption,
    check_forced,
    check_target,
    handlers_of,
    rate_of,
    sequences,
    targets,
)
from receiver.cli.replay.text import plan_lines
from receiver.cli.replay.to_reparse import ToReparse
from receiver.composition.replays import opened_replays
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.replay_acts import keep_plan, replay_document
from receiver.operations.replay_targets import check_selects
from receiver.replay.plan import Wish
from receiver.settings import Settings
from receiver.worker.replaying.record import REPARSE, ReplayRecord, check_name
from receiver.worker.routing import Handler

NameArgument = Annotated[
    str,
    typer.Argument(help="The replay's name.", metavar="NAME", autocompletion=completion.replays),
]


@replay.command(
    epilog=examples(
        "yizhan replay plan fix1 --since 6h --type payment --to handler:ship_it",
        "yizhan replay plan one --seq '#1200' --to handler:ship_it",
        "yizhan replay plan dead1 --handler ship_it --cause ValueError --to handler:ship_it",
        "yizhan replay plan again --since 7d --source shop --reparse",
        "yizhan replay plan month --since 30d --to file:month.jsonl",
    )
)
@selecting(*WORDS.values())
def plan(
    context: typer.Context,
    name: NameArgument,
    filters: Filters,
    config: ConfigOption = None,
    seq: SeqOption = None,
    to: ToOption = None,
    reparse: ReparseOption = False,
    rate: RateOption = None,
    ramp: RampOption = 0.0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file, later.")] = False,
    force_effects: ForceEffectsOption = False,
    as_json: JsonOption = False,
    by: ByOption = None,
) -> None:
    """Freeze which events a replay takes, and say what it would do; nothing is run.

    --handler and --cause select the events of dead letters. A plan is kept for a day.
    """
    with refusing():
        check_name(name)
        to, single, operator = targets(to, reparse=reparse), sequences(seq), who(by)
        check_forced(to, forced=force_effects)
        check_selects(filters, single)
    settings = load_to_look(config or context.obj)
    with refusing():
        to, handlers = handlers_of(to, settings)
        check_target(to, settings.nats.subject_root, force=force)
    wish = Wish(
        targets=to,
        filters=filters,
        sequences=single,
        rate=rate_of(rate, to),
        ramp_s=ramp,
        forced=force_effects,
    )

    async def main(_: asyncio.Event) -> int:
        with if_stopped("the plan was interrupted: give the command again"):
            record = await _planned(settings, name, wish, operator, handlers)
        commands = [nats_tool.entry(Subjects(settings.nats.subject_root), record.key)]
        print_document(replay_document(record), plan_lines(record), commands, as_json=as_json)
        typer.echo(f"run it within a day: yizhan replay run {name}", err=True)
        return 0

    run(main)


async def _planned(
    settings: Settings, name: str, wish: Wish, operator: str, handlers: Sequence[Handler]
) -> ReplayRecord:
    """The plan, which is kept and recorded; raises `ConfigurationError` and `BusError`."""
    async with opened_replays(settings, handlers) as desk:
        with searching("planning") as progress:
            record = await desk.planning.freeze(name, wish, operator, progress.scanned)
            if wish.targets == [REPARSE]:
                reading = ToReparse(desk, record, dry=True)
                await reading.run(lambda done, _, __: progress.scanned(done))
                record = record.model_copy(update={"forecast": [reading.compared.document()]})
            else:
                record = await desk.planning.foreseen(record, progress.scanned)
        trail = AuditTrail(desk.bus.connection, desk.bus.subjects, operator)
        await keep_plan(desk.planning, record, wish, trail)
    return record
