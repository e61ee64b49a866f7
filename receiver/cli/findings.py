"""What a look of `yizhan check` found, and how it is printed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, NamedTuple

import typer

from receiver.cli.look.output import print_document
from receiver.errors import YizhanError
from receiver.settings import Settings


class Finding(NamedTuple):
    """One line: `well` is None where nothing keeps it from running, but it should be known."""

    text: str
    well: bool | None = True


Probe = Callable[[Settings], AsyncIterator[Finding]]
"""Yields findings; an error of ours that it raises is one more, which is not well."""


class Findings:
    """All that was found: printed as it comes, or with `as_json` as one document at the end.

    It is `well` as long as nothing was found that keeps it from running.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.well = True
        self._as_json = as_json
        self._rows: list[dict[str, Any]] = []

    def add(self, name: str, finding: Finding) -> None:
        """Take one up, under the name of what was looked at."""
        word = "warn" if finding.well is None else "ok" if finding.well else "FAIL"
        self.well = self.well and finding.well is not False
        for line in finding.text.splitlines():
            self._rows.append({"look": name, "verdict": word.lower(), "text": line})
            if not self._as_json:
                typer.echo(f"{word:<4}  {name:<9} {line}")

    @contextlib.contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Take up the error of ours that ends the block."""
        try:
            yield
        except YizhanError as error:
            self.add(name, Finding(str(error), well=False))

    def end(self, *, pruned: Sequence[str] | None) -> None:
        """Print the document; `pruned` are the handlers whose positions were deleted."""
        if self._as_json:
            document = {"well": self.well, "findings": self._rows, "pruned": pruned}
            print_document(document, (), ["nats stream report"], as_json=True)
