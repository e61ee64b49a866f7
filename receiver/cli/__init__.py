"""The command line `yizhan`: the only place that composes settings, parts and processes."""

from receiver.cli import check, demo, serve, simulate
from receiver.cli.app import app

__all__ = ["app", "check", "demo", "main", "serve", "simulate"]


def main() -> None:
    """Run the command line."""
    app()
