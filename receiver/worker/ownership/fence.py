"""Whether this process may start a run: not once another may have taken over. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable


class Fence:
    """Open as long as the server has answered a pull that was sent within `limit_s`.

    Others take over from a living owner only after a longer silence: an owner that was suspended,
    or cut off, finds its fence closed when it goes on.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float]) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._answered = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether a run may start now."""
        return self._clock() - self._answered < self._limit_s

    def answered(self, asked_at: float) -> None:
        """The server answered what was sent at `asked_at`: only the sending proves that this
        process was awake then."""
        self._answered = max(self._answered, asked_at)
