"""What the acts on many messages share: what to select, the question, the progress, the end."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from receiver.bus.audit_record import Outcome
from receiver.bus.read.filters import WORDS, Filters
from receiver.cli.desk import Desk
from receiver.cli.look.output import print_nats
from receiver.cli.process import EXIT_FAILED, EXIT_PARTLY
from receiver.errors import BusError, ConfigurationError
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.repair.tally import Tally

AllOption = Annotated[bool, typer.Option("--all", help="Select everything.")]
_WORDS: Final = {
    "taken": "already done by another",
    "unchanged": "with nothing new",
    "left": "left as they are",
}
"""The words of some counts."""


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
    parts = [f"{count:,} {_WORDS.get(name, name)}" for name, count in tally.numbers.items()]
    typer.echo(", ".join(parts) or "nothing was done")
    for line in tally.reasons:
        typer.echo(f"  {line}", err=True)
    print_nats(nats)


@contextlib.contextmanager
def progress_of(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives what takes the number done; shown on a terminal only."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task(what, total=total)
        yield lambda done: bar.update(row, completed=done)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAct:
    """An act on many messages, and what is recorded of it; `done` are the counts of success."""

    trail: AuditTrail
    desk: Desk
    verb: str
    done: Collection[str]
    words: Mapping[str, str]
    target: str | None = None
    reason: str | None = None
    nats: Sequence[str] = ()

    async def run(self, selected: int, tally: Tally, acting: Callable[[], Awaitable[None]]) -> int:
        """Record it, do it, and say what became of it; the exit code: 0 where all was done, 3 where
        some was, 1 where nothing was. Where NATS stays away in the middle, what was not done is
        said, too: it is still there.
        """
        async with self.trail.act(
            self.verb,
            target=self.target,
            reason=self.reason,
            filters=self.words,
            numbers={"selected": selected},
        ) as act:
            try:
                await acting()
            except BusError as error:
                act.error = str(error)
                tally.cut_off(selected, act.error)
            finally:
                act.numbers |= tally.numbers
                code = _exit_code(tally.counts, self.done)
                act.outcome = _OUTCOMES[code]
                report(self.desk, tally, act.outcome, self.nats)
        return code


_OUTCOMES: Final[Mapping[int, Outcome]] = {0: "done", EXIT_FAILED: "failed", EXIT_PARTLY: "partly"}


def _exit_code(counts: Mapping[str, int], done: Collection[str]) -> int:
    well = sum(counts.get(word, 0) for word in done)
    if sum(counts.values()) == well:
        return 0
    return EXIT_PARTLY if well else EXIT_FAILED
