"""Conditions evaluated on a history, as Prometheus evaluates their PromQL. Pure functions."""

from __future__ import annotations

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
from receiver.observability.alerts.history import History, Vector


def holds(condition: Condition, history: History) -> Vector:
    """The cases in which it holds now, each with the value that shows it."""
    match condition:
        case AtLeast(of, bound):
            return {k: value for k, value in history.now(of).items() if value >= bound}
        case Below(of, bound):
            return {k: value for k, value in history.now(of).items() if value < bound}
        case Absent(of):
            return {} if history.now(of) else {(): 1.0}
        case Due(of, within):
            left = {k: value - history.at.timestamp() for k, value in history.now(of).items()}
            return {k: value for k, value in left.items() if value < within.total_seconds()}
        case Risen(of, within, least):
            return {k: v for k, v in history.risen(of, within).items() if v >= least}
        case Share(part, of, within, least):
            parts, wholes = history.risen(part, within), history.risen(of, within)
            shares = {k: v / wholes[k] for k, v in parts.items() if wholes.get(k)}
            return {k: share for k, share in shares.items() if share >= least}
        case Both(first, second):
            return {k: v for k, v, both in _joined(first, second, history) if both}
        case Unless(first, second):
            return {k: v for k, v, both in _joined(first, second, history) if not both}
        case Either(first, second):
            return {**holds(second, history), **holds(first, history)}


def _joined(
    first: Condition, second: Condition, history: History
) -> list[tuple[tuple[str, ...], float, bool]]:
    """The cases of `first`, and whether `second` holds in each."""
    cases = holds(second, history)
    places = [labels(first).index(name) for name in labels(second)]
    return [
        (case, value, tuple(case[place] for place in places) in cases)
        for case, value in holds(first, history).items()
    ]
