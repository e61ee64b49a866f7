"""`yizhan dead snooze` and `wake`: leave a cause out of the verdict until a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from receiver.bus.read.filters import Filters, is_fingerprint
from receiver.cli.acting import ByOption, checked_reason, who
from receiver.cli.app import ConfigOption, JsonOption, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.desk import Desk
from receiver.cli.process import refusing, run
from receiver.cli.repair import dead_acts  # noqa: F401 - whose commands come first
from receiver.cli.repair.dead import dead
from receiver.composition.repair import opened_to_act
from receiver.errors import ConfigurationError, YizhanError
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.look.snoozes import Snooze, snoozes, time_after
from receiver.operations.repair.letters import Letters
from receiver.operations.repair.snoozing import Snoozing

CauseArgument = Annotated[
    str, typer.Argument(help="The fingerprint, as listed.", metavar="CAUSE", show_default=False)
]
HandlerOption = Annotated[
    str | None, typer.Option(help="Of this handler alone.", show_default=False)
]


@dead.command(
    epilog=examples('yizhan dead snooze 0a1b2c3d4e5f --for 8h --reason "the carrier repairs it"')
)
def snooze(
    cause: CauseArgument,
    lasting: Annotated[str, typer.Option("--for", help="How long: 30m, 8h, 2d.", metavar="AGE")],
    reason: Annotated[str, typer.Option(help="Why; lists and `yizhan audit` show it.")],
    handler: HandlerOption = None,
    config: ConfigOption = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave a cause out of what `yizhan status` and the console's first page look at, for a while.

    Its letters stay, and are listed as snoozed; alerts and metrics count them on.
    """
    now = datetime.now(UTC)
    with refusing():
        _check_fingerprint(cause)
        why = checked_reason(reason, write="say what is known of it, for whoever looks later")
        until, operator = time_after(lasting, now, name="--for"), who(by)
    settings, desk = load_to_look(config), Desk(True, as_json)

    async def main(_: asyncio.Event) -> int:
        async with opened_to_act(settings) as bus:
            letters = Letters(bus.connection, bus.subjects)
            groups = await letters.groups(Filters(handler=handler, cause=cause))
            found = [
                Snooze(one.handler, one.cause, now, until, operator, why)
                for one in groups
                if one.cause is not None
            ]
            if not found:
                raise YizhanError(f"{cause}: no dead letter has this cause (any more)")
            trail = AuditTrail(bus.connection, bus.subjects, operator)
            await Snoozing(bus.connection, bus.subjects).snooze(found, trail)
        _done(desk, found, f"snoozed until {until.isoformat(timespec='seconds')}")
        return 0

    run(main)


@dead.command(epilog=examples("yizhan dead wake 0a1b2c3d4e5f"))
def wake(
    cause: CauseArgument,
    handler: HandlerOption = None,
    config: ConfigOption = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a cause count again that was snoozed."""
    with refusing():
        _check_fingerprint(cause)
        operator = who(by)
    settings, desk = load_to_look(config), Desk(True, as_json)

    async def main(_: asyncio.Event) -> int:
        async with opened_to_act(settings) as bus:
            letters = Letters(bus.connection, bus.subjects)
            held = await snoozes(letters.reader, bus.subjects, datetime.now(UTC))
            found = [one for one in held if one.cause == cause and handler in {None, one.handler}]
            if not found:
                raise YizhanError(f"{cause}: is not snoozed (any more)")
            trail = AuditTrail(bus.connection, bus.subjects, operator)
            await Snoozing(bus.connection, bus.subjects).wake(found, trail)
        _done(desk, found, "counts again")
        return 0

    run(main)


def _check_fingerprint(cause: str) -> None:
    if not is_fingerprint(cause):
        raise ConfigurationError(
            f"CAUSE {cause!r}: write a fingerprint, as `yizhan dead list` shows it"
        )


def _done(desk: Desk, found: Sequence[Snooze], what: str) -> None:
    names = ", ".join(one.handler for one in found)
    causes = [{"handler": one.handler, "cause": one.cause, **one.report()} for one in found]
    desk.done(f"{found[0].cause} of {names}: {what}", causes=causes)
