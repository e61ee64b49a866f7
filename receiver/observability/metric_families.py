"""Figures as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from receiver.observability.figures import Figures
from receiver.observability.metric_row import MetricRow
from receiver.observability.metric_table import BY_NAME


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
