"""A bounded number of log lines a second, so that a flood does not drown in its own lines."""

from __future__ import annotations

import time
from collections.abc import Callable


class Sampling:
    """Lets `limit_per_s` lines through in each second and counts the others."""

    def __init__(self, limit_per_s: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_per_s = limit_per_s
        self._clock = clock
        self._second = 0
        self._let_through = 0
        self._held_back = 0

    def admit(self) -> int | None:
        """None where this line should not be written, else how many were not before it."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._let_through = second, 0
        if self._let_through >= self._limit_per_s:
            self._held_back += 1
            return None
        self._let_through += 1
        held_back, self._held_back = self._held_back, 0
        return held_back
