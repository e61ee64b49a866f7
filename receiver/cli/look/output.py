"""How the commands that look print: one document or its text, the `nats` line, the progress."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TextIO

import typer

from receiver.errors import ConfigurationError

RevealOption = Annotated[
    bool,
    typer.Option("--reveal", help="Show personal data, and the exact bytes of callbacks."),
]
_QUIET_S: Final = 1.0
"""A command that takes no longer shows no progress."""
_SEQ: Final = re.compile(r"#(\d{1,18})")


def print_document(
    document: Mapping[str, Any], lines: Iterable[str], nats: Iterable[str], *, as_json: bool
) -> None:
    """One JSON document, with the commands that do about the same in `nats` where there are some;
    or its text, and those commands on standard error.
    """
    if as_json:
        commands = list(nats)
        whole = {**document, "nats": commands} if commands else document
        typer.echo(json.dumps(whole, indent=2, ensure_ascii=False, default=str))
        return
    typer.echo("\n".join(lines))
    print_nats(nats)


def print_nats(commands: Iterable[str]) -> None:
    """The commands of `nats` that show about the same, on standard error."""
    for command in commands:
        line = f"nats: {command}"
        typer.echo(typer.style(line, dim=True) if _coloured(sys.stderr) else line, err=True)


def strong(text: str, colour: str | None = None) -> str:
    """Text that stands out on a terminal, and is plain elsewhere."""
    return typer.style(text, bold=True, fg=colour) if _coloured(sys.stdout) else text


def _coloured(stream: TextIO) -> bool:
    """On a terminal, unless NO_COLOR is set and not empty (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def local(text: str | None) -> str:
    """A time of a document, to the second in this machine's zone; a dash without one."""
    if not text:
        return "-"
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return text


def zone() -> str:
    """The offset of the machine from UTC, such as `+08:00`."""
    offset = datetime.now(UTC).astimezone().strftime("%z")
    return f"{offset[:3]}:{offset[3:]}"


def sequence(text: str) -> int | None:
    """The number of `#1200`; None for what is no sequence. Raises `ConfigurationError`."""
    if not text.startswith("#"):
        return None
    match = _SEQ.fullmatch(text)
    if match is None or not int(match[1]):
        raise ConfigurationError(f"{text!r}: is no sequence: write one such as '#1200', in quotes")
    return int(match[1])


class Searching:
    """What a search looked at so far: `count`, shown on a terminal once it takes long."""

    def __init__(self, what: str, counted: str) -> None:
        self.count = 0
        self._what = what
        self._counted = counted
        self._bar: Any = None
        self._later: asyncio.TimerHandle | None = None
        if sys.stderr.isatty():
            self._later = asyncio.get_running_loop().call_later(_QUIET_S, self._begin)

    def scanned(self, count: int) -> None:
        """So many were looked at."""
        self.count = count
        if self._bar is not None:
            shown = f"{self._what}: {self._counted.format(count)}"
            self._bar.update(self._bar.task_ids[0], description=shown)

    def end(self) -> None:
        """Take the progress away."""
        if self._later is not None:
            self._later.cancel()
        if self._bar is not None:
            self._bar.stop()

    def _begin(self) -> None:
        from rich.progress import SpinnerColumn, TextColumn

        self._bar = terminal_progress(SpinnerColumn(), TextColumn("{task.description}"))
        self._bar.add_task(self._what, total=None)
        self._bar.start()


def terminal_progress(*columns: Any) -> Any:
    """A bar of Rich on standard error, which is a terminal, taken away at its end. It takes lines
    on standard output under its care only where they go to the terminal, too, and not into a pipe.
    """
    from rich.console import Console  # takes a while, and most commands show none
    from rich.progress import Progress

    console = Console(stderr=True)
    redirects = sys.stdout.isatty()
    return Progress(*columns, console=console, transient=True, redirect_stdout=redirects)


@contextlib.contextmanager
def searching(what: str, counted: str = "looked at {:,} messages") -> Iterator[Searching]:
    """A search or other work within the event loop; its progress is taken away at its end."""
    search = Searching(what, counted)
    try:
        yield search
    finally:
        search.end()
