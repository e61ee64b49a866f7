"""When a stop has to be over: one deadline that all its steps share. Performs no I/O."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

CLOSING_S: Final = 1.0
"""What a stop may take beyond its grace time, be it that every step of it hangs."""
_STEPS_S: Final = 0.75
"""How much of that the steps may use up; the rest is for the process to end."""
_STEP_S: Final = 0.15
_LEAST_S: Final = 0.02
"""What a step gets though nothing is left: time enough for what does not hang."""


class Deadline:
    """A stop's end: `grace_s` for work under way, and `CLOSING_S` more.

    It runs from `begin` on, or from the first question for what is left; all times are seconds.
    """

    def __init__(self, grace_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.grace_s = grace_s
        self._clock = clock
        self._began_at: float | None = None

    @property
    def begun(self) -> bool:
        """Whether it runs."""
        return self._began_at is not None

    def begin(self) -> None:
        """Have it run, unless it does already."""
        if self._began_at is None:
            self._began_at = self._clock()

    def grace_left_s(self) -> float:
        """How long work under way may still take."""
        return max(0.0, self.grace_s - self._elapsed_s())

    def step_s(self, *, beyond_s: float = _STEP_S) -> float:
        """How long the next step may take: what is left of the grace time and `beyond_s` more,
        never so long that nothing is left for the steps behind it.
        """
        left = self.grace_s + _STEPS_S - self._elapsed_s()
        return max(_LEAST_S, min(self.grace_left_s() + beyond_s, left))

    def left_s(self) -> float:
        """How long until the process has to have ended."""
        return max(0.0, self.grace_s + CLOSING_S - self._elapsed_s())

    def _elapsed_s(self) -> float:
        self.begin()
        assert self._began_at is not None
        return self._clock() - self._began_at
