"""One deadline is shared by all steps of a stop, and the last of them still gets some time."""

from __future__ import annotations

import pytest

from receiver.resilience.deadline import CLOSING_S, Deadline


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_runs_from_the_first_question_on() -> None:
    clock = Clock()
    deadline = Deadline(10, clock=clock)
    clock.now += 99
    assert not deadline.begun
    assert (deadline.grace_left_s(), deadline.left_s()) == (10, 10 + CLOSING_S)
    clock.now += 4
    deadline.begin()
    assert (deadline.grace_left_s(), deadline.left_s()) == (6, 6 + CLOSING_S)


def test_a_step_may_use_the_grace_time_and_a_part_of_what_is_beyond_it() -> None:
    clock = Clock()
    deadline = Deadline(10, clock=clock)
    assert 10 < deadline.step_s() < 10 + CLOSING_S
    clock.now += 10
    assert 0 < deadline.step_s() < CLOSING_S / 4
    assert deadline.step_s() < deadline.step_s(beyond_s=0.5) < CLOSING_S


@pytest.mark.parametrize("grace_s", [0, 0.5, 10])
def test_steps_that_all_hang_leave_time_to_end(grace_s: float) -> None:
    clock = Clock()
    deadline = Deadline(grace_s, clock=clock)
    for _ in range(8):
        step_s = deadline.step_s()
        assert step_s > 0
        clock.now += step_s
    assert deadline.grace_left_s() == 0
    assert deadline.left_s() > 0
