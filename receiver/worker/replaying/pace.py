"""How fast a replay goes. Performs no I/O."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

_BURST_S: Final = 0.25
_SLOWEST: Final = 0.1
"""The share of its rate that a ramp begins at."""


class Pace:
    """At most `rate` a second, of which 0 is no limit; for the first `ramp_s` seconds less, from a
    tenth of it upwards."""

    def __init__(self, rate: float, ramp_s: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._ramp_s = ramp_s
        self._clock = clock
        self._began = self._at = clock()
        self._tokens = 1.0

    def take(self, wanted: int) -> int:
        """How many of `wanted` may go now; they count as gone."""
        if self._rate <= 0:
            return wanted
        now = self._clock()
        rate = self._now(now)
        most = max(1.0, rate * _BURST_S)
        self._tokens = min(most, self._tokens + (now - self._at) * rate)
        self._at = now
        taken = max(0, min(wanted, math.floor(self._tokens)))
        self._tokens -= taken
        return taken

    def give(self, unused: int) -> None:
        """Some of what was taken did not go."""
        self._tokens += unused

    def wait_s(self) -> float:
        """How long it is until one may go; 0 where one may now."""
        if self._rate <= 0 or self._tokens >= 1:
            return 0.0
        return (1 - self._tokens) / self._now(self._clock())

    def _now(self, now: float) -> float:
        if self._ramp_s <= 0:
            return self._rate
        return self._rate * min(1.0, max(_SLOWEST, (now - self._began) / self._ramp_s))
