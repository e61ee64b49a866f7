"""Which stored events a replay takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from receiver.bus.read.history import Span
from receiver.bus.subjects import ANY, Subjects
from receiver.errors import ConfigurationError
from schemas.events import MODEL_OF_TYPE

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE: Final = re.compile(r"(\d{1,6})([smhdw])")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events: stored within the times, of a type or a domain, of an order.

    `among`, where given, are the only types of interest, such as those a handler takes.
    """

    since: datetime | None = None
    until: datetime | None = None
    event_type: str | None = None
    order_id: str | None = None
    among: Sequence[str] = ()

    def span(self, subjects: Subjects) -> Span:
        """The part of the stream; raises `ConfigurationError` for a type that does not exist."""
        kinds = self._kinds()
        if self.order_id is None:
            filters = [subjects.events_of_type(kind) for kind in kinds]
        else:
            filters = [subjects.events_of_order(self.order_id, kind) for kind in kinds]
        return Span(filters, since=self.since, until=self.until)

    def _kinds(self) -> Sequence[str]:
        kind = self._kind()
        if not self.among:
            return (kind,)
        asked = self.event_type
        kinds = [t for t in dict.fromkeys(self.among) if asked in {None, t, t.partition(".")[0]}]
        if kinds:
            return kinds
        raise ConfigurationError(
            f"event type {asked}: is not taken there: "
            f"leave it out, or name one of {', '.join(self.among)}"
        )

    def _kind(self) -> str:
        """`<domain>.<event>` with wildcards for what is left out."""
        if self.event_type is None:
            return f"{ANY}.{ANY}"
        domains = {name.partition(".")[0] for name in MODEL_OF_TYPE}
        if self.event_type in domains:
            return f"{self.event_type}.{ANY}"
        if self.event_type in MODEL_OF_TYPE:
            return self.event_type
        raise ConfigurationError(
            f"event type {self.event_type}: there is no such event type or domain: "
            "`yizhan events` lists them"
        )


def parse_time(text: str, now: datetime) -> datetime:
    """`30m`, `2h`, `7d` before `now`, or an RFC 3339 time; raises `ConfigurationError`.

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
            f"{text!r}: is no time: write an age such as 30m, 2h or 7d, "
            "or a time such as 2026-01-31T08:00:00+08:00"
        ) from None
    if moment.utcoffset() is None:
        plain = moment.replace(tzinfo=None).isoformat()
        raise ConfigurationError(
            f"{text!r}: has no offset: write {plain}+08:00 (China's time) or {plain}+00:00 (UTC)"
        )
    return moment
