"""When a call is made again by itself. Performs no I/O.

The loop is the house's own, not a library's: each try has to pass the breaker and the queue for the
rate again, and the platform's `Retry-After` goes before any schedule.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from receiver.client.endpoint import Endpoint
from receiver.errors import (
    APIError,
    APIUnavailableError,
    OutcomeUnknownError,
    RateLimitedError,
)
from receiver.resilience.backoff import FULL_JITTER, Backoff

_DOUBLINGS: Final = 6
LONGEST_WAIT_S: Final = 30.0
"""A `Retry-After` beyond this is left to the caller, who may have other things to do."""


class Retries:
    """At most `tries` tries of a call, with pauses of full jitter that begin at `pause_s`.

    A read is made again where no usable answer came. A call that changes something is made again
    only where it was provably not sent (docs/platform/api.md#repeating-a-call).
    """

    def __init__(
        self, tries: int, pause_s: float, *, jitter: Callable[[], float] = random.random
    ) -> None:
        self._tries = tries
        pauses = tuple(min(pause_s * 2**n, LONGEST_WAIT_S) for n in range(_DOUBLINGS))
        self._backoff = Backoff(pauses, spread=FULL_JITTER, jitter=jitter)

    def pause_s(self, endpoint: Endpoint, error: APIError, attempt: int) -> float | None:
        """How long to wait after try number `attempt` (from 1); None where it was the last."""
        if attempt >= self._tries or not _may_repeat(endpoint, error):
            return None
        wished_s = error.retry_after_s or 0.0
        if wished_s > LONGEST_WAIT_S:
            return None
        return max(self._backoff.pause_s(attempt), wished_s)


def _may_repeat(endpoint: Endpoint, error: APIError) -> bool:
    if isinstance(error, OutcomeUnknownError):
        return False
    if endpoint.changes_state:  # for which any other is raised before it is sent
        return isinstance(error, APIUnavailableError)
    redirected = error.status is not None and 300 <= error.status < 400
    return isinstance(error, APIUnavailableError | RateLimitedError) and not redirected
