"""What becomes of an event after one run of a handler: a pure decision.

    raise Drop                                Term
    raise Retry(after=...)                    NakWithDelay, by the handler's own delay
    an error that no retry can clear          DeadLetter
    BusError                                  NakWithDelay: the log's fault is not the handler's
    any other exception                       NakWithDelay by the schedule, then DeadLetter

An attempt is a run that began; what gives up is the count of those that failed. A `Retry` and a
`BusError` are no failures. There is no bare nak: every one has a delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from receiver.errors import APIError, BusError, ConfigurationError, DecodingError
from receiver.worker.effects.failures import InDoubtError
from receiver.worker.interface import Drop, Retry
from receiver.worker.retry_policy import SHORTEST_DELAY_S, RetryPolicy

Outcome = Literal[
    "done", "dropped", "postponed", "retried", "dead_lettered", "released", "coalesced"
]
"""How one delivery ended. `postponed` is `Retry`; `released` was given back at the stop;
`coalesced` waits for a newer one of its order, or a newer one waits already: it was not run."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The handler is done."""

    outcome: Outcome = "done"


@dataclass(frozen=True, slots=True)
class NakWithDelay:
    """Run again, `delay_s` from now; `failed` is whether that was the handler's fault."""

    delay_s: float
    outcome: Outcome = "retried"
    failed: bool = True


@dataclass(frozen=True, slots=True)
class Term:
    """Never deliver again; nothing is kept."""

    reason: str
    outcome: Outcome = "dropped"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Keep it as a dead letter, then never deliver it again."""

    reason: str
    place: str = ""
    outcome: Outcome = "dead_lettered"


Decision = Ack | NakWithDelay | Term | DeadLetter


def decide(
    error: BaseException,
    attempt: int,
    policy: RetryPolicy,
    *,
    failures: int | None = None,
    reason: str = "",
    place: str = "",
) -> Decision:
    """What to do after attempt `attempt` (from 1) ended with `error`.

    `failures` is how many of the attempts before failed: all of them by default. `reason` and
    `place` are what a dead letter says of the error.
    """
    if isinstance(error, Drop):
        return Term(error.reason)
    if attempt >= policy.max_deliveries:
        return DeadLetter(f"{attempt} deliveries and no end: {reason}", place)
    if isinstance(error, Retry):
        delay_s = policy.delay_s(attempt) if error.after_s is None else error.after_s
        return NakWithDelay(max(SHORTEST_DELAY_S, delay_s), "postponed", failed=False)
    failed = attempt if failures is None else failures + 1
    if _is_final(error) or (failed >= policy.max_attempts and not _is_the_logs_fault(error)):
        return DeadLetter(reason, place)
    wished_s = error.retry_after_s if isinstance(error, APIError) else None
    delay_s = max(policy.delay_s(failed), wished_s or 0)
    return NakWithDelay(delay_s, failed=not _is_the_logs_fault(error))


def _is_final(error: BaseException) -> bool:
    """Whether only a change of code, settings or data could help."""
    if isinstance(error, APIError):
        return not error.retryable
    return isinstance(error, ConfigurationError | DecodingError | InDoubtError)


def _is_the_logs_fault(error: BaseException) -> bool:
    return isinstance(error, BusError)
