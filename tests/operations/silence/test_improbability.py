"""How improbable a silence is, by figures that can be checked by hand."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.operations.look.silence.history import hourly
from receiver.operations.look.silence.improbability import (
    HOUR,
    IMPROBABLE,
    MAX_HOURS,
    WEEK_HOURS,
    History,
    Silence,
    silence,
)

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = timedelta(days=7)


def known(history: History, silent: timedelta, *, after: timedelta = HOUR * 0) -> Silence:
    """Of a silence that begins where the history ends, or later."""
    last = history.end + after
    found = silence(history, last, last + silent)
    assert found is not None
    return found


def steady(each_hour: int, weeks: int = 4) -> History:
    """One hour more than counts: a source may have begun in the first."""
    return History(MONDAY - HOUR, [each_hour] * (weeks * WEEK_HOURS + 1))


def test_it_is_the_probability_of_none_at_the_rate_of_the_last_weeks() -> None:
    found = known(steady(3, weeks=4), 5 * HOUR)
    assert found.expected == pytest.approx(15)
    by_hand = 5 * 12 * math.log10(5 / 4)  # twelve in four weeks, in each of five hours
    assert found.improbability == pytest.approx(by_hand)
    poisson = 15 / math.log(10)
    assert by_hand < poisson < by_hand * 1.2
    assert known(steady(3, weeks=1), 5 * HOUR).improbability < by_hand


def test_parts_of_hours_count_as_parts() -> None:
    whole, two = steady(4), timedelta(minutes=30)
    assert known(whole, two, after=timedelta(minutes=45)).expected == pytest.approx(2)
    assert known(whole, timedelta(0)) == Silence(0, 0)


def test_a_quiet_night_is_no_silence_and_the_same_by_day_is() -> None:
    day = [0] * 8 + [6] * 12 + [0] * 4
    history = History(MONDAY - 24 * HOUR, [*day, *day * 28])
    night = known(history, 8 * HOUR)
    morning = known(history, 13 * HOUR)
    assert night == Silence(0, 0)
    assert morning.expected == pytest.approx(30)
    assert morning.improbability > IMPROBABLE


def test_too_little_is_known_of_a_new_or_rare_source() -> None:
    rare = History(MONDAY, [1, *[0] * 41] * 16)  # 16 in four weeks
    new = History(MONDAY, [50] * WEEK_HOURS)  # the first hour may have begun before it
    unread = steady(50)
    for history, last in ((rare, rare.end), (new, new.end), (unread, unread.end + 3 * HOUR)):
        assert silence(history, last, last + WEEK) is None


def test_bursts_are_fewer_occasions_than_callbacks() -> None:
    dice = random.Random(5)
    even = [dice.randint(3, 9) for _ in range(MAX_HOURS)]
    bursts = [dice.choice((0, 0, 0, 0, 0, 0, 0, 48)) for _ in range(MAX_HOURS)]
    of_even, of_bursts = (
        known(History(MONDAY, counts), 6 * HOUR).improbability for counts in (even, bursts)
    )
    assert of_even > IMPROBABLE
    assert of_bursts < 1


def test_an_import_in_one_week_is_not_taken_for_its_hour() -> None:
    counts = [1] * MAX_HOURS
    counts[1 + WEEK_HOURS] = 100_000
    found = known(History(MONDAY, counts), HOUR)
    assert found.expected < 4
    assert found.improbability < 1


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    most=st.sampled_from((1, 9, 400)),
    hours=st.integers(WEEK_HOURS + 2, MAX_HOURS),
    minutes=st.tuples(st.integers(0, 50_000), st.integers(0, 50_000)),
)
def test_a_longer_silence_is_never_more_probable(
    seed: int, most: int, hours: int, minutes: tuple[int, int]
) -> None:
    dice = random.Random(seed)
    history = History(MONDAY, [1, *(dice.randint(0, most) for _ in range(hours))])
    short, long = (
        known(history, timedelta(minutes=m), after=timedelta(minutes=seed % 60))
        for m in sorted(minutes)
    )
    assert 0 <= short.improbability <= long.improbability < math.inf
    assert 0 <= short.expected <= long.expected


@pytest.mark.parametrize("rate", [0.1, 20.0])
def test_a_healthy_source_is_hardly_ever_improbable(rate: float) -> None:
    """The longest of a thousand gaps after four weeks, of a source that is Poisson's."""
    dice = random.Random(18)
    arrivals = list(accumulate(dice.expovariate(rate) for _ in range(int(rate * MAX_HOURS))))
    counts = Counter(int(hour) for hour in arrivals)
    history = History(MONDAY, [counts[hour] for hour in range(int(arrivals[-1]))])
    longest = max(dice.expovariate(rate) for _ in range(1000))
    found = known(history, longest * HOUR)
    assert 2 < found.improbability < IMPROBABLE


@settings(max_examples=30)
@given(counts=st.lists(st.integers(0, 3), min_size=1, max_size=100))
async def test_hours_are_found_by_counts_from_times_on(counts: list[int]) -> None:
    asked = 0

    async def count(since: datetime) -> int:
        nonlocal asked
        asked += 1
        return sum(counts[(since - MONDAY) // HOUR :])

    assert await hourly(count, MONDAY, len(counts)) == counts
    assert asked <= len(counts)


async def test_hours_without_any_are_not_asked_for_one_by_one() -> None:
    asked = 0

    async def count(since: datetime) -> int:
        nonlocal asked
        asked += 1
        return 1 if since <= MONDAY + 300 * HOUR else 0

    found = await hourly(count, MONDAY, MAX_HOURS)
    assert (sum(found), found[300]) == (1, 1)
    assert asked < 30
