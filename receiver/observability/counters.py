"""How many deliveries ended in which way, counted by outcome and by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class DeliveryCounts:
    """Counts since the start of this process; keys are outcomes and reasons of refusal."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, outcome: str) -> None:
        """Count one delivery."""
        self._counts[outcome] += 1

    def read(self) -> Mapping[str, int]:
        """A copy of the counts as they stand."""
        return dict(self._counts)
