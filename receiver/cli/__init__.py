"""The command line `yizhan`: the only place that composes settings, parts and processes."""

from receiver.cli import (
    check,
    demo,
    events,
    replay,
    retention,
    serve,
    simulate,
    spool,
    url,
    workers,
)
from receiver.cli.app import app

__all__ = [
    "app",
    "check",
    "demo",
    "events",
    "main",
    "replay",
    "retention",
    "serve",
    "simulate",
    "spool",
    "url",
    "workers",
]


def main() -> None:
    """Run the command line."""
    app()
