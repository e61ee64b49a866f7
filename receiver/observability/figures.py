"""What a process counts, as numbers that can be added up over processes. No I/O.

Each is kept under its row of `metric_table` and the values of its labels, in order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from receiver.observability.metric_row import MetricRow
from receiver.observability.metric_table import BY_NAME

Key = tuple[str, ...]
"""A row's name, then the values of its labels."""
_KINDS: Final = ("counters", "gauges", "histograms")


class Figures:
    """Counters and gauges by their keys; of histograms the counts of the buckets, one more than
    bounds, not cumulative, and behind them the sum of what was observed.
    """

    __slots__ = _KINDS

    def __init__(self) -> None:
        self.counters: dict[Key, float] = {}
        self.gauges: dict[Key, float] = {}
        self.histograms: dict[Key, list[float]] = {}

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
        """Add what another counted, or subtract it."""
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
        }


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
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"no figures: {type(error).__name__}") from error
    return found


def families(figures: Figures, **more: str) -> Iterator[Metric]:
    """The metrics of what is counted, with `more` labels; a row of which nothing is known is left
    out. Raises `KeyError` for what is in no row.
    """
    made: dict[str, Metric] = {}
    for key, value in (*figures.counters.items(), *figures.gauges.items()):
        family = made.setdefault(key[0], _family(BY_NAME[key[0]], tuple(more)))
        assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)
        family.add_metric((*key[1:], *more.values()), value)
    for key, values in figures.histograms.items():
        row = BY_NAME[key[0]]
        family = made.setdefault(key[0], _family(row, tuple(more)))
        assert isinstance(family, HistogramMetricFamily)
        names = [*(f"{bound:g}" for bound in row.bounds), "+Inf"]
        buckets = list(zip(names, accumulate(values[:-1]), strict=True))
        family.add_metric((*key[1:], *more.values()), buckets, values[-1])
    yield from made.values()


def _family(row: MetricRow, more: Sequence[str]) -> Metric:
    labels = (*row.labels, *more)
    if row.kind == "counter":
        return CounterMetricFamily(row.name, row.help, labels=labels)
    if row.kind == "gauge":
        return GaugeMetricFamily(row.name, row.help, labels=labels)
    return HistogramMetricFamily(row.name, row.help, labels=labels)
