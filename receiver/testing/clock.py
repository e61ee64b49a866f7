"""A clock that stands still until the test moves it. Performs no I/O."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

NOON: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
"""The time of every made event, and of the clock, unless another is given."""


class ManualClock:
    """Called, it gives its time, at first `start`."""

    def __init__(self, start: datetime = NOON) -> None:
        self._now = start

    def __call__(self) -> datetime:
        """The time now, with its offset."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Go on by this much; back where it is negative, as a corrected clock does."""
        self._now += by

    def set(self, time: datetime) -> None:
        """Stand at this time."""
        self._now = time
