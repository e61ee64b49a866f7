"""What the simulated API was asked, and what it did: tests read it. Performs no I/O."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Final, Literal

MAX_CALLS: Final = 100_000
Outcome = Literal["done", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Called:
    """One call: `at` is the time of its arrival in seconds on a clock that never goes back.

    `arguments` is its parameters as JSON, keys sorted. A call may be `done` although its answer was
    lost: then `fault` says so.
    """

    row: str
    path: str
    at: float
    arguments: str
    changes_state: bool
    outcome: Outcome
    fault: str | None


class Journal:
    """The last calls in the order in which they ended, at most `MAX_CALLS`."""

    def __init__(self) -> None:
        self.calls: deque[Called] = deque(maxlen=MAX_CALLS)

    def writes(self) -> Counter[tuple[str, str]]:
        """How often each write was carried out, by row and arguments."""
        return Counter(
            (call.row, call.arguments)
            for call in self.calls
            if call.changes_state and call.outcome == "done"
        )

    def most_in(self, seconds: float) -> int:
        """The most calls that arrived within any span of so many seconds."""
        times = sorted(call.at for call in self.calls)
        most, first = 0, 0
        for last, time in enumerate(times):
            while time - times[first] >= seconds:
                first += 1
            most = max(most, last - first + 1)
        return most
