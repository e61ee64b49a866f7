"""Circuit breaker: what failed is left alone, but for a probe now and then. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable


class CircuitBreaker:
    """Closed: everything may pass. Open: one call in `probe_every_s` may, to see whether it is
    better (half-open); its caller says so by `reset` or `trip`.
    """

    def __init__(
        self, *, probe_every_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._probe_every_s = probe_every_s
        self._clock = clock
        self._next_probe_at = 0.0
        self.is_open = False

    def trip(self) -> bool:
        """Open it, and let no probe through for a while; whether it was closed before."""
        self._next_probe_at = self._clock() + self._probe_every_s
        was_closed, self.is_open = not self.is_open, True
        return was_closed

    def reset(self) -> bool:
        """Close it; whether it was open before."""
        was_open, self.is_open = self.is_open, False
        return was_open

    def allows(self) -> bool:
        """Whether a call may pass now; while open, the one that may is the next probe."""
        if not self.is_open:
            return True
        now = self._clock()
        if now < self._next_probe_at:
            return False
        self._next_probe_at = now + self._probe_every_s
        return True

    def closed_for_s(self) -> float:
        """For how many seconds nothing may pass; 0 where a call may now."""
        return max(self._next_probe_at - self._clock(), 0.0) if self.is_open else 0.0

    def tripped_within(self, seconds: float) -> bool:
        """Whether it is open, and its last probe was due within `seconds`: older news is none."""
        return self.is_open and self._clock() < self._next_probe_at + seconds
