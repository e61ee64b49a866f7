"""`yizhan quarantine reparse` and `drop`: read callbacks again, or delete them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from receiver.bus.read.filters import Filters
from receiver.cli import nats_tool
from receiver.cli.acting import ByOption, checked_reason, who
from receiver.cli.app import ConfigOption, JsonOption, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.desk import Desk
from receiver.cli.filters import selecting
from receiver.cli.look.output import searching, sequence
from receiver.cli.options import YesOption, check_can_ask, not_empty
from receiver.cli.process import EXIT_FAILED, refusing, run
from receiver.cli.repair.bulk import (
    AllOption,
    check_selection,
    progress_of,
    report,
    run_act,
)
from receiver.cli.repair.quarantine import quarantine
from receiver.composition.bus import Bus
from receiver.composition.operations import reparsing
from receiver.composition.repair import opened_to_act
from receiver.errors import ConfigurationError
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.repair.quarantine import Quarantine, RawRef
from receiver.operations.repair.quarantine_bulk import (
    callbacks_are,
    dropping,
    plan_text,
    rereading,
)
from receiver.operations.repair.reparse import Findings
from receiver.operations.selecting import OF_CALLBACKS

WhichArgument = Annotated[
    str | None,
    typer.Argument(
        help="One callback: #SEQ as listed, or its id.", metavar="[ID|#SEQ]", show_default=False
    ),
]


@quarantine.command(
    epilog=examples(
        "yizhan quarantine reparse --source shop --dry-run",
        "yizhan quarantine reparse '#1200'",
        "yizhan quarantine reparse --unknown --all --yes",
    )
)
@selecting(*OF_CALLBACKS, "limit")
def reparse(
    filters: Filters,
    which: WhichArgument = None,
    config: ConfigOption = None,
    everything: AllOption = False,
    unknown: Annotated[
        bool,
        typer.Option("--unknown", help="Those of a type that was not known, not the quarantine."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come.")] = False,
    yes: YesOption = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read callbacks again, as settings and dialects are now, and store the events that are new.

    Says what would come, and asks. What was not verified when it came is left alone. Exits 1 where
    that was declined or nothing could be read, 3 where some could not.
    """
    with refusing():
        seq = _checked(which, filters, everything=everything)
        if unknown and which is not None:
            raise ConfigurationError(
                f"{which} selects one callback: leave --unknown out, or the id"
            )
        operator = who(by)
        check_can_ask(yes=yes or dry_run)
    settings, desk = load_to_look(config), Desk(yes, as_json)

    async def main(_: asyncio.Event) -> int:
        async with opened_to_act(settings) as bus:
            found = Quarantine(bus.connection, bus.subjects)
            refs = await _selected(desk, found, which, seq, filters, unknown=unknown)
            if not refs:
                return 0
            reading = reparsing(settings, bus, found)
            plan, done = Findings(), Findings()
            with progress_of("reading", len(refs)) as progress:
                await reading.run(refs, plan, progress, dry=True)
            desk.say("\n".join(plan_text(plan, len(refs))))
            if dry_run or not plan.counts["read"]:
                if as_json:
                    report(desk, plan, None)
                if dry_run:
                    return 0
                desk.say("there is nothing to store")
                return EXIT_FAILED if plan.done > plan.counts["unchanged"] else 0
            if not desk.confirmed("Store this?"):
                return EXIT_FAILED
            act = rereading(_trail(bus, operator), filters, refs)
            with progress_of("storing", len(refs)) as progress:
                return await run_act(
                    desk, act, len(refs), done, partial(reading.run, refs, done, progress)
                )

    run(main)


@quarantine.command(
    epilog=examples(
        "yizhan quarantine drop '#1200' --reason \"a load test\"",
        'yizhan quarantine drop --source old_shop --reason "it is closed" --yes',
    )
)
@selecting(*OF_CALLBACKS, "limit")
def drop(
    filters: Filters,
    reason: Annotated[str, typer.Option(help="Why; `yizhan audit` shows it.")],
    which: WhichArgument = None,
    config: ConfigOption = None,
    everything: AllOption = False,
    yes: YesOption = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete callbacks in quarantine for good: nothing else holds what they said.

    Says how many, and asks. Exits 1 where that was declined, 3 where another was faster with some.
    """
    with refusing():
        seq = _checked(which, filters, everything=everything)
        why = checked_reason(reason, write="say why they are not needed, for whoever asks")
        operator = who(by)
        check_can_ask(yes=yes)
    settings, desk = load_to_look(config), Desk(yes, as_json)

    async def main(_: asyncio.Event) -> int:
        async with opened_to_act(settings) as bus:
            found = Quarantine(bus.connection, bus.subjects)
            refs = await _selected(desk, found, which, seq, filters)
            if not refs:
                return 0
            desk.say(f"{callbacks_are(len(refs))} deleted for good")
            if not desk.confirmed("Delete?"):
                return EXIT_FAILED
            acts, done = reparsing(settings, bus, found), Findings()
            act = dropping(_trail(bus, operator), filters, refs, why)
            with progress_of("deleting", len(refs)) as progress:
                deleting = partial(acts.drop, refs, done, progress)
                nats = nats_tool.removed(bus.subjects.stream, (ref.seq for ref in refs))
                return await run_act(desk, act, len(refs), done, deleting, nats)

    run(main)


def _checked(which: str | None, filters: Filters, *, everything: bool) -> int | None:
    not_empty("ID", which, write="write an id, or a sequence such as '#1200'")
    check_selection("callback", which, filters, everything=everything)
    return sequence(which) if which is not None else None


async def _selected(
    desk: Desk,
    found: Quarantine,
    which: str | None,
    seq: int | None,
    filters: Filters,
    *,
    unknown: bool | None = None,
) -> Sequence[RawRef]:
    """`unknown` is None where only the quarantine counts."""
    if which is not None:
        stored = await found.one(which, seq, read=unknown is not None)
        return [RawRef(stored.stream_seq, found.is_quarantined(stored))]
    with searching("selecting callbacks") as progress:
        select = found.chosen_unknown if unknown else found.chosen
        refs = await select(filters, progress.scanned)
    if not refs:
        desk.say("no callback is selected")
        if desk.as_json:
            report(desk, Findings(), "done")
    return refs


def _trail(bus: Bus, operator: str) -> AuditTrail:
    return AuditTrail(bus.connection, bus.subjects, operator)
