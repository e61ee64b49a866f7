"""What `up` and `receive` print at their start: where things are, and what to try next.

The only place that shows a secret URL, and only one of the development sources.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from receiver.bus.credentials import without_credentials
from receiver.cli.reminder import reminding
from receiver.observability.screen import heading
from receiver.settings import Settings, SourceSettings
from receiver.settings.development import TRIED_SOURCE
from receiver.settings.file import settings_file

_EXAMPLE: Final = """
    {"messageType": "ORDER_PAY_SUCCESS", "messagePlatform": 1,
     "messageBody": {"orderId": "2745812000123456789", "totalAmount": 1200,
     "orderStatus": "WAITING_FOR_SENT", "payTime": "2026-01-31 08:00:00"}}"""
_COLUMNS: Final = 80
"""The width that is always there."""
_MARGIN: Final = " " * 13


@dataclass(frozen=True, slots=True)
class Greeting:
    """What is known of a run: its settings, the URLs of the receiver and of NATS.

    `development` is whether the development sources are among its own; `pushed_into` is the source
    that gets invented orders, if one does; `console_url` is where the console is, if it is served.
    """

    settings: Settings
    config: Path | None
    url: str
    nats_url: str
    development: bool
    console_url: str | None = None
    pushed_into: str | None = None

    def text(self) -> str:
        """Lines, without the one on how to stop."""
        return "\n".join([*self._circumstances(), *self._places(), *self._next()])

    def _circumstances(self) -> Iterator[str]:
        if settings_file(self.config) is None and self.development:
            yield "No settings file: running on development defaults, with random secrets."
            yield "Write yizhan.toml for your own sources; the README lists every setting."
        if self.pushed_into is not None:
            yield f"A simulated platform pushes invented orders into {self.pushed_into!r},"
            yield "and is the API that handlers call."
        yield ""

    def _places(self) -> Iterator[str]:
        for source in self.settings.sources:
            words = f"({source.verification}{', simulated' if source.simulated else ''})"
            line = f"  callbacks  {self._callback_url(source)}"
            fits = len(line) + 2 + len(words) <= _COLUMNS
            yield f"{line}  {words}" if fits else f"{line}\n{_MARGIN}{words}"
        root = self.settings.nats.subject_root
        yield f"  NATS       {without_credentials(self.nats_url)}  (subjects {root}.>)"
        if self.settings.nats.url is None:
            yield f"{_MARGIN}{self._who_enters()}"
        if self.console_url is not None:
            yield f"  console    {self.console_url}"
        yield f"  health     {self.url}/healthz  {self.url}/readyz"

    def _callback_url(self, source: SourceSettings) -> str:
        token = "/<path_token>" if source.checks_path_token else ""
        if self._is_tried(source) and source.path_token is not None:
            token = f"/{source.path_token.get_secret_value()}"
        return f"{self.url}/callbacks/{source.name}{token}"

    def _is_tried(self, source: SourceSettings) -> bool:
        return self.development and source.name == TRIED_SOURCE

    def _who_enters(self) -> str:
        """Of an embedded server; the operator of another one knows."""
        if without_credentials(self.nats_url) == self.nats_url:
            return "open to every process of this machine"
        return f"a subscriber's URL: {self._command('url')}"

    def _next(self) -> Iterator[str]:
        yield "\nTry, in another terminal:\n"
        for source in filter(self._is_tried, self.settings.sources):
            yield f"  curl -i -H 'content-type: application/json' -d '{_EXAMPLE}' \\"
            yield f"    {self._callback_url(source)}\n"
        if self.development:
            yield "  # a test callback; the console shows what becomes of it:"
            yield f"  {self._command('send', 'ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS')}\n"
        yield "  # the stored events, as JSON lines:"
        yield f"  {self._command('replay', '--since', '1h', '--to', '-')}"

    def _command(self, *arguments: str) -> str:
        """A command as it can be typed where this one was started."""
        config = ("--config", str(self.config)) if self.config else ()
        return f"{typed_command()} {shlex.join([*arguments, *config])}"


@contextlib.asynccontextmanager
async def greeted(greeting: Greeting) -> AsyncIterator[None]:
    """Print it; on a terminal again when it is asked for, with the names of the columns."""
    on_terminal = sys.stdout.isatty()
    screen = on_terminal and sys.stderr.isatty() and greeting.settings.log.format != "json"

    def show() -> None:
        typer.echo(greeting.text())
        typer.echo(f"\nCtrl-C stops it{'; Enter shows this again' if on_terminal else ''}.")
        if screen:
            typer.echo(f"\n{heading(shutil.get_terminal_size().columns)}")

    show()
    async with reminding(show):
        yield


def typed_command() -> str:
    """By what this program can be called: `yizhan` where that leads here, else a path to it."""
    python, called = Path(sys.executable), Path(sys.argv[0])
    script = called if called.name == "yizhan" else python.with_name("yizhan")
    found = shutil.which("yizhan")
    if found is not None and script.exists() and script.samefile(found):
        return "yizhan"
    if script.exists():
        return shlex.quote(_from_here(script))
    return f"{shlex.quote(_from_here(python))} -m receiver"


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
