"""What the acts on many messages share: what to select, the question, the progress, the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from receiver.bus.read.filters import WORDS, Filters
from receiver.cli.process import EXIT_FAILED, EXIT_PARTLY
from receiver.errors import ConfigurationError

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


def confirmed(question: str, *, yes: bool) -> bool:
    """The answer to a question on the terminal; with `yes` it is not asked."""
    return yes or typer.confirm(question)


@contextlib.contextmanager
def progress_of(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives what takes the number done; shown on a terminal only."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task(what, total=total)
        yield lambda done: bar.update(row, completed=done)


def exit_code(counts: Mapping[str, int], done: str) -> int:
    """0 where all was done, 3 where some was, 1 where nothing was; `done` is the count of those."""
    if sum(counts.values()) == counts.get(done, 0):
        return 0
    return EXIT_PARTLY if counts.get(done) else EXIT_FAILED
