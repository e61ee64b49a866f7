"""`yizhan replay --since … --to …`: plan and run in one."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from receiver.bus.read.filters import WORDS, Filters
from receiver.cli.acting import ByOption, who
from receiver.cli.app import REPAIR, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import selecting
from receiver.cli.options import YesOption, check_can_ask
from receiver.cli.process import EXIT_FAILED, if_stopped, refusing, run
from receiver.cli.replay.running import Manner, confirmed, run_replay, stopped
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
from receiver.composition.replays import opened_replays
from receiver.replay.plan import Wish

_WHAT_IF: Final = "--what-if"


class ReplayGroup(TyperGroup):
    """The commands; `run --what-if` is another name of `what-if`, with the options of that."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See `click.Group`."""
        if args[0] == "run" and _WHAT_IF in args:
            args = [_WHAT_IF.removeprefix("--"), *(word for word in args[1:] if word != _WHAT_IF)]
        return super().resolve_command(ctx, args)


replay = typer.Typer(cls=ReplayGroup)
app.add_typer(replay, name="replay", rich_help_panel=REPAIR)

ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite the file.")]
_HOUR = timedelta(hours=1)


@replay.callback(
    invoke_without_command=True,
    epilog=examples(
        "yizhan replay plan fix1 --since 6h --type payment --to handler:ship_it",
        "yizhan replay run fix1",
        "yizhan replay report fix1",
        "yizhan replay --since 2h --to -",
        "yizhan replay --order 2745812000123456789 --since 7d --to subject:yizhan.replay.try1",
    ),
)
@selecting(*WORDS.values())
def plan_and_run(
    context: typer.Context,
    filters: Filters,
    config: ConfigOption = None,
    seq: SeqOption = None,
    to: ToOption = None,
    reparse: ReparseOption = False,
    rate: RateOption = None,
    ramp: RampOption = 0.0,
    force: ForceOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    force_effects: ForceEffectsOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    by: ByOption = None,
) -> None:
    """Re-run stored events: plan it, run it, resume it; or with --to, plan and run in one.

    Moves no handler's own position and stores nothing a second time. Of the last hour, unless
    --since, --seq or letters (--handler, --cause) say otherwise. Exits 0 where all were given and
    succeeded, 3 where some failed, 1 where all did, 130 where Ctrl-C interrupted it.
    """
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    with refusing():
        to, single, operator = targets(to, reparse=reparse), sequences(seq), who(by)
        check_forced(to, forced=force_effects)
        check_can_ask(yes=yes or dry_run or not force_effects)
    settings = load_to_look(config)
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
    now = datetime.now(UTC)
    if filters.since is None and not single and not wish.of_letters:
        wish = replace(wish, filters=replace(filters, since=now - _HOUR))
    name = f"once-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"

    async def main(stop: asyncio.Event) -> int:
        with if_stopped("nothing was replayed: give the command again"):
            return await at_once(stop)

    async def at_once(stop: asyncio.Event) -> int:
        async with opened_replays(settings, handlers) as desk:
            record = await desk.planning.freeze(name, wish, operator)
            typer.echo(f"{record.count} events selected", err=not dry_run)
            if dry_run:
                return 0
            if not confirmed(record, handlers, yes=yes):
                return EXIT_FAILED
            await desk.planning.keep(record)
            manner = Manner(by=operator, force=force, as_json=as_json)
            with if_stopped(stopped(name)):
                return await run_replay(desk, record, handlers, stop, manner)

    run(main)
