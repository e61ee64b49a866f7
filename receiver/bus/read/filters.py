"""The filters that every command that looks shares, each checked as it is given. No I/O.

What they select in each stream: `receiver.bus.read.selection`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from typing import Final, get_args

from receiver.errors import ConfigurationError
from receiver.event import Origin
from schemas.events import MODEL_OF_TYPE
from schemas.statuses import Channel
from schemas.values import MAX_ID_CHARS

CHINA: Final = timezone(timedelta(hours=8))
"""The platform's zone: a date without a time is a day there."""
MAX_LIMIT: Final = 1_000_000
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE: Final = re.compile(r"(\d{1,6})([smhdw])")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TOKEN: Final = re.compile(r"[^\s.*>]{1,64}")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{12}")
_ERROR_NAME: Final = re.compile(r"[^\W\d]\w{0,99}")
_FACT: Final = re.compile(r"[0-9a-f]{32}")
_CHANNELS: Final = get_args(Channel)
_ORIGINS: Final = get_args(Origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What to select; None is no filter. Raises `ConfigurationError`, which says what to write.

    `since` is the first moment and `until` the first one beyond, by the time of storing.
    `event_type` is a type or a domain of types. `cause` is the fingerprint of a dead letter's
    cause, or the type of its error. `limit` is how many, the latest.
    """

    since: datetime | None = None
    until: datetime | None = None
    event_type: str | None = None
    channel: str | None = None
    order_id: str | None = None
    source: str | None = None
    handler: str | None = None
    cause: str | None = None
    fact_id: str | None = None
    origin: str | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str) and not value.strip():
                raise ConfigurationError(f"{WORDS[field.name]}: is empty: leave it out instead")
        if self.since and self.until and self.until <= self.since:
            raise ConfigurationError(
                f"until {self.until.isoformat()}: is not after since {self.since.isoformat()}"
            )
        self._check_words()
        self._check_ids()
        if self.limit is not None and not 1 <= self.limit <= MAX_LIMIT:
            raise ConfigurationError(f"limit {self.limit}: write a number from 1 to {MAX_LIMIT}")

    @property
    def kind(self) -> str:
        """`<domain>.<event>` as in a subject, with wildcards for what is left open."""
        return kind_of(self.event_type)

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the fields that select."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is not None)

    def _check_words(self) -> None:
        kind_of(self.event_type)
        for name, known in (("channel", _CHANNELS), ("origin", _ORIGINS)):
            word = getattr(self, name)
            if word is not None and word not in known:
                raise ConfigurationError(f"{name} {word}: no such {name}: {nearest(word, known)}")
        for name in ("source", "handler"):
            word = getattr(self, name)
            if word is not None and not _TOKEN.fullmatch(word):
                raise ConfigurationError(
                    f"{name} {word!r}: is no name of a {name}: it has no space, dot, * or >"
                )

    def _check_ids(self) -> None:
        if self.order_id is not None and len(self.order_id) > MAX_ID_CHARS:
            raise ConfigurationError(f"order: an id has at most {MAX_ID_CHARS} characters")
        if self.fact_id is not None and not _FACT.fullmatch(self.fact_id):
            raise ConfigurationError(
                f"fact {self.fact_id!r}: is no fact id: write its 32 hexadecimal digits"
            )
        if self.cause is not None and not (
            is_fingerprint(self.cause) or _ERROR_NAME.fullmatch(self.cause)
        ):
            raise ConfigurationError(
                f"cause {self.cause!r}: write a fingerprint of 12 hexadecimal digits, or the type "
                "of the error, such as ValueError"
            )


WORDS: Final = {
    field.name: {"event_type": "type", "order_id": "order", "fact_id": "fact"}.get(
        field.name, field.name
    )
    for field in fields(Filters)
}
"""The word for each field, as in the options of the command line."""


def is_fingerprint(cause: str) -> bool:
    """Whether it is that of a cause, which is a token of a letter's subject."""
    return _FINGERPRINT.fullmatch(cause) is not None


def kind_of(event_type: str | None) -> str:
    """`<domain>.<event>` of a type or a domain, with wildcards; raises `ConfigurationError`."""
    if event_type is None:
        return "*.*"
    if event_type in MODEL_OF_TYPE:
        return event_type
    domains = {name.partition(".")[0] for name in MODEL_OF_TYPE}
    if event_type in domains:
        return f"{event_type}.*"
    near = nearest(event_type, (*MODEL_OF_TYPE, *sorted(domains)))
    raise ConfigurationError(
        f"event type {event_type}: there is no such event type or domain: {near} "
        "(`yizhan events` lists them)"
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """A sentence that names the one that was probably meant, else all of them."""
    names = list(dict.fromkeys(known))
    near = get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(names) or 'none'}"


def parse_time(text: str, now: datetime) -> datetime:
    """`30m`, `2h`, `7d` before `now`, an RFC 3339 time, or a date, which is the beginning of that
    day in China; raises `ConfigurationError`.

    A time without an offset is refused: the platform's are China's, a server's log is UTC, and a
    guess would silently select eight hours that were not meant.
    """
    age = _AGE.fullmatch(text)
    try:
        if age:
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{text!r}: is no time: write an age such as 30m, 2h or 7d, a date such as 2026-01-31 "
            "(in China), or a time such as 2026-01-31T08:00:00+08:00"
        ) from None
    if _DATE.fullmatch(text):
        return moment.replace(tzinfo=CHINA)
    if moment.utcoffset() is None:
        plain = moment.replace(tzinfo=None).isoformat()
        raise ConfigurationError(
            f"{text!r}: has no offset: write {plain}+08:00 (China's time) or {plain}+00:00 (UTC)"
        )
    return moment
