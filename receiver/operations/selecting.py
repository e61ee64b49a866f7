"""What an operator asks for, by the words that the shell's options and a page's query share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from receiver.bus.read.filters import WORDS, Filters, nearest, parse_time
from receiver.errors import ConfigurationError

OF_CALLBACKS: Final = ("since", "until", "source")
OF_EVENTS: Final = (*OF_CALLBACKS, "type", "channel", "order", "fact", "origin")
OF_LETTERS: Final = (*OF_EVENTS, "handler", "cause")
FIELDS: Final = {word: name for name, word in WORDS.items()}
"""The field of `Filters` that each word sets."""
OPTION: Final = "--"
"""What stands before a word on the command line."""


def chosen(
    *, since: str | None = None, until: str | None = None, prefix: str = OPTION, **others: Any
) -> Filters:
    """The filters of texts, by the fields they set; raises `ConfigurationError`, whose sentence
    begins with `prefix` and the word.
    """
    first, last = _times(since, until, prefix)
    try:
        return Filters(since=first, until=last, **others)
    except ConfigurationError as error:  # begins with the word
        raise ConfigurationError(f"{prefix}{str(error).removeprefix('event ')}") from error


def time_range(
    since: str, until: str | None, now: datetime, prefix: str = OPTION
) -> tuple[datetime, datetime | None]:
    """The times of `since` and `until`; raises `ConfigurationError` where no event can lie between
    them.
    """
    first = past_time(f"{prefix}since", since, now)
    if until is None:
        return first, None
    with named(f"{prefix}until"):
        last = parse_time(until, now)
    if last <= first:
        raise ConfigurationError(
            f"{prefix}until {until}: is not after {prefix}since {since}: "
            f"write the earlier time as {prefix}since"
        )
    return first, last


def past_time(name: str, text: str, now: datetime) -> datetime:
    """The time of `name` that is not ahead of `now`; raises `ConfigurationError`."""
    with named(name):
        moment = parse_time(text, now)
    if moment > now:
        raise ConfigurationError(
            f"{name} {text}: is in the future: write an age such as 2h, or a time that has passed"
        )
    return moment


def past_place(name: str, text: str, now: datetime) -> int | datetime:
    """A sequence of the stream, written `#SEQ`, or a time that is not ahead of `now`; raises
    `ConfigurationError`.
    """
    if not text.startswith("#"):
        return past_time(name, text, now)
    digits = text.removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and 0 < int(digits) < 2**63):
        raise ConfigurationError(
            f"{name} {text}: is no sequence: write one such as '#1200', in quotes"
        )
    return int(digits)


@contextlib.contextmanager
def named(name: str) -> Iterator[None]:
    """Put the name before what a part of the engine says of its value."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from error


def _times(
    since: str | None, until: str | None, prefix: str
) -> tuple[datetime | None, datetime | None]:
    now = datetime.now(UTC)
    if since is not None:
        return time_range(since, until, now, prefix)
    if until is None:
        return None, None
    return None, past_time(f"{prefix}until", until, now)


def unknown_handler(name: str, known: Iterable[str]) -> ConfigurationError:
    """The error for a name that no handler has."""
    return ConfigurationError(f"{name!r}: no such handler: {nearest(name, sorted(set(known)))}")
