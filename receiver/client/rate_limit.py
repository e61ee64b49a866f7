"""When calls may be sent: moments that lie evenly, `rate_per_s` in a second.

The platform does not publish its limit, so the rate is our own setting. A pause earns no burst.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

HORIZON_S: Final = 0.1
"""How far ahead moments are taken at once: one round trip may serve several calls, and a call of
a higher priority in another process waits no longer than this for those of a lower one."""
_SET_ASIDE: Final = 0.1
"""The share of the rate that processes use which cannot reach the others."""
_UNSEEN_PROCESSES: Final = 4
"""How many are assumed to share the rate where no other was ever reached."""


class Slots(Protocol):
    """Gives out the moments at which calls may be sent."""

    async def take(self, count: int) -> Sequence[float]:
        """One to `count` moments by `time.monotonic`, ascending, one call each."""
        ...


class SharedSlots(Protocol):
    """Moments that no other process of the account has; `processes` is how many share it."""

    @property
    def processes(self) -> int:
        """How many processes took moments lately, this one included; 0 where it took none yet."""
        ...

    async def take(self, count: int, rate_per_s: float) -> Sequence[float] | None:
        """As `Slots.take`, at `rate_per_s` in all processes together; None where they cannot be
        reached now."""
        ...


def horizon(rate_per_s: float) -> int:
    """How many moments may be taken at once."""
    return max(1, math.floor(rate_per_s * HORIZON_S))


class OwnSlots:
    """The moments of one process that has the rate to itself."""

    def __init__(self, rate_per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s = rate_per_s
        self._clock = clock
        self._next_free_s = clock()

    async def take(self, count: int) -> Sequence[float]:
        """See `Slots.take`; never waits."""
        return self.reserve(count, self._rate_per_s)

    def reserve(self, count: int, rate_per_s: float) -> Sequence[float]:
        """The next moments at another rate."""
        interval_s = 1 / rate_per_s
        first = max(self._clock(), self._next_free_s)
        taken = min(count, horizon(rate_per_s))
        self._next_free_s = first + taken * interval_s
        return [first + number * interval_s for number in range(taken)]


class AccountSlots:
    """The moments of one process among several that share the account's rate.

    A tenth of the rate is set aside for processes that cannot reach the others: each of them uses
    its part of the tenth, by how many there were, so that the sum never passes the rate.
    """

    def __init__(
        self,
        shared: SharedSlots,
        rate_per_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._shared_per_s = rate_per_s * (1 - _SET_ASIDE)
        self._aside_per_s = rate_per_s * _SET_ASIDE
        self._alone = OwnSlots(rate_per_s, clock=clock)

    async def take(self, count: int) -> Sequence[float]:
        """See `Slots.take`."""
        moments = await self._shared.take(
            min(count, horizon(self._shared_per_s)), self._shared_per_s
        )
        if moments is not None:
            return moments
        part = self._aside_per_s / (self._shared.processes or _UNSEEN_PROCESSES)
        return self._alone.reserve(1, part)
