"""The decision after a run, without any I/O."""

from __future__ import annotations

import pytest

from receiver.errors import (
    APIRejectedError,
    APIUnavailableError,
    BusError,
    ConfigurationError,
    DecodingError,
    RateLimitedError,
)
from receiver.observability.places import place_of
from receiver.worker.interface import Drop, Retry
from receiver.worker.outcomes import DeadLetter, NakWithDelay, Term, decide
from receiver.worker.retry_policy import DELAYS_S, RetryPolicy

POLICY = RetryPolicy(max_attempts=8, jitter=lambda: 0.0)


def test_a_drop_is_terminated() -> None:
    assert decide(Drop("not ours"), 1, POLICY) == Term("not ours")


@pytest.mark.parametrize("attempt", [1, 8, 999])
def test_a_retry_waits_as_long_as_the_handler_says(attempt: int) -> None:
    assert decide(Retry(after=60), attempt, POLICY) == NakWithDelay(60, "postponed", failed=False)


def test_a_retry_without_a_time_waits_as_the_policy_says() -> None:
    assert decide(Retry(), 3, POLICY) == NakWithDelay(DELAYS_S[2], "postponed", failed=False)


def test_a_retry_at_once_still_has_a_delay() -> None:
    decision = decide(Retry(after=0), 1, POLICY)
    assert isinstance(decision, NakWithDelay)
    assert decision.delay_s > 0


def test_an_endless_retry_ends_as_a_dead_letter() -> None:
    decision = decide(Retry(after=1), POLICY.max_deliveries, POLICY, reason="Retry: not yet")
    assert decision == DeadLetter("1000 deliveries and no end: Retry: not yet")


def test_failures_wait_longer_and_longer_and_then_are_dead_lettered() -> None:
    decisions = [
        decide(ValueError(), attempt, POLICY, reason="ValueError") for attempt in range(1, 9)
    ]
    assert decisions == [*map(NakWithDelay, DELAYS_S), DeadLetter("ValueError")]


def test_an_attempt_that_did_not_fail_uses_up_none_of_those_that_may() -> None:
    decision = decide(ValueError(), 20, POLICY, failures=1)
    assert decision == NakWithDelay(DELAYS_S[1])
    assert isinstance(decide(ValueError(), 20, POLICY, failures=7), DeadLetter)


def test_the_last_delay_is_repeated() -> None:
    assert RetryPolicy(max_attempts=99, jitter=lambda: 0.0).delay_s(50) == DELAYS_S[-1]


def test_jitter_lengthens_a_delay_by_up_to_a_quarter() -> None:
    assert RetryPolicy(jitter=lambda: 1.0).delay_s(2) == DELAYS_S[1] * 1.25


@pytest.mark.parametrize(
    "error", [APIRejectedError("no"), ConfigurationError("no"), DecodingError("no")]
)
def test_a_failure_that_no_retry_can_clear_is_dead_lettered_at_once(error: Exception) -> None:
    assert decide(error, 1, POLICY, reason="no", place="here:1") == DeadLetter("no", "here:1")


def test_the_platforms_wish_for_a_pause_is_honoured() -> None:
    assert decide(RateLimitedError("slow", retry_after_s=77), 1, POLICY) == NakWithDelay(77)
    assert decide(RateLimitedError("slow", retry_after_s=0.1), 2, POLICY) == NakWithDelay(5)


def test_an_unavailable_api_is_retried_by_the_schedule_and_no_longer() -> None:
    assert decide(APIUnavailableError("away"), 1, POLICY) == NakWithDelay(1)
    assert isinstance(decide(APIUnavailableError("away"), 8, POLICY), DeadLetter)


def test_the_logs_fault_never_makes_a_dead_letter_of_itself() -> None:
    assert decide(BusError("away"), 500, POLICY) == NakWithDelay(DELAYS_S[-1], failed=False)


def test_the_place_is_the_last_one_in_the_handlers_module() -> None:
    with pytest.raises(ValueError, match="negative") as caught:
        Retry(after=-1)
    function = "test_the_place_is_the_last_one_in_the_handlers_module"
    assert place_of(caught.value, __name__).startswith(f"{__name__}.{function}:")
    assert place_of(caught.value).startswith("receiver.worker.interface.Retry.__init__:")
