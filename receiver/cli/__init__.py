"""The command line `yizhan`: one command a module."""

from receiver.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line."""
    app()
