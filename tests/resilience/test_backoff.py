"""The pauses between tries."""

from __future__ import annotations

import pytest

from receiver.resilience.backoff import Backoff


@pytest.mark.parametrize(("failures", "pause_s"), [(1, 0.5), (2, 2.0), (3, 5.0), (4, 5.0), (99, 5)])
def test_the_last_pause_stands_for_all_later_ones(failures: int, pause_s: float) -> None:
    assert Backoff((0.5, 2.0, 5.0)).pause_s(failures) == pause_s


@pytest.mark.parametrize(("jitter", "pause_s"), [(0.0, 2.0), (0.5, 2.25), (1.0, 2.5)])
def test_a_pause_is_lengthened_by_its_spread_at_most(jitter: float, pause_s: float) -> None:
    assert Backoff((2.0,), spread=0.25, jitter=lambda: jitter).pause_s(1) == pause_s
