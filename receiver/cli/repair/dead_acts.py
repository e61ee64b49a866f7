"""`yizhan dead retry` and `drop`: give letters back to their handlers, or delete them."""

from __future__ import annotations

import asyncio
from collections import Counter
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
from receiver.cli.repair.dead import dead
from receiver.composition.repair import opened_to_act
from receiver.errors import ConfigurationError
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.repair.letter_acts import LetterActs
from receiver.operations.repair.letter_bulk import dropping, gone_text, notes_on, retrying
from receiver.operations.repair.letters import LetterRef, Letters, ref_of
from receiver.operations.repair.tally import Tally
from receiver.operations.selecting import OF_LETTERS

WhichArgument = Annotated[
    str | None,
    typer.Argument(
        help="One letter: #SEQ as listed, or the id of its event.",
        metavar="[ID|#SEQ]",
        show_default=False,
    ),
]


@dead.command(
    epilog=examples(
        "yizhan dead retry '#12'",
        "yizhan dead retry --handler fetch_tracking --cause 0a1b2c3d4e5f",
        "yizhan dead retry --all --rate 20 --yes",
    )
)
@selecting(*OF_LETTERS, "limit")
def retry(
    filters: Filters,
    which: WhichArgument = None,
    config: ConfigOption = None,
    everything: AllOption = False,
    rate: Annotated[float, typer.Option(min=0, help="Events a second at most; 0 is no limit.")] = 0,
    yes: YesOption = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give dead letters back to their handlers, in the order of their events.

    Says how many, and asks, unless one is named. One that fails again is a letter again, with its
    history. Exits 1 where that was declined or none could be given back, 3 where some could not.
    """
    with refusing():
        seq = _checked(which, filters, everything=everything)
        operator = who(by)
        check_can_ask(yes=yes or which is not None)
    settings, desk = load_to_look(config), Desk(yes, as_json)

    async def main(_: asyncio.Event) -> int:
        async with opened_to_act(settings) as bus:
            letters = Letters(bus.connection, bus.subjects)
            refs = await _selected(desk, letters, which, seq, filters)
            taking = await letters.taking(ref.handler for ref in refs)
            there = [ref for ref in refs if taking[ref.handler] is not None]
            await _check_taken(letters, refs, there)
            if not there:
                return 0
            desk.say(_counted(there, "go back to"))
            if which is None and not desk.confirmed("Retry them?"):
                return EXIT_FAILED
            tally = Tally()
            tally.counts["without handler"] = len(refs) - len(there)
            acts = LetterActs(letters, bus.publisher)
            act = retrying(AuditTrail(bus.connection, bus.subjects, operator), filters, refs)
            with progress_of("giving back", len(there)) as progress:
                giving_back = partial(acts.retry, there, tally, progress, rate=rate)
                code = await run_act(desk, act, len(refs), tally, giving_back)
            for note in notes_on(taking):
                desk.say(note)
            return code

    run(main)


@dead.command(
    epilog=examples(
        "yizhan dead drop '#12' --reason \"a test order\"",
        'yizhan dead drop --handler old_name --reason "it was replaced" --yes',
    )
)
@selecting(*OF_LETTERS, "limit")
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
    """Delete dead letters for good. The events themselves stay in the stream.

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
            letters = Letters(bus.connection, bus.subjects)
            refs = await _selected(desk, letters, which, seq, filters)
            if not refs:
                return 0
            desk.say(_counted(refs, "are deleted for good:"))
            if not desk.confirmed("Delete them?"):
                return EXIT_FAILED
            tally, acts = Tally(), LetterActs(letters, bus.publisher)
            act = dropping(AuditTrail(bus.connection, bus.subjects, operator), filters, refs, why)
            with progress_of("deleting", len(refs)) as progress:
                deleting = partial(acts.drop, refs, tally, progress)
                nats = nats_tool.removed(bus.subjects.dead_stream, (ref.seq for ref in refs))
                return await run_act(desk, act, len(refs), tally, deleting, nats)

    run(main)


def _checked(which: str | None, filters: Filters, *, everything: bool) -> int | None:
    not_empty("ID", which, write="write an id, or a sequence such as '#12'")
    check_selection("letter", which, filters, everything=everything)
    return sequence(which) if which is not None else None


async def _selected(
    desk: Desk, letters: Letters, which: str | None, seq: int | None, filters: Filters
) -> Sequence[LetterRef]:
    if which is not None:
        return [ref_of(await letters.one(which, seq))]
    with searching("selecting dead letters") as progress:
        found = await letters.chosen(filters, progress.scanned)
    if not found:
        desk.say("no dead letter is selected")
        if desk.as_json:
            report(desk, Tally(), "done")
    return found


async def _check_taken(
    letters: Letters, refs: Sequence[LetterRef], there: Sequence[LetterRef]
) -> None:
    """Say whose handlers are gone; raises `ConfigurationError` where all are."""
    gone = Counter(ref.handler for ref in refs) - Counter(ref.handler for ref in there)
    known = await letters.handlers() if gone else []
    lines = [gone_text(name, count, known) for name, count in gone.items()]
    if lines and not there:
        raise ConfigurationError("\n".join(lines))
    for line in lines:
        typer.echo(line, err=True)


def _counted(refs: Sequence[LetterRef], what: str) -> str:
    counted = Counter(ref.handler for ref in refs).most_common()
    names = ", ".join(f"{name} ({count:,})" for name, count in counted)
    letters = "1 dead letter" if len(refs) == 1 else f"{len(refs):,} dead letters"
    return f"{letters} {what} {names}"
