"""What a process counts, as numbers that can be added up over processes. No I/O.

Each is kept under its row of `metric_table` and the values of its labels, in order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, Final

from receiver.observability.metric_table import BY_NAME
from receiver.observability.moments import Moments, read_moments

Key = tuple[str, ...]
"""A row's name, then the values of its labels."""
_KINDS: Final = ("counters", "gauges", "histograms")


class Figures:
    """Counters and gauges by their keys; of histograms the counts of the buckets, one more than
    bounds, not cumulative, and behind them the sum of what was observed. `moments` are no metrics:
    what is known of sources beside them.
    """

    __slots__ = (*_KINDS, "moments")

    def __init__(self) -> None:
        self.counters: dict[Key, float] = {}
        self.gauges: dict[Key, float] = {}
        self.histograms: dict[Key, list[float]] = {}
        self.moments = Moments()

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Count `by` more."""
        key = (name, *labels)
        self.counters[key] = self.counters.get(key, 0) + by

    def gauge(self, name: str, *labels: str, value: float) -> None:
        """What it is now, added to what it is elsewhere."""
        key = (name, *labels)
        self.gauges[key] = self.gauges.get(key, 0) + value

    def observe(self, name: str, *labels: str, value: float) -> None:
        """Count one observation."""
        key, bounds = (name, *labels), BY_NAME[name].bounds
        kept = self.histograms.get(key)
        if kept is None:
            kept = self.histograms[key] = [0.0] * (len(bounds) + 2)
        kept[bisect_left(bounds, value)] += 1
        kept[-1] += value

    def histogram(self, name: str, *labels: str, buckets: Sequence[float], total: float) -> None:
        """Add observations that were counted elsewhere, by the same bounds."""
        kept = self.histograms.setdefault((name, *labels), [0.0] * (len(buckets) + 1))
        for number, value in enumerate((*buckets, total)):
            kept[number] += value

    def add(self, other: Figures, *, sign: int = 1, gauges: bool = True) -> None:
        """Add what another counted, or subtract it, except for moments: those stay."""
        if sign > 0:
            self.moments.add(other.moments)
        for key, value in other.counters.items():
            self.counters[key] = self.counters.get(key, 0) + sign * value
        for key, values in other.histograms.items():
            kept = self.histograms.setdefault(key, [0.0] * len(values))
            if len(kept) == len(values):  # else another version's, with other bounds
                for number, value in enumerate(values):
                    kept[number] += sign * value
        if gauges:
            for key, value in other.gauges.items():
                self.gauges[key] = self.gauges.get(key, 0) + value

    def without(self, other: Figures) -> Figures:
        """What was counted since `other` was."""
        found = Figures()
        found.add(self)
        found.add(other, sign=-1, gauges=False)
        return found

    def document(self) -> dict[str, Any]:
        """As JSON; see `read_figures`."""
        return {
            kind: [[list(key), value] for key, value in getattr(self, kind).items()]
            for kind in _KINDS
        } | {"moments": self.moments.document()}


def read_figures(document: Mapping[str, Any]) -> Figures:
    """What `Figures.document` gave; rows that this version does not know are left out. Raises
    `ValueError` for anything else.
    """
    found = Figures()
    try:
        for kind in _KINDS:
            for key, value in document[kind]:
                row = BY_NAME.get(key[0])
                if row is not None and len(key) == 1 + len(row.labels):
                    getattr(found, kind)[tuple(key)] = value
        found.moments = read_moments(document)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"no figures: {type(error).__name__}") from error
    return found
