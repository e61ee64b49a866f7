"""Who acts, and what each command that changes something shares."""

from __future__ import annotations

from typing import Annotated

import typer

from receiver.cli import options
from receiver.cli.options import not_empty
from receiver.operations import acting

ByOption = Annotated[
    str | None,
    typer.Option(
        "--by",
        help="Who does it, for `yizhan audit`; by default this user and host.",
        show_default=False,
    ),
]


def who(by: str | None = None) -> str:
    """Who acts: as `--by` says, else as far as the system knows; raises `ConfigurationError`."""
    if by is not None:
        not_empty("--by", by, write="write a name, or leave it out")
        return acting.one_line("--by", by, acting.WHO_CHARS)
    return options.who()


def checked_reason(reason: str, *, write: str) -> str:
    """The text of `--reason`; raises `ConfigurationError`."""
    return acting.checked_reason(reason, write=write, name="--reason")
