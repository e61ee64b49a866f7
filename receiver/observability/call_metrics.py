"""The figures of `CallCounts` as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from receiver.observability.call_counts import BOUNDS_S, CallCounts


def call_families(figures: Mapping[str, Any]) -> Iterator[Metric]:
    """The metrics of what `CallCounts.read` gives."""
    calls = CounterMetricFamily(
        "yizhan_api_calls",
        "Calls of the platform's API, by row and outcome.",
        labels=("row", "outcome"),
    )
    for row, outcome, count in figures["calls"]:
        calls.add_metric((row, outcome), count)
    yield calls
    repeats = CounterMetricFamily(
        "yizhan_api_repeats", "Tries of a call beyond its first, by row.", labels=("row",)
    )
    for row, count in figures["repeats"].items():
        repeats.add_metric((row,), count)
    yield repeats
    seconds = HistogramMetricFamily(
        "yizhan_api_try_seconds",
        "How long one try took, without the wait for its turn, by row.",
        labels=("row",),
    )
    names = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
    for row, kept in figures["durations"].items():
        buckets = list(zip(names, accumulate(kept["buckets"]), strict=True))
        seconds.add_metric((row,), buckets, kept["sum_s"])
    yield seconds


class CallCollector(Collector):
    """Counts of this process for a registry of its own: `registry.register(CallCollector(c))`."""

    def __init__(self, counts: CallCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """The metrics as they stand."""
        return call_families(self._counts.read())
