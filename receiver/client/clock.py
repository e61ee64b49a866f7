"""The time that calls are signed with, and how far it is off the platform's. Performs no I/O."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from receiver.observability.logs import get_logger

_WARN_S: Final = 60.0
"""A tenth of what the platform allows (docs/platform/api.md#signature-of-a-call)."""
_BEYOND_BELIEF_S: Final = 7 * 86_400.0


class PlatformClock:
    """Seconds since 1970 by `clock`, or with `corrected` by the platform's `Date` headers.

    A clock that is a minute off is warned about once.
    """

    def __init__(self, clock: Callable[[], float] = time.time, *, corrected: bool = False) -> None:
        self._clock = clock
        self._corrected = corrected
        self._warned = False
        self.ahead_s = 0.0
        """How far the platform's clock was ahead of ours when it last answered."""

    def __call__(self) -> float:
        """The time to sign with."""
        return self._clock() + (self.ahead_s if self._corrected else 0.0)

    def platform_time(self) -> float:
        """The time by the platform's clock, as far as it is known."""
        return self._clock() + self.ahead_s

    def note(self, date: str | None) -> None:
        """Compare the `Date` header of an answer that has just come; one that is none is ignored.

        https://www.rfc-editor.org/rfc/rfc9110#name-date
        """
        try:
            read = parsedate_to_datetime(date or "")
            ahead_s = read.replace(tzinfo=read.tzinfo or UTC).timestamp() - self._clock()
        except (ValueError, TypeError, IndexError, OverflowError):
            return
        if abs(ahead_s) > _BEYOND_BELIEF_S:
            return
        # The header counts whole seconds, and the answer was under way.
        self.ahead_s = ahead_s if abs(ahead_s) > 2 else 0.0
        if abs(ahead_s) >= _WARN_S and not self._warned:
            self._warned = True
            get_logger("yizhan.client").warning(
                "api_clock_skew",
                ahead_s=round(ahead_s),
                corrected=self._corrected,
                action='set this machine\'s clock, or write clock = "server" under [api]',
            )
