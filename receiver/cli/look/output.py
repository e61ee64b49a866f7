"""How the commands that look print: one document or its text, the `nats` line, the progress."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

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
        typer.secho(f"nats: {command}", err=True, dim=True)


def strong(text: str, colour: str | None = None) -> str:
    """Text that stands out on a terminal, and is plain elsewhere."""
    return typer.style(text, bold=True, fg=colour) if sys.stdout.isatty() else text


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

    def __init__(self, what: str) -> None:
        self.count = 0
        self._what = what
        self._began = time.monotonic()
        self._bar: Any = None

    def scanned(self, count: int) -> None:
        """So many messages were looked at."""
        self.count = count
        if self._bar is not None:
            self._bar.update(f"{self._what}: looked at {count:,} messages")
        elif sys.stderr.isatty() and time.monotonic() - self._began > _QUIET_S:
            from rich.console import Console

            self._bar = Console(stderr=True).status(self._what)
            self._bar.start()

    def end(self) -> None:
        """Take the progress away."""
        if self._bar is not None:
            self._bar.stop()


@contextlib.contextmanager
def searching(what: str) -> Iterator[Searching]:
    """A search, whose progress is taken away at its end."""
    search = Searching(what)
    try:
        yield search
    finally:
        search.end()
