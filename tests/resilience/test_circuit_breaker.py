"""What a circuit breaker lets pass, by a clock of the test's own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from receiver.resilience.circuit_breaker import CircuitBreaker


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(probe_every_s=1.0, clock=clock)


def test_a_closed_one_lets_everything_pass(breaker: CircuitBreaker) -> None:
    assert [breaker.allows() for _ in range(3)] == [True, True, True]
    assert not breaker.tripped_within(1e9)


def test_an_open_one_lets_one_probe_pass_at_a_time(breaker: CircuitBreaker, clock: Clock) -> None:
    assert breaker.trip()
    assert not breaker.allows()
    clock.now += 1
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    clock.now += 1
    assert breaker.allows()


def test_a_probe_that_fails_begins_the_wait_anew(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.trip()
    clock.now += 1.5
    assert not breaker.trip()
    clock.now += 0.75
    assert not breaker.allows()


def test_only_the_first_failure_opens_and_only_the_first_success_closes(
    breaker: CircuitBreaker,
) -> None:
    assert [breaker.trip(), breaker.trip()] == [True, False]
    assert [breaker.reset(), breaker.reset()] == [True, False]
    assert breaker.allows()


def test_its_verdict_grows_old(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.trip()
    clock.now += 30
    assert breaker.tripped_within(30)
    clock.now += 1
    assert not breaker.tripped_within(30)
