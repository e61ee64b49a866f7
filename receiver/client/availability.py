"""Whether the platform is there at all: after some failures in a row it is left alone for a while.

Performs no I/O. Only unavailability counts: no connection, no answer in time, a 5xx. A refusal of
any kind, 429 too, is the answer of a platform that is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from receiver.client.endpoint import Endpoint
from receiver.errors import APIError, APIUnavailableError
from receiver.observability.logs import get_logger
from receiver.resilience.circuit_breaker import CircuitBreaker

_TIMED_OUT: Final = 408


class Availability:
    """Lets calls pass until `failures` in a row failed; then one in `pause_s`, to see.

    `now` is the time in seconds since 1970, for the error that says until when.
    """

    def __init__(
        self,
        failures: int,
        pause_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._limit = failures
        self._failures = 0
        self._now = now
        self._breaker = CircuitBreaker(probe_every_s=pause_s, clock=clock)
        self._log = get_logger("yizhan.client")

    @property
    def is_open(self) -> bool:
        """Whether the platform is left alone."""
        return self._breaker.is_open

    def check(self, endpoint: Endpoint) -> None:
        """Raise `APIUnavailableError` where no call may begin now, even as the next probe."""
        if (wait_s := self._breaker.closed_for_s()) > 0:
            raise self._left_alone(endpoint, wait_s)

    def enter(self, endpoint: Endpoint) -> None:
        """Begin a call, while open the next probe; raises `APIUnavailableError` where none may."""
        if not self._breaker.allows():
            raise self._left_alone(endpoint, self._breaker.closed_for_s())

    def answered(self) -> None:
        """The platform answered, whatever it said."""
        self._failures = 0
        if self._breaker.reset():
            self._log.info("api_available")

    def failed(self, error: APIError) -> None:
        """Count what a call ended with."""
        if not isinstance(error, APIUnavailableError):
            self.answered()
        elif _is_unavailability(error):
            self._failures += 1
            if self._failures >= self._limit and self._breaker.trip():
                self._log.warning("api_unavailable", failures=self._failures, error=str(error))

    def _left_alone(self, endpoint: Endpoint, wait_s: float) -> APIUnavailableError:
        until = time.strftime("%H:%M:%SZ", time.gmtime(self._now() + wait_s))
        return APIUnavailableError(
            f"{endpoint.name}: not sent: the platform was not available {self._failures} times in "
            f"a row, and is left alone until {until}",
            retry_after_s=wait_s,
        )


def _is_unavailability(error: APIUnavailableError) -> bool:
    return error.status is None or error.status >= 500 or error.status == _TIMED_OUT
