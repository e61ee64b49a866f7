"""What metrics were lately, for the conditions that look back. In memory; no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from receiver.observability.figures import Figures, Key
from receiver.observability.metric_row import MetricRow
from receiver.observability.metric_table import BY_NAME

Labels = tuple[str, ...]
"""The values of the labels that a condition groups by, in its order."""
Vector = dict[Labels, float]
_THINNED_AFTER: Final = timedelta(hours=2)
_THINNED: Final = timedelta(minutes=5)
"""How close samples are that are older than that: three days of every quarter of a minute would be
17,000 pages."""


@dataclass(frozen=True, slots=True)
class Series:
    """Some series of one metric: those whose labels have one of these words, put together by the
    labels `by`. `metric` is the name of its row, without `_total`.
    """

    metric: str
    by: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    how: Literal["sum", "min"] = "sum"

    @property
    def row(self) -> MetricRow:
        """The row of the metric."""
        return BY_NAME[self.metric]

    def labels_of(self, key: Key) -> Labels | None:
        """Those of a series of the metric that is one of these, else None."""
        labels = dict(zip(self.row.labels, key[1:], strict=True))
        if any(labels[name] not in words for name, words in self.where.items()):
            return None
        return tuple(labels[name] for name in self.by)


@dataclass(frozen=True, slots=True)
class _Page:
    at: datetime
    values: Mapping[str, Mapping[Key, float]]
    """By the metric."""


class History:
    """Pages of the metrics `kept`, as long as the longest window `reach` needs them."""

    def __init__(self, kept: Iterable[str], reach: timedelta) -> None:
        self._kept = frozenset(kept)
        self._reach = reach
        self._pages: list[_Page] = []

    def add(self, at: datetime, figures: Figures) -> None:
        """Note a page, which is later than the last one."""
        values: dict[str, dict[Key, float]] = {name: {} for name in self._kept}
        for key, value in (*figures.counters.items(), *figures.gauges.items()):
            if key[0] in self._kept:
                values[key[0]][key] = value
        self._pages = list(_thinned([*self._pages, _Page(at, values)], at, self._reach))

    @property
    def at(self) -> datetime:
        """The time of the last page, of which there is one."""
        return self._pages[-1].at

    def covers(self, window: timedelta) -> bool:
        """Whether it reaches back so far."""
        return bool(self._pages) and self._pages[0].at <= self._pages[-1].at - window

    def now(self, series: Series) -> Vector:
        """What they are on the last page."""
        groups: dict[Labels, list[float]] = {}
        for key, labels in self._chosen(series):
            groups.setdefault(labels, []).append(self._pages[-1].values[series.metric][key])
        put_together = min if series.how == "min" else sum
        return {labels: put_together(values) for labels, values in groups.items()}

    def risen(self, series: Series, window: timedelta) -> Vector:
        """By how much counters rose in the window; one that began anew, since then."""
        found: Vector = {}
        for key, labels in self._chosen(series):
            begun = self.at - window
            values = [
                page.values[series.metric].get(key) for page in self._pages if page.at >= begun
            ]
            known = [value for value in values if value is not None]
            found[labels] = found.get(labels, 0.0) + known[-1] - min(known)
        return found

    def _chosen(self, series: Series) -> Iterator[tuple[Key, Labels]]:
        """The series of the last page that are some of these."""
        for key in self._pages[-1].values[series.metric] if self._pages else ():
            if (labels := series.labels_of(key)) is not None:
                yield key, labels


def _thinned(pages: Iterable[_Page], now: datetime, reach: timedelta) -> Iterator[_Page]:
    """Without what is too old, and with fewer of those that are rather old."""
    before: _Page | None = None
    for page in pages:
        if page.at < now - reach - _THINNED:
            continue
        old = page.at < now - _THINNED_AFTER
        if old and before is not None and page.at - before.at < _THINNED:
            continue
        before = page
        yield page
