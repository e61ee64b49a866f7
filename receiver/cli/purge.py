"""`yizhan purge`: delete for good what filters select, after a plan and a question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final

import typer

from receiver.bus.read.filters import Filters, nearest
from receiver.cli import nats_tool
from receiver.cli.acting import ByOption, checked_reason, who
from receiver.cli.app import REPAIR, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.desk import Desk
from receiver.cli.filters import selecting
from receiver.cli.look.output import local, searching, strong
from receiver.cli.options import YesOption, check_can_ask
from receiver.cli.process import EXIT_FAILED, refusing, run
from receiver.cli.repair.bulk import progress_of, report, run_act
from receiver.composition.bus import Bus
from receiver.composition.repair import opened_to_purge
from receiver.errors import ConfigurationError
from receiver.operations.audit_trail import AuditTrail, words_of
from receiver.operations.keeping.plan import CHOICES, Kind, PurgePlan
from receiver.operations.keeping.planning import Planning, check_purge
from receiver.operations.keeping.purging import purge as delete_planned
from receiver.operations.look.archive import Archive
from receiver.operations.repair.bulk_act import BulkAct
from receiver.operations.repair.tally import Tally
from receiver.operations.selecting import OF_LETTERS

_WORDS: Final = {"deferred": "put off or due", "state": "entries of state and effects"}

WhatOption = Annotated[
    str,
    typer.Option(
        "--what",
        help=f"What of it, with commas between: {', '.join(CHOICES)}.",
        show_default=False,
    ),
]


@app.command(
    rich_help_panel=REPAIR,
    epilog=examples(
        "yizhan purge --order 3100 --what events,callbacks,letters,runs,state --dry-run",
        "yizhan purge --order 3100 --what events,callbacks,letters,runs,state "
        '--reason "the customer asked for it"',
        'yizhan purge --source shop --until 30d --what callbacks --reason "disk" --no-erase --yes',
    ),
)
@selecting(*OF_LETTERS)
def purge(
    what: WhatOption,
    filters: Filters,
    reason: Annotated[
        str | None,
        typer.Option(help="Why; `yizhan audit` shows it. Needed unless --dry-run."),
    ] = None,
    config: ConfigOption = None,
    unprocessed: Annotated[
        bool,
        typer.Option("--unprocessed", help="Delete also what a handler has not handled yet."),
    ] = False,
    erase: Annotated[
        bool,
        typer.Option(
            "--erase/--no-erase",
            help="Overwrite it on the disk. Without that, the server frees the place later.",
        ),
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan, and delete nothing.")
    ] = False,
    yes: YesOption = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete for good what filters select, kind by kind; shows a plan first.

    Shows how much that is, who has not handled it, and what rests on it, and asks. Exits 1 where
    that was declined, 2 where a handler still needs it, 3 where another was faster with some.
    """
    with refusing():
        kinds = _kinds(what)
        check_purge(filters, kinds)
        why = _why(reason, dry_run=dry_run)
        operator = who(by)
        check_can_ask(yes=yes or dry_run)
    settings, desk = load_to_look(config), Desk(yes, as_json)

    async def main(_: asyncio.Event) -> int:
        async with opened_to_purge(settings) as bus:
            plan = await _planned(bus, filters, kinds)
            document = plan.document()
            if dry_run and as_json:
                typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
                return 0
            for line in _text(document):
                desk.say(line)
            if dry_run:
                return 0
            plan.check(unprocessed=unprocessed)
            if not plan.total:
                if as_json:
                    report(desk, Tally(), "done")
                return 0
            if not desk.confirmed(f"Delete {_messages(plan.total)} for good?"):
                return EXIT_FAILED
            act = _act(bus, operator, filters, kinds, why)
            with progress_of("deleting", plan.total) as progress:
                tally = Tally()
                deleting = partial(
                    delete_planned, bus.connection, plan, tally, progress, erase=erase
                )
                nats = [
                    command
                    for part in plan.ordered()
                    for command in nats_tool.removed(part.stream, part.sequences)
                ]
                return await run_act(desk, act, plan.total, tally, deleting, nats)

    run(main)


def _kinds(what: str) -> Sequence[Kind]:
    """The kinds that are named; raises `ConfigurationError`."""
    found: list[Kind] = []
    for word in (part.strip() for part in what.split(",")):
        kind = next((one for one in CHOICES if one == word), None)
        if kind is None:
            raise ConfigurationError(f"--what {word!r}: no such kind: {nearest(word, CHOICES)}")
        found.append(kind)
    return found


def _why(reason: str | None, *, dry_run: bool) -> str | None:
    if reason is not None:
        return checked_reason(reason, write="say why it has to go, for whoever asks")
    if not dry_run:
        raise ConfigurationError("--reason: is missing: say why it has to go, for whoever asks")
    return None


async def _planned(bus: Bus, filters: Filters, kinds: Sequence[Kind]) -> PurgePlan:
    with searching("selecting") as progress:
        archive = Archive(bus.connection, bus.subjects)
        return await Planning(archive, filters, kinds, progress.scanned).plan()


def _act(
    bus: Bus,
    operator: str,
    filters: Filters,
    kinds: Sequence[Kind],
    reason: str | None,
) -> BulkAct:
    return BulkAct(
        trail=AuditTrail(bus.connection, bus.subjects, operator),
        verb="purge",
        done={"deleted"},
        words=words_of(filters) | {"what": ",".join(kinds)},
        reason=reason,
    )


def _text(plan: Mapping[str, Any]) -> Iterator[str]:
    yield strong(f"{_messages(plan['total'])} selected" if plan["total"] else "nothing is selected")
    for part in plan["streams"]:
        yield (
            f"  {part['messages']:,} {_WORDS.get(part['what'], part['what'])} in {part['stream']}, "
            f"#{part['first_seq']} to #{part['last_seq']}, "
            f"{local(part['first_at'])} to {local(part['last_at'])}"
        )
    for event_type, count in plan["types"].items():
        yield f"    {count:,} {event_type}"
    for handler, count in plan["unprocessed"].items():
        yield strong(f"  NOT HANDLED  {handler} may not have handled {count:,} of them", "red")
    yield from _resting(plan)


def _resting(plan: Mapping[str, Any]) -> Iterator[str]:
    """What is lost beside the messages themselves."""
    effects = ", ".join(f"{count:,} {state}" for state, count in plan["effects"].items())
    if effects and plan["effects_deleted"]:
        yield f"  effects are forgotten ({effects}): an event that is run again has them again"
    elif effects and plan["types"]:
        yield f"  the events of effects go, the effects stay on record: {effects}"
    if count := plan["states_without_events"]:
        yield f"  {count:,} states of orders rest on these events and stay: add state to --what"
    if count := plan["callbacks_shared"]:
        yield f"  {count:,} of the callbacks made events, too, that are not selected"
    if count := plan["callbacks_missing"]:
        yield f"  {count:,} callbacks of these events are not stored any more"


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"
