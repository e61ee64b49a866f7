"""A flood of refusals writes a bounded number of lines, and tells how many it left out."""

from __future__ import annotations

from receiver.observability.log_sampling import Sampling


def test_each_second_logs_its_number_and_counts_the_rest() -> None:
    now = 100.0
    sampling = Sampling(2, clock=lambda: now)
    assert [sampling.admit() for _ in range(5)] == [0, 0, None, None, None]
    now = 101.5
    assert [sampling.admit() for _ in range(3)] == [3, 0, None]
