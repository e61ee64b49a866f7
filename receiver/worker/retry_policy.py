"""When a handler that failed is run again, and when it is given up. Performs no I/O."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from receiver.resilience.backoff import Backoff

DELAYS_S: Final = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
SHORTEST_DELAY_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again and when to give up.

    After the n-th failure it waits `delays_s[n - 1]`, the last one for ever after, and up to a
    quarter longer (`jitter` gives 0 to 1). The failure of attempt `max_attempts` is the last.
    `max_deliveries` bounds what does not fail: endless `Retry`, and runs that kill the process.
    """

    max_attempts: int = 8
    delays_s: Sequence[float] = DELAYS_S
    max_deliveries: int = 1000
    jitter: Callable[[], float] = random.random

    def delay_s(self, attempt: int) -> float:
        """How long to wait after this attempt."""
        backoff = Backoff(self.delays_s, spread=0.25, jitter=self.jitter)
        return max(SHORTEST_DELAY_S, backoff.pause_s(attempt))
