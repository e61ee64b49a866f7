"""The phases of a connection and the time that it may stay in each."""

from __future__ import annotations

from receiver.web.connection.limits import EdgeLimits
from receiver.web.connection.phase import ENDING, RECEIVING, WAITING, Phase

KEEP_THE_TIME_BEFORE = {Phase.BODY, Phase.SURPLUS, Phase.LAST_ANSWER, Phase.CLOSING}


def test_a_phase_has_a_time_or_goes_on_with_the_one_before_it() -> None:
    assert set(Phase) - set(EdgeLimits().timeouts_s()) == KEEP_THE_TIME_BEFORE


def test_a_phase_waits_receives_answers_or_ends() -> None:
    grouped = [*WAITING, *RECEIVING, Phase.ANSWERING, *ENDING]
    assert sorted(grouped, key=lambda phase: phase.name) == sorted(
        Phase, key=lambda phase: phase.name
    )
