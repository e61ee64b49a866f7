"""How deliveries ended, counted by outcome and by reason, and by source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from receiver.observability.figures import Figures

_RETRANSMITTED: Final = frozenset({"retransmission", "duplicate"})


class DeliveryCounts:
    """Counts since the start of this process; keys are outcomes and reasons of refusal.

    `figures` are the same by source, as `yizhan metrics` shows them.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self.figures = Figures()

    def add(self, outcome: str) -> None:
        """Count one delivery."""
        self._counts[outcome] += 1

    def answered(self, source: str, outcome: str) -> None:
        """Count one answer, by a word of `metric_row.ANSWERS`."""
        self.figures.count("yizhan_callbacks", source, outcome)

    def taken(self, source: str, outcome: str, seconds: float, *, provoked: bool = False) -> None:
        """Count a callback that was answered 200 after so many seconds. One that came again is also
        counted by its cause; `provoked` is what followed an answer that was late or no 200.
        """
        self.figures.count("yizhan_callbacks", source, outcome)
        self.figures.observe("yizhan_ack_seconds", source, value=seconds)
        if provoked or outcome in _RETRANSMITTED:
            cause = "provoked" if provoked else "platform"
            self.figures.count("yizhan_retransmissions", source, cause)

    def read(self) -> Mapping[str, int]:
        """A copy of the counts as they stand."""
        return dict(self._counts)
