"""How improbable it is that nothing comes for so long, by the hours of the last weeks. No I/O.

Callbacks of one hour of the week are taken for Poisson's, of a rate that so many weeks show: after
`n` of them in `w` weeks none comes in a part `f` of such an hour with the probability
`(w / (w + f)) ** n`, which tends to `exp(-n / w)`, and is cautious where weeks are few. Callbacks
that come in bursts are fewer occasions than callbacks: the exponent is divided by how much more
their numbers vary than Poisson's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

HOUR: Final = timedelta(hours=1)
WEEK_HOURS: Final = 168
MAX_HOURS: Final = 4 * WEEK_HOURS + 1
"""What is kept of the time before the last callback: the first hour with any is left out, since
the source may have begun within it.
"""
MIN_CALLBACKS: Final = 20
"""Fewer in all, or less than a week, say nothing."""
IMPROBABLE: Final = 4.0
"""1 in 10,000: from there on a silence is worth a look, at night, too."""
_SPIKE: Final = 3
"""An hour of so many times what any other week had in it is an import or a test of load."""


class History(NamedTuple):
    """Callbacks of each hour from `first` on, a whole hour; all of them are over."""

    first: datetime
    counts: Sequence[int]

    @property
    def end(self) -> datetime:
        """When the first hour begins that is not in it."""
        return self.first + len(self.counts) * HOUR


class Silence(NamedTuple):
    """Of a stretch without callbacks: how many were to be `expected`, and `-log10` of the
    probability that none comes.
    """

    expected: float
    improbability: float


def silence(history: History, last: datetime, now: datetime) -> Silence | None:
    """Of the time since the `last` callback; None where too little is known of the time before."""
    counts = _before(history, floor_hour(last))
    if len(counts) < WEEK_HOURS or sum(counts) < MIN_CALLBACKS:
        return None
    begin = _number(floor_hour(last)) - len(counts)
    weeks = [counts[(hour - begin) % WEEK_HOURS :: WEEK_HOURS] for hour in range(WEEK_HOURS)]
    tamed = [_without_spike(week) for week in weeks]
    expected = exponent = 0.0
    for hour, part in _stretch(last, now):
        week = tamed[hour]
        expected += part * sum(week) / len(week)
        exponent += sum(week) * math.log1p(part / len(week))
    return Silence(expected, exponent / _dispersion(tamed) / math.log(10))


def floor_hour(at: datetime) -> datetime:
    """When the hour began, in UTC."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _before(history: History, end: datetime) -> Sequence[int]:
    """The hours before `end`, from the one after the first that had any."""
    counts = list(history.counts)[: max(0, (end - history.first) // HOUR)][-MAX_HOURS:]
    begun = next((number for number, count in enumerate(counts) if count), len(counts))
    return counts[begun + 1 :] if history.end >= end else ()


def _stretch(last: datetime, now: datetime) -> Iterator[tuple[int, float]]:
    """Each hour of the week since then, and which part of it."""
    at = floor_hour(last)
    for _ in range(MAX_HOURS):
        part = (min(now, at + HOUR) - max(last, at)) / HOUR
        if part <= 0:
            return
        yield _number(at) % WEEK_HOURS, part
        at += HOUR


def _number(hour: datetime) -> int:
    return int(hour.timestamp()) // 3600


def _without_spike(week: Sequence[int]) -> Sequence[int]:
    if len(week) == 1:
        return week
    second, most = sorted(week)[-2:]
    return [min(count, _SPIKE * (second + 1)) for count in week] if most > second else week


def _dispersion(weeks: Sequence[Sequence[int]]) -> float:
    """How much more the numbers vary than Poisson's, of which two of one rate have a mean of 1 for
    `(a - b)**2 / (a + b)`. Of one hour in two weeks, or of two hours where there is one week.
    """
    pairs = [pair for week in weeks for pair in pairwise(week)]
    if len(pairs) < WEEK_HOURS // 2:
        pairs = list(pairwise(week[0] for week in weeks))
    values = [(one - other) ** 2 / (one + other) for one, other in pairs if one + other]
    return max(1.0, sum(values) / len(values)) if values else 1.0
