"""What a look of `yizhan check` found, and how it is printed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import typer

from receiver.settings import Settings


class Finding(NamedTuple):
    """One line: `well` is None where nothing keeps it from running, but it should be known."""

    text: str
    well: bool | None = True


Probe = Callable[[Settings], AsyncIterator[Finding]]
"""Yields findings; an error of ours that it raises is one more, which is not well."""


def report(name: str, finding: Finding) -> None:
    """Print it, under the name of what was looked at."""
    word = "warn" if finding.well is None else "ok" if finding.well else "FAIL"
    for line in finding.text.splitlines():
        typer.echo(f"{word:<4}  {name:<9} {line}")
