"""`yizhan doubt`: effects that may have happened, and what an operator says of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from receiver.bus.read.filters import Filters
from receiver.cli import nats_tool
from receiver.cli.app import REPAIR, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import selecting
from receiver.cli.look.output import print_document, searching
from receiver.cli.options import not_empty, who
from receiver.cli.process import refusing, run
from receiver.composition.operations import opened_doubts
from receiver.errors import ConfigurationError
from receiver.operations.doubt import Doubt, Doubts, doubt_document

_NOTE_CHARS: Final = 500

doubt = typer.Typer()
app.add_typer(doubt, name="doubt", rich_help_panel=REPAIR)

KeyArgument = Annotated[str, typer.Argument(help="The effect's key, as listed.", metavar="KEY")]
Act = Callable[[Doubts], Awaitable[int]]


@doubt.callback(
    invoke_without_command=True,
    epilog=examples(
        "yizhan doubt",
        "yizhan doubt --handler ship_it --json",
        "yizhan doubt show KEY",
        'yizhan doubt settle KEY --happened --note "parcel 17 is in their list"',
    ),
)
@selecting("since", "until", "type", "order", "handler", "limit")
def list_doubts(
    filters: Filters,
    context: typer.Context,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List effects of handlers of which it is not known whether they happened.

    Those whose process did not come back in time are among them. --since and --until go by when
    they came to be in doubt. Each event that asked for one is
    a dead letter, or waits.
    """
    context.obj = config
    if context.invoked_subcommand is not None:
        return

    async def act(doubts: Doubts) -> int:
        with searching("reading what is kept of effects"):
            found, unreadable = await doubts.chosen(filters, datetime.now(UTC))
        for reason in unreadable:
            typer.echo(reason, err=True)
        document = {"effects": [doubt_document(one) for one in found]}
        lines = map(_text, found) if found else ["nothing is in doubt"]
        commands = [nats_tool.entries(doubts.subjects, "effect")]
        print_document(document, lines, commands, as_json=as_json)
        return 0

    _operate(config, act)


@doubt.command(epilog=examples("yizhan doubt show effect.ship_it.0a1b2c.notify-warehouse"))
def show(
    context: typer.Context,
    key: KeyArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is kept of an effect, whatever its state."""

    async def act(doubts: Doubts) -> int:
        await _show(doubts, await doubts.of(key), as_json=as_json)
        return 0

    _operate(config or context.obj, act)


@doubt.command(
    epilog=examples(
        'yizhan doubt settle KEY --happened --note "parcel 17 is in their list"',
        'yizhan doubt settle KEY --not-happened --note "they have no such parcel"',
    )
)
def settle(
    context: typer.Context,
    key: KeyArgument,
    note: Annotated[str, typer.Option(help="How you know; it is kept with the effect.")],
    happened: Annotated[
        bool | None,
        typer.Option(
            "--happened/--not-happened",
            help="It is not done again; or the next run does it.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether an effect happened; refused while its body may still run.

    Final where it happened. Then have its event run again, by the command that is printed.
    """
    with refusing():
        _check_note(note)
        if happened is None:
            raise ConfigurationError("write --happened or --not-happened: find out which")
        verdict: bool = happened

    async def act(doubts: Doubts) -> int:
        now = datetime.now(UTC)
        found = await doubts.settle(key, happened=verdict, by=who(), note=note.strip(), now=now)
        await _show(doubts, found, as_json=as_json)
        return 0

    _operate(config or context.obj, act)


def _operate(config: Any, act: Act) -> None:
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        async with opened_doubts(settings) as doubts:
            return await act(doubts)

    run(main)


async def _show(doubts: Doubts, found: Doubt, *, as_json: bool) -> None:
    lines = [_text(found)]
    if found.record.state == "settled" and not as_json:
        again = await doubts.replay_of(found.record)
        lines.append(f"  again     {again or 'its event is not stored any more'}")
    commands = [nats_tool.entry(doubts.subjects, found.key)]
    print_document(doubt_document(found), lines, commands, as_json=as_json)


def _check_note(note: str) -> None:
    not_empty("--note", note, write="say how you know, for whoever looks later")
    if len(note) > _NOTE_CHARS or not note.isprintable():
        raise ConfigurationError(f"--note: write one line of at most {_NOTE_CHARS} characters")


def _text(found: Doubt) -> str:
    record = found.record
    rows = {
        "state": f"{record.state} since {record.at.astimezone().isoformat(timespec='seconds')}",
        "why": record.why,
        "handler": record.handler,
        "effect": record.name,
        "event": record.event_id,
        "order": record.order_id,
        "attempt": f"{record.attempt}, in the process {record.worker}",
        "result": None if record.result is None else json.dumps(record.result, ensure_ascii=False),
        "unkept": record.unkept,
        "verdict": _verdict(found),
    }
    lines = [f"  {name:<9} {value}" for name, value in rows.items() if value is not None]
    return "\n".join((found.key, *lines))


def _verdict(found: Doubt) -> str | None:
    record = found.record
    if record.happened is None:
        return None
    verdict = "happened" if record.happened else "did not happen"
    return f"{verdict}, says {record.by}: {record.note}"
