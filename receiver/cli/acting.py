"""Who acts, and what each command that changes something shares."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from receiver.cli import options
from receiver.cli.options import not_empty
from receiver.errors import ConfigurationError

_WHO_CHARS: Final = 200
_REASON_CHARS: Final = 500

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
        return _line("--by", by, _WHO_CHARS)
    return options.who()


def checked_reason(reason: str, *, write: str) -> str:
    """The text of `--reason`; raises `ConfigurationError`."""
    not_empty("--reason", reason, write=write)
    return _line("--reason", reason, _REASON_CHARS)


def _line(name: str, text: str, limit: int) -> str:
    if len(text) > limit or not text.isprintable():
        raise ConfigurationError(f"{name}: write one line of at most {limit} characters")
    return text.strip()
