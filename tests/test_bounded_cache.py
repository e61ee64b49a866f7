"""What is remembered is bounded, and is what was put last."""

from __future__ import annotations

import pytest

from receiver.bounded_cache import BoundedCache


@pytest.mark.parametrize("limit", [0, 1, 2, 7, 100])
def test_the_newest_are_remembered_within_the_limit(limit: int) -> None:
    recent = BoundedCache[int](limit)
    for number in range(1000):
        recent.put(str(number), number)
        assert len(recent) <= limit + limit % 2
        newest = range(max(0, number + 1 - (limit + 1) // 2), number + 1)
        assert [recent.get(str(one)) for one in newest] == list(newest)
    assert recent.get("0") is None


def test_what_was_put_last_counts() -> None:
    recent = BoundedCache[str](4)
    for key, value in (("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")):
        recent.put(key, value)
    assert [recent.get(key) for key in "abc"] == ["3", "2", "4"]


def test_what_is_cleared_is_forgotten() -> None:
    recent = BoundedCache[int](4)
    for key in "abcd":
        recent.put(key, 0)
    recent.clear()
    assert len(recent) == 0
    assert recent.get("d") is None
