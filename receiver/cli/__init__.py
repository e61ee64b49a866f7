"""The command line `yizhan`: the only place that composes settings, parts and processes."""

from receiver.cli import (
    check,
    demo,
    events,
    handler_process,
    init,
    replay,
    retention,
    serve,
    simulate,
    spool,
    supervisor,
    url,
)
from receiver.cli.app import app

__all__ = [
    "app",
    "check",
    "demo",
    "events",
    "handler_process",
    "init",
    "main",
    "replay",
    "retention",
    "serve",
    "simulate",
    "spool",
    "supervisor",
    "url",
]


def main() -> None:
    """Run the command line."""
    app()
