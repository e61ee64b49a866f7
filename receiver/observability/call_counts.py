"""How the calls of the platform's API ended and how long they took, by row of the menu."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from receiver.observability.metric_row import CALL_BOUNDS_S

CallOutcome = Literal["ok", "rejected", "rate_limited", "unavailable", "outcome_unknown"]

BOUNDS_S: Final = CALL_BOUNDS_S
"""The upper bounds of the histogram; what took longer is above the last."""


@dataclass(slots=True)
class Durations:
    """How many tries took at most each of `BOUNDS_S`, and the sum of all."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0


class CallCounts:
    """Counts since the start of this process.

    The labels are a closed set: rows of the menu and `CallOutcome`.
    """

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, CallOutcome]] = Counter()
        """Calls by row and outcome."""
        self.repeats: Counter[str] = Counter()
        """Tries beyond the first, by row."""
        self.durations: dict[str, Durations] = {}
        """How long the tries of a row took, without the wait for their turn."""
        self.load: Callable[[], tuple[int, bool]] = lambda: (0, False)
        """How many calls wait for their turn, and whether the platform is left alone."""

    def ended(self, row: str, outcome: CallOutcome) -> None:
        """Count one call."""
        self.calls[row, outcome] += 1

    def tried(self, row: str, seconds: float, *, again: bool) -> None:
        """Count one try of a call; `again` where it was not its first."""
        durations = self.durations.setdefault(row, Durations())
        durations.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        durations.sum_s += seconds
        self.repeats[row] += again

    def read(self) -> dict[str, Any]:
        """The figures as plain JSON; see `receiver.observability.call_metrics`."""
        return {
            "calls": [[row, outcome, count] for (row, outcome), count in self.calls.items()],
            "repeats": dict(self.repeats),
            "durations": {
                row: {"buckets": list(kept.buckets), "sum_s": kept.sum_s}
                for row, kept in self.durations.items()
            },
        }
