"""How long to wait between two tries. Performs no I/O."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

FULL_JITTER: Final = -1.0
"""The `spread` that spreads most (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/)."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """A schedule: `pauses_s[n - 1]` after the n-th failure in a row, the last one ever after.

    Each pause is lengthened at random by up to `spread` of it (`jitter` gives 0 to 1), so that many
    who failed together do not come back together; `FULL_JITTER` makes it anything from 0 to itself.
    """

    pauses_s: Sequence[float]
    spread: float = 0.0
    jitter: Callable[[], float] = random.random

    def pause_s(self, failures: int) -> float:
        """How long to wait after this many failures in a row, from 1 on."""
        pause = self.pauses_s[min(failures, len(self.pauses_s)) - 1]
        return pause * (1 + self.jitter() * self.spread) if self.spread else pause
