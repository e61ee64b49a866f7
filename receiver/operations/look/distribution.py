"""A histogram as a document: its buckets, and what can be said of its quantiles. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from receiver.observability.figures import Figures
from receiver.observability.metric_table import BY_NAME

_QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def distribution(figures: Figures, name: str, *labels: str) -> dict[str, Any]:
    """Of the rows of `name` whose first labels these are, together.

    `count` were observed, with a `mean`. A quantile is the upper bound of the bucket that it lies
    in, null of nothing and where it is beyond the last bound. `buckets` have their number each, not
    cumulative, and the bound up to which they reach (`upto`), null for the last.
    """
    bounds = BY_NAME[name].bounds
    *counts, total = _sum(figures, (name, *labels), len(bounds) + 2)
    count = sum(counts)
    return {
        "count": int(count),
        "mean": round(total / count, 4) if count else None,
        **{word: _quantile(bounds, counts, share) for word, share in _QUANTILES.items()},
        "buckets": [
            {"upto": bound, "count": int(number)}
            for bound, number in zip((*bounds, None), counts, strict=True)
        ],
    }


def _sum(figures: Figures, key: tuple[str, ...], length: int) -> Sequence[float]:
    """Of those with these bounds: another version's may have others."""
    found = [
        values
        for one, values in figures.histograms.items()
        if one[: len(key)] == key and len(values) == length
    ]
    return [sum(column) for column in zip(*found, strict=True)] or [0.0] * length


def _quantile(bounds: Sequence[float], counts: Sequence[float], share: float) -> float | None:
    wanted, seen = sum(counts) * share, 0.0
    for bound, number in zip(bounds, counts, strict=False):
        seen += number
        if wanted and seen >= wanted:
            return bound
    return None
