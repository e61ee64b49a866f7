"""Who acts, and why: one line each, as the records of acts hold them."""

from __future__ import annotations

from typing import Final

from receiver.errors import ConfigurationError

WHO_CHARS: Final = 200
_REASON_CHARS: Final = 500


def checked_reason(reason: str, *, write: str, name: str = "reason") -> str:
    """The reason of an act; raises `ConfigurationError`, which says what to `write`."""
    if not reason.strip():
        raise ConfigurationError(f"{name}: is empty: {write}")
    return one_line(name, reason, _REASON_CHARS)


def one_line(name: str, text: str, limit: int) -> str:
    """A text of one line that is not too long; raises `ConfigurationError`."""
    if len(text) > limit or not text.isprintable():
        raise ConfigurationError(f"{name}: write one line of at most {limit} characters")
    return text.strip()
