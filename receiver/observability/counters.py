"""How deliveries ended, counted by outcome and by reason, and by source."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final

from receiver.observability.figures import Figures
from receiver.observability.metric_row import ACK_BOUNDS_S, PUSH_AGE_BOUNDS_S
from receiver.observability.moments import LAST_TRY, REFUSED, RETRIED, Moments

_RETRANSMITTED: Final = frozenset({"retransmission", "duplicate"})


class DeliveryCounts:
    """Counts since the start of this process; keys are outcomes and reasons of refusal."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._answers: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._again: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._first: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._retries: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._last: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._moments = Moments()
        self._times: defaultdict[str, list[float]] = defaultdict(
            lambda: [0.0] * (len(ACK_BOUNDS_S) + 2)
        )
        self._ages: defaultdict[str, list[float]] = defaultdict(
            lambda: [0.0] * (len(PUSH_AGE_BOUNDS_S) + 2)
        )

    def add(self, outcome: str) -> None:
        """Count one delivery."""
        self._counts[outcome] += 1

    def answered(self, source: str, outcome: str) -> None:
        """Count one answer, by a word of `metric_row.ANSWERS`."""
        self._answers[source, outcome] += 1

    def taken(self, source: str, outcome: str, seconds: float, *, provoked: bool = False) -> None:
        """Count a callback that was answered 200 after so many seconds. One that came again is also
        counted by its cause; `provoked` is what followed an answer that was late or no 200.
        """
        self._answers[source, outcome] += 1
        times = self._times[source]
        times[bisect_left(ACK_BOUNDS_S, seconds)] += 1
        times[-1] += seconds
        if provoked or outcome in _RETRANSMITTED:
            self._again[source, "provoked" if provoked else "platform"] += 1

    def aged(self, source: str, seconds: float) -> None:
        """Count for how long a new callback was on its way, by the clocks of both sides."""
        ages = self._ages[source]
        ages[bisect_left(PUSH_AGE_BOUNDS_S, seconds)] += 1
        ages[-1] += seconds

    def tried(self, source: str, outcome: str) -> None:
        """Count the first try of a callback, by a word of `metric_row.TRIES`."""
        self._first[source, outcome] += 1
        if outcome != "good":
            self._moments.note(outcome, source)

    def retried(self, source: str, nth: str, outcome: str, *, last: bool) -> None:
        """Count a later one, the `nth` of `metric_row.RETRIES`; of the `last` also its outcome."""
        self._retries[source, nth] += 1
        self._moments.note(RETRIED, source)
        if outcome != "good":
            self._moments.note(outcome, source)
        if last:
            self._last[source, outcome] += 1
            self._moments.note(LAST_TRY, source)

    def refused(self, source: str, outcome: str, reason: str, age_s: float = 0.0) -> None:
        """Count one that was refused; `age_s` is how old its signature is, if that is why."""
        self.answered(source, outcome)
        self._moments.note(REFUSED, source, reason, age_s=age_s)

    def read(self) -> Mapping[str, int]:
        """A copy of the counts as they stand."""
        return dict(self._counts)

    def figures(self) -> Figures:
        """The same by source."""
        figures = Figures()
        figures.moments.add(self._moments)
        by_row = {
            "yizhan_callbacks": self._answers,
            "yizhan_retransmissions": self._again,
            "yizhan_first_try": self._first,
            "yizhan_retries": self._retries,
            "yizhan_last_tries": self._last,
        }
        for name, counts in by_row.items():
            for labels, count in counts.items():
                figures.count(name, *labels, by=count)
        for source, (*buckets, total) in self._times.items():
            figures.histogram("yizhan_ack_seconds", source, buckets=buckets, total=total)
        for source, (*buckets, total) in self._ages.items():
            figures.histogram("yizhan_push_age_seconds", source, buckets=buckets, total=total)
        return figures
