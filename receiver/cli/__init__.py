"""The command line `yizhan`: one command a module."""

import os
import sys
from importlib import import_module
from typing import Final

from receiver.cli.app import app

__all__ = ["app", "main"]

MODULES: Final = {
    "up": "up",
    "receive": "serve",
    "work": "serve",
    "check": "check",
    "demo": "demo",
    "simulate": "simulate",
    "order": "look.order",
    "callback": "look.single",
    "event": "look.single",
    "tail": "look.tail",
    "status": "look.status",
    "state": "state",
    "handlers": "handlers",
    "dead": "repair.dead_acts",
    "quarantine": "repair.quarantine_acts",
    "doubt": "doubt",
    "replay": "replay.acts",
    "audit": "audit",
    "spool": "spool",
    "retention": "retention",
    "init": "init",
    "new": "new",
    "events": "events",
    "api": "api",
    "url": "url",
    "receive-worker": "supervisor",
    "handler-process": "handler_process",
}
"""Each command, in the order of `--help`, and the module of this package that registers it."""


def register(command: str | None = None) -> None:
    """Import the module of `command`, else all: a process needs one of them, and waits for it."""
    chosen = [MODULES[command]] if command in MODULES else dict.fromkeys(MODULES.values())
    for module in chosen:
        import_module(f"receiver.cli.{module}")


def main() -> None:
    """Run the command line."""
    words = [word for word in sys.argv[1:] or _completed() if not word.startswith("-")]
    register(words[0] if words else None)
    app()


def _completed() -> list[str]:
    """The words of the line that a shell wants completed: bash has one variable, the others one."""
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:]
