"""Which stored events a replay takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.history import Span
from receiver.bus.subjects import Subjects


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

    @property
    def filters(self) -> Filters:
        """As filters; raises `ConfigurationError` for a type that does not exist."""
        return Filters(
            since=self.since,
            until=self.until,
            event_type=self.event_type,
            order_id=self.order_id,
        )

    def span(self, subjects: Subjects) -> Span:
        """The part of the stream; raises `ConfigurationError` likewise."""
        return selection.events(self.filters, subjects, self.among).span
