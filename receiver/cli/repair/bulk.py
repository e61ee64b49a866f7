"""What the acts on many messages share: what to select, the question, the progress, the end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Annotated, Final

import typer

from receiver.bus.audit_record import Outcome
from receiver.bus.read.filters import WORDS, Filters
from receiver.cli.desk import Desk
from receiver.cli.look.output import print_nats, terminal_progress
from receiver.cli.process import EXIT_FAILED, EXIT_PARTLY
from receiver.errors import ConfigurationError
from receiver.operations.repair.bulk_act import BulkAct
from receiver.operations.repair.tally import Tally

AllOption = Annotated[bool, typer.Option("--all", help="Select everything.")]


def check_selection(what: str, ids: str | None, filters: Filters, *, everything: bool) -> None:
    """Raise `ConfigurationError` unless one way of selecting is given."""
    given = [f"--{WORDS[name]}" for name in filters.given]
    if ids is not None and (given or everything):
        raise ConfigurationError(
            f"{ids} selects one {what}: leave {', '.join(given) or '--all'} out, or the id"
        )
    if ids is None and not (given or everything):
        raise ConfigurationError(
            f"says not which: name one {what} by its ID or #SEQ, give a filter, or --all"
        )
    if everything and given:
        raise ConfigurationError(f"--all: leave it out, or {', '.join(given)}")


def report(desk: Desk, tally: Tally, outcome: Outcome | None, nats: Sequence[str] = ()) -> None:
    """What became of it; without an outcome, what would."""
    if desk.as_json:
        desk.done("", nats, **tally.document(), outcome=outcome)
        return
    typer.echo(tally.text)
    for line in tally.reasons:
        typer.echo(f"  {line}", err=True)
    print_nats(nats)


@contextlib.contextmanager
def progress_of(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives what takes the number done; shown on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with terminal_progress() as bar:
        row = bar.add_task(what, total=total)
        yield lambda done: bar.update(row, completed=done)


async def run_act(
    desk: Desk,
    act: BulkAct,
    selected: int,
    tally: Tally,
    acting: Callable[[], Awaitable[None]],
    nats: Sequence[str] = (),
) -> int:
    """Have it done, and say what became of it; the exit code: 0 where all was done, 3 where some
    was, 1 where nothing was.
    """
    outcome = await act.run(
        selected, tally, acting, lambda outcome: report(desk, tally, outcome, nats)
    )
    return _CODES[outcome]


_CODES: Final[Mapping[Outcome, int]] = {"done": 0, "failed": EXIT_FAILED, "partly": EXIT_PARTLY}
