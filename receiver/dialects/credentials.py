"""The parts every verifier shares. One way to fail: `VerificationError`. Performs no I/O."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Final

from receiver.callback import InboundRequest
from receiver.errors import VerificationError

MAX_HEADER_CHARS: Final = 256
_SECONDS_DIGITS: Final = 10
_MILLISECONDS_DIGITS: Final = 13


def single_header(request: InboundRequest, name: bytes) -> str | None:
    """The one value of a header as ASCII text; None where it is absent.

    A repeated, overlong or non-ASCII header raises: two readers could take it for two things.
    """
    value = request.header(name)
    if value is None:
        return None
    if request.repeats_a_header and len(request.header_values(name)) > 1:
        raise VerificationError("repeated_header")
    if len(value) > MAX_HEADER_CHARS or not value.isascii():
        raise VerificationError("hostile_header")
    return value.decode("ascii").strip()


def required_header(request: InboundRequest, name: bytes, reason: str) -> str:
    """As `single_header`; raises with `reason` where it is absent or blank."""
    value = single_header(request, name)
    if not value:
        raise VerificationError(reason)
    return value


def age_of(timestamp: str, now: datetime) -> float:
    """The seconds since epoch seconds (10 digits) or milliseconds (13 digits), negative where it
    lies ahead; raises `VerificationError` for anything else.
    """
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise VerificationError("bad_timestamp")
    if len(timestamp) == _SECONDS_DIGITS:
        sent_s = float(int(timestamp))
    elif len(timestamp) == _MILLISECONDS_DIGITS:
        sent_s = int(timestamp) / 1000
    else:
        raise VerificationError("bad_timestamp")
    return now.timestamp() - sent_s


def same_text(left: str, right: str) -> bool:
    """Compare in constant time, whatever the characters."""
    return hmac.compare_digest(left.encode(), right.encode())


def matching_secret(request: InboundRequest, given: str, sign: Callable[[str], str]) -> int:
    """The index of the secret whose signature is `given`, compared without case.

    Every secret is tried, so that the time does not show which one matched.
    """
    given_upper, found = given.upper(), -1
    for index, secret in enumerate(request.source.secrets):
        if same_text(sign(secret.get_secret_value()).upper(), given_upper) and found < 0:
            found = index
    if found < 0:
        raise VerificationError("bad_signature")
    return found
