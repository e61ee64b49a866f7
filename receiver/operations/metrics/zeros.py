"""Counters that have not counted yet, as 0: what begins at 1 has no rise that a rule can see."""

from __future__ import annotations

from itertools import product
from typing import Final

from receiver.observability.figures import Figures
from receiver.observability.metric_row import NAMES
from receiver.observability.metric_table import BY_NAME, ROWS

_COUNTED: Final = [
    row
    for row in ROWS
    if row.kind == "counter" and row.origin == "process" and "collected" in row.pages
]
_NAMED: Final = ("source", "handler", "row")


def add_zeros(figures: Figures) -> None:
    """Add the counters of processes that are missing for a source, handler or row of the page."""
    names: dict[str, set[str]] = {label: set() for label in _NAMED}
    for key in (*figures.counters, *figures.gauges):
        label = next(iter(BY_NAME[key[0]].labels), None)
        if label in names:
            names[label].add(key[1])
    for row in _COUNTED:
        label, *others = row.labels
        if all(row.labels[other] != NAMES for other in others):
            for key in product(sorted(names[label]), *(row.labels[other] for other in others)):
                figures.counters.setdefault((row.name, *key), 0)
