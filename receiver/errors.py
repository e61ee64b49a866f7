"""Every error Yizhan raises.

    YizhanError
    ├─ ConfigurationError            at start; exit code 2
    ├─ DeliveryError                 has .status; the endpoint maps it, once
    │  ├─ VerificationError          401; .reason for logs and metrics, never for the sender
    │  └─ MalformedCallbackError     400, 413, 415
    ├─ BusError                      503 on the way in, retry on the way out
    │  ├─ DecodingError              a stored message that is not one of our events
    │  └─ SpoolError                 the spool cannot keep or give a callback
    ├─ TimeLimitError                a run of a handler took too long
    ├─ UnconfirmedError              the platform's API does not show what an event says
    ├─ APIError                      .code .status .request_id .retryable .retry_after_s
    │  ├─ RateLimitedError
    │  ├─ APIUnavailableError
    │  │  └─ OutcomeUnknownError      a change that may have been made; .asking says how to know
    │  └─ APIRejectedError
    │     └─ InvalidRequestError      nothing was sent
    └─ RecordingError                a recording of calls that cannot be used

`Retry` and `Drop` (`receiver.worker.routing`) are signals, not errors: they stand outside the tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class YizhanError(Exception):
    """The root of every error that Yizhan raises on purpose."""


class ConfigurationError(YizhanError):
    """The settings or the machine do not allow a start; the message says what to change."""


class DeliveryError(YizhanError):
    """A delivery that is refused: `status` is the HTTP answer, `reason` goes to log and metrics."""

    def __init__(self, reason: str, *, status: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class VerificationError(DeliveryError):
    """The credentials are bad, missing, stale or replayed: 401. The reason is logged alone.

    `age_s` is how old a valid signature is that is stale, negative where it lies ahead.
    """

    def __init__(self, reason: str, *, age_s: float = 0.0) -> None:
        super().__init__(reason, status=401)
        self.age_s = age_s


class MalformedCallbackError(DeliveryError):
    """The request cannot be read: 400, 413 or 415. `place` is where the fault lies, if known."""

    def __init__(self, reason: str, *, status: int = 400, place: str = "") -> None:
        super().__init__(reason, status=status)
        self.place = place


class BusError(YizhanError):
    """The log did not acknowledge: 503 on the way in, a retry on the way out."""


class DecodingError(BusError):
    """A stored message that does not follow the wire contract; the message says where."""


class SpoolError(BusError):
    """The spool is full, or its disk is at fault; the message says which and what to do."""


class TimeLimitError(YizhanError):
    """A run of a handler did not end within its `timeout`; it was cancelled or left behind."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"took longer than {limit_s:g} s")


class UnconfirmedError(YizhanError):
    """The platform's API does not show what an event says; `final` where it never will."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class APIError(YizhanError):
    """A call to the platform's API failed.

    `code` is the platform's own code, of the verdict within the data where that is what refused;
    `outer_code` is that of the reply. `meaning` is what the pages say of `code`, `reason` what the
    platform said. `status` is the HTTP status, `request_id` the platform's id of the call (quote it
    to their support). Each is None where the reply did not carry it.

    `retryable` says whether the same call may be made again. It is false where a call that changes
    something may have been carried out although no usable answer came.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        code: int | str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        outer_code: int | str | None = None,
        reason: str | None = None,
        meaning: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.outer_code = outer_code
        self.reason = reason
        self.meaning = meaning
        if retryable is not None:
            self.retryable = retryable
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class RateLimitedError(APIError):
    """The platform asked us to slow down (429); `retry_after_s` is its wish, if it gave one."""

    retryable = True


class APIUnavailableError(APIError):
    """No usable answer: a time-out, a lost connection, a 5xx, or a body that is not a reply.

    A call that changes something raises it only where it was not sent.
    """

    retryable = True


@dataclass(frozen=True, slots=True)
class ReadCall:
    """A call that only reads: `name` as on `PlatformAPI`, `arguments` of its method."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.name}({given})"


class OutcomeUnknownError(APIUnavailableError):
    """A call that changes something was sent, and no usable answer came: it may have been made.

    It is never sent again by the client. `asking` is the read call that shows what became of it,
    None where the platform has none; `await api.<group>.settle(error)` makes that call. `sent_at`
    is when it was sent, in seconds since 1970 by the platform's clock as far as that is known, and
    `final_at` when an answer "not done" can be believed, by the time of the event loop.
    """

    retryable = False
    asking: ReadCall | None = None
    sent_at = 0.0
    final_at = 0.0
    question: Any = None
    """What `settle` goes by (`receiver.client.settlement.Question`)."""

    def __str__(self) -> str:
        shown = (
            f"{self.asking} shows it" if self.asking else "see what was done before trying again"
        )
        return f"{super().__str__()}: it may have been carried out: {shown}"


class APIRejectedError(APIError):
    """The platform understood and refused; asking again without a change will not help."""


class InvalidRequestError(APIRejectedError):
    """What was asked breaks a rule of the pages, or cannot be sent: nothing was sent."""


class RecordingError(YizhanError):
    """A recording of calls cannot be written or read, or does not hold the call that is made."""
