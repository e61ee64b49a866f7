"""What `up` and `receive` print at their start: where things are, and what to try next.

The only place that shows a secret URL, and only one of the development sources.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from receiver.bus.access import without_credentials
from receiver.cli.development import TRIED_SOURCE
from receiver.settings import Settings, SourceSettings, settings_file

_EXAMPLE: Final = {
    "messageType": "ORDER_PAY_SUCCESS",
    "messagePlatform": 1,
    "messageBody": {
        "orderId": "2745812000123456789",
        "orderStatus": "WAITING_FOR_SENT",
        "totalAmount": 1200,
        "payTime": "2026-01-31 08:00:00",
    },
}


@dataclass(frozen=True, slots=True)
class Greeting:
    """What is known of a run: its settings, the URLs of the receiver and of NATS.

    `development` is whether the development sources are among its own; `pushed_into` is the source
    that gets invented orders, if one does.
    """

    settings: Settings
    config: Path | None
    url: str
    nats_url: str
    development: bool
    pushed_into: str | None = None

    def text(self) -> str:
        """Lines for a terminal, without the one on how to stop."""
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
            words = f"{source.verification}{', simulated' if source.simulated else ''}"
            yield f"  callbacks  {self._callback_url(source)}  ({words})"
        root = self.settings.nats.subject_root
        yield f"  NATS       {without_credentials(self.nats_url)}  (subjects {root}.>)"
        if self.settings.nats.url is None:
            yield f"             {self._who_enters()}"
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
            yield f"  curl -i {self._callback_url(source)} \\"
            yield "    -H 'content-type: application/json' \\"
            yield f"    -d '{json.dumps(_EXAMPLE)}'\n"
        yield f"  {self._command('replay', '--since', '1h', '--to', '-')}"
        yield "                                  # the stored events, as JSON lines"

    def _command(self, *arguments: str) -> str:
        """A command as it can be typed where this one was started."""
        config = ("--config", str(self.config)) if self.config else ()
        return f"{typed_command()} {shlex.join([*arguments, *config])}"


def typed_command() -> str:
    """By what this program can be called: `yizhan` where that leads here, else a path to it."""
    python = Path(sys.executable)
    script = python.with_name("yizhan")
    found = shutil.which("yizhan")
    if found is not None and script.exists() and script.samefile(found):
        return "yizhan"
    if script.exists():
        return shlex.quote(_from_here(script))
    return f"{shlex.quote(_from_here(python))} -m receiver"


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
