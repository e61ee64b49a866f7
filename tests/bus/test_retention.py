"""Bounds are warned of before messages go, and while they are wider than the settings say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from receiver.bus.jetstream_api import nanoseconds
from receiver.bus.retention import warnings
from receiver.bus.stream_plan import StreamPlan

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PLAN = StreamPlan("S", ["s"], timedelta(hours=1), max_age=timedelta(days=10), max_bytes=20_000_000)


def info(*, days: float = 10, limit: int = 20_000_000, size: int = 0, age_h: int = 0) -> Any:
    """An answer to `STREAM.INFO`: its bounds, what it holds, and how old the first message is."""
    first = (NOW - timedelta(hours=age_h)).isoformat().replace("+00:00", ".123456789Z")
    return {
        "config": {"max_age": nanoseconds(timedelta(days=days)), "max_bytes": limit},
        "state": {"messages": 1, "bytes": size, "first_ts": first},
    }


def test_a_stream_far_from_its_bounds_is_not_warned_of() -> None:
    assert not list(warnings(info(size=17_999_999, age_h=215), PLAN, now=NOW))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (info(size=18_000_000), "has reached 90% of 20000000 bytes"),
        (info(age_h=217), "the oldest messages of the stream S go after 10 days"),
        (info(days=20), "keeps messages for 20 days, not for 10 days"),
        (info(days=0), "keeps messages for ever, not for 10 days"),
        (info(limit=-1), "keeps any number of bytes, not 20000000"),
        (info(limit=30_000_000), "keeps 30000000 bytes, not 20000000"),
    ],
)
def test_a_bound_that_is_near_or_too_wide_is_one_sentence(found: Any, said: str) -> None:
    (sentence,) = warnings(found, PLAN, now=NOW)
    assert said in sentence
    assert "`yizhan retention apply`" in sentence
