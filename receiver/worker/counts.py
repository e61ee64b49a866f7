"""What became of a handler's events since the start: outcomes, and how long runs took."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final

from receiver.observability.metric_row import RUN_BOUNDS_S
from receiver.worker.outcomes import Outcome

BOUNDS_S: Final = RUN_BOUNDS_S
"""Up to how many seconds a run takes to be counted in each bucket; beyond the last is one more."""


class HandlerCounts:
    """Of one process, by handler."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Outcome]] = Counter()
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BOUNDS_S) + 1))
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, handler: str, outcome: Outcome, seconds: float | None = None) -> None:
        """Count one delivery, and the `seconds` of its run; None where none was begun."""
        self._counts[handler, outcome] += 1
        if seconds is not None:
            self._buckets[handler][bisect_left(BOUNDS_S, seconds)] += 1
            self._seconds[handler] += seconds

    def of(self, handler: str, outcome: Outcome) -> int:
        """How many deliveries to `handler` ended as `outcome`."""
        return self._counts[handler, outcome]

    def read(self) -> Mapping[tuple[str, Outcome], int]:
        """A copy of the counts as they stand."""
        return dict(self._counts)

    def durations(self, handler: str) -> tuple[tuple[int, ...], float]:
        """How many runs fell into each bucket, and what all of them took, in seconds."""
        return tuple(self._buckets[handler]), self._seconds[handler]
