"""The kinds of conditions of which alerts are made: a closed set. Plain data.

Each is written as PromQL (`promql`) and evaluated by ourselves (`holding`), on the same samples
with the same result; so there is no other kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from receiver.observability.alerts.history import Series

NO_WINDOW: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """They are `bound` or more."""

    of: Series
    bound: float


@dataclass(frozen=True, slots=True)
class Below:
    """They are less than `bound`."""

    of: Series
    bound: float


@dataclass(frozen=True, slots=True)
class Absent:
    """There are none."""

    of: Series


@dataclass(frozen=True, slots=True)
class Due:
    """The time that they say, in seconds since 1970, comes within `within`, or has come."""

    of: Series
    within: timedelta


@dataclass(frozen=True, slots=True)
class Risen:
    """Counters rose by `least` or more `within` a time."""

    of: Series
    within: timedelta
    least: float


@dataclass(frozen=True, slots=True)
class Share:
    """What `part` rose by within a time is the share `least` or more of what `of` did; both are
    grouped by the same labels.
    """

    part: Series
    of: Series
    within: timedelta
    least: float


@dataclass(frozen=True, slots=True)
class Both:
    """`first`, in those cases in which `second` holds too; its labels are some of those of `first`,
    or none.
    """

    first: Condition
    second: Condition


@dataclass(frozen=True, slots=True)
class Unless:
    """`first`, but for those cases in which `second` holds; labels are as in `Both`."""

    first: Condition
    second: Condition


@dataclass(frozen=True, slots=True)
class Either:
    """`first` or `second`, which have the same labels."""

    first: Condition
    second: Condition


Condition = AtLeast | Below | Absent | Due | Risen | Share | Both | Unless | Either


def labels(condition: Condition) -> tuple[str, ...]:
    """The names of the labels by which its cases differ."""
    match condition:
        case Both(first, _) | Unless(first, _) | Either(first, _):
            return labels(first)
        case _:
            return condition.of.by


def window(condition: Condition) -> timedelta:
    """How far it looks back."""
    match condition:
        case Both(first, second) | Unless(first, second) | Either(first, second):
            return max(window(first), window(second))
        case Risen() | Share():
            return condition.within
        case _:
            return NO_WINDOW


def all_series(condition: Condition) -> Iterator[Series]:
    """Everything that it reads."""
    match condition:
        case Both(first, second) | Unless(first, second) | Either(first, second):
            yield from all_series(first)
            yield from all_series(second)
        case Share(part, whole):
            yield from (part, whole)
        case _:
            yield condition.of
