"""`yizhan state`: what is known of an order, and a rebuild from the log."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Annotated, Any, Final, cast

import typer

from receiver.bus.read.filters import Filters
from receiver.bus.state.keys import order_key
from receiver.bus.subjects import Subjects
from receiver.cli import nats_tool
from receiver.cli.acting import ByOption, who
from receiver.cli.app import LOOK, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.desk import Desk, print_json
from receiver.cli.filters import selecting
from receiver.cli.look.output import print_nats, searching
from receiver.cli.options import not_empty
from receiver.cli.process import EXIT_FAILED, if_stopped, refusing, run
from receiver.cli.state_text import state_text
from receiver.composition.operations import opened_states
from receiver.operations.states import Rebuilt, Verdict
from schemas.statuses import Channel

_WORDS: Final[dict[Verdict, str]] = {
    "same": "as they are kept",
    "new": "not kept yet",
    "changed": "kept otherwise",
    "older": "with events that the stream has no more, left as they are",
}

state = typer.Typer(no_args_is_help=True, help="The states of orders, as handlers see them.")
app.add_typer(state, name="state", rich_help_panel=LOOK)


@state.command(
    epilog=examples(
        "yizhan state show 2745812000123456789",
        "yizhan state show 2745812000123456789 --channel taobao --json",
    )
)
@selecting("channel")
def show(
    filters: Filters,
    order_id: Annotated[str, typer.Argument(help="The platform's order id.", metavar="ORDER")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the events of an order add up to; changes nothing.

    Exits 1 where no event of the order is known.
    """
    with refusing():
        not_empty("ORDER", order_id, write="write the platform's order id")
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        async with opened_states(settings) as states:
            with searching(f"reading the events of {order_id}"):
                found = await states.show(order_id, cast("Channel | None", filters.channel))
        if not found:
            typer.echo(f"yizhan: {order_id}: no event of such an order is known", err=True)
            return EXIT_FAILED
        if as_json:
            print_json([one.model_dump(mode="json") for one in found])
            return 0
        typer.echo("\n".join(line for one in found for line in state_text(one)))
        subjects = Subjects(settings.nats.subject_root)
        print_nats(nats_tool.entry(subjects, order_key(one.channel, order_id)) for one in found)
        return 0

    run(main)


@state.command(epilog=examples("yizhan state rebuild --dry-run", "yizhan state rebuild"))
def rebuild(
    config: ConfigOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what differs; write nothing.")
    ] = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fold the state of every order anew from its events, and write what differs.

    Likewise the index of numbers, by which `yizhan order` finds an order. Safe beside running
    handlers. Exits 1 where a dry run finds a difference.
    """
    with refusing():
        operator = who(by)
    settings, desk = load_to_look(config), Desk(True, as_json)

    async def main(_: asyncio.Event) -> int:
        counted, numbers = Counter[Verdict](), 0
        changed: list[dict[str, Any]] = []
        async with opened_states(settings) as states, contextlib.AsyncExitStack() as stack:
            acting = states.trail_of(operator).act("state-rebuild")
            act = None if dry_run else await stack.enter_async_context(acting)
            progress = stack.enter_context(searching("folding", "{:,} orders"))
            stack.enter_context(if_stopped(lambda: _stopped(counted, dry_run=dry_run)))
            async for rebuilt in states.rebuild(dry_run=dry_run):
                counted[rebuilt.verdict] += 1
                numbers += rebuilt.numbers
                if rebuilt.verdict == "changed":
                    desk.say(_changed(rebuilt))
                    changed.append(_document(rebuilt))
                progress.scanned(counted.total())
            if act is not None:
                act.numbers.update({str(verdict): count for verdict, count in counted.items()})
                act.numbers.update({"indexed": numbers} if numbers else {})
        desk.done(
            _summary(counted, numbers, dry_run=dry_run),
            orders={verdict: counted[verdict] for verdict in _WORDS},
            changed=changed,
            indexed=numbers,
            dry_run=dry_run,
        )
        differs = counted["new"] or counted["changed"] or numbers
        return EXIT_FAILED if dry_run and differs else 0

    run(main)


def _document(rebuilt: Rebuilt) -> dict[str, Any]:
    order = {"channel": rebuilt.channel, "order_id": rebuilt.order_id}
    return {**order, "differs": list(rebuilt.differs)}


def _changed(rebuilt: Rebuilt) -> str:
    what = ", ".join(rebuilt.differs) or "the whole entry, which cannot be read"
    return f"{rebuilt.channel} order {rebuilt.order_id} differs in {what}"


def _stopped(counted: Counter[Verdict], *, dry_run: bool) -> str:
    done = "nothing was written" if dry_run else "what differs of them is written"
    return f"{counted.total():,} orders were looked at, {done}: give the same command again"


def _summary(counted: Counter[Verdict], numbers: int, *, dry_run: bool) -> str:
    parts = [f"{counted[verdict]:,} {words}" for verdict, words in _WORDS.items()]
    parts.append(f"{numbers:,} numbers not in the index yet")
    done = "nothing was written" if dry_run else "what was not kept or otherwise was written"
    return f"{counted.total():,} orders: {'; '.join(parts)}; {done}"
