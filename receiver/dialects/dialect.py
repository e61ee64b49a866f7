"""What every dialect offers, whatever its wire format. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest


def _no_other_bytes(request: InboundRequest, proof: Proof) -> None:
    del request, proof


@dataclass(frozen=True, slots=True)
class Dialect:
    """One wire format.

    `retry_horizon`: how long after its first push the same callback may come again.
    `signs_body`: whether the signature covers the body.
    `content_types`: the media types a delivery may name (it may also name none).
    `verify_signature` raises `VerificationError` and nothing else; the datetime is now.
    `parse` raises `MalformedCallbackError` and nothing else.
    `identity` gives the bytes that a callback's id is made from, where the same callback may come
    in other bytes; None, and without it, the raw body.
    """

    retry_horizon: timedelta
    content_types: frozenset[str]
    verify_signature: Callable[[InboundRequest, datetime], Proof]
    parse: Callable[[VerifiedRequest], Callback]
    signs_body: bool = True
    identity: Callable[[InboundRequest, Proof], bytes | None] = _no_other_bytes
