"""Conditions as PromQL. Pure functions."""

from __future__ import annotations

from datetime import timedelta

from receiver.observability.alerts.conditions import (
    Absent,
    AtLeast,
    Below,
    Both,
    Condition,
    Due,
    Either,
    Risen,
    Share,
    Unless,
    labels,
)
from receiver.observability.alerts.history import Series


def expression(condition: Condition) -> str:
    """An expression with a sample for each case in which the condition holds."""
    match condition:
        case AtLeast(of, bound):
            return f"{_grouped(of, selector(of))} >= {bound:g}"
        case Below(of, bound):
            return f"{_grouped(of, selector(of))} < {bound:g}"
        case Absent(of):
            return f"absent({selector(of)})"
        case Due(of, within):
            return f"{_grouped(of, selector(of))} - time() < {within.total_seconds():g}"
        case Risen(of, within, least):
            return f"{_rise(of, within)} >= {least:g}"
        case Share(part, of, within, least):
            return f"{_rise(part, within)} / {_rise(of, within)} >= {least:g}"
        case Both(first, second):
            return f"({expression(first)}) and {_on(second)}"
        case Unless(first, second):
            return f"({expression(first)}) unless {_on(second)}"
        case Either(first, second):
            return f"({expression(first)}) or ({expression(second)})"


def selector(series: Series) -> str:
    """What selects them."""
    chosen = ",".join(
        f'{name}="{words[0]}"' if len(words) == 1 else f'{name}=~"{"|".join(words)}"'
        for name, words in series.where.items()
    )
    return f"{series.row.exported}{{{chosen}}}" if chosen else series.row.exported


def duration(time: timedelta) -> str:
    """A time as PromQL writes it."""
    seconds = int(time.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _grouped(series: Series, inner: str) -> str:
    by = f" by ({', '.join(series.by)}) " if series.by else ""
    return f"{series.how}{by}({inner})"


def _rise(series: Series, within: timedelta) -> str:
    """By how much counters rose. Not by `increase()`, which extrapolates: these are few, and the
    page of `yizhan metrics` keeps them from going back.
    """
    chosen = selector(series)
    return _grouped(series, f"{chosen} - min_over_time({chosen}[{duration(within)}])")


def _on(second: Condition) -> str:
    return f"on ({', '.join(labels(second))}) ({expression(second)})"
