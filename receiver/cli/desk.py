"""Where a command that changes something speaks: to a person, or as one JSON document."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import typer

from receiver.cli.look.output import print_document
from receiver.cli.process import StoppedError


@dataclass(frozen=True, slots=True)
class Desk:
    """With `as_json` its one document is all of standard output. With `yes` nothing is asked."""

    yes: bool
    as_json: bool

    def say(self, text: str) -> None:
        """A line for people."""
        typer.echo(text, err=self.as_json)

    def confirmed(self, question: str) -> bool:
        """The answer to a question on the terminal."""
        return self.yes or asked(question, err=self.as_json)

    def done(self, text: str, nats: Iterable[str] = (), **document: Any) -> None:
        """What was done, as a document or as text, and how the `nats` tool does about the same."""
        print_document(document, [text], nats, as_json=self.as_json)


def asked(question: str, *, err: bool = False) -> bool:
    """The answer to a question; no without one. Raises `StoppedError` for Ctrl-C, which the event
    loop could not see while the terminal is read.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with contextlib.redirect_stdout(sys.stderr) if err else contextlib.nullcontext():
            return typer.confirm(question, err=err)  # whose last space goes to standard output
    except typer.Abort as abort:
        typer.echo(err=True)
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise StoppedError("stopped at the question: nothing was done") from None
        return False
    finally:
        signal.signal(signal.SIGINT, before)


def print_json(document: Any) -> None:
    """A document on standard output."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, default=str))
