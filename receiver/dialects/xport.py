"""`xport`: the purchasing platform's own callbacks. Performs no I/O.

The format: docs/platform/callbacks.md#the-three-dialects.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from receiver.callback import Callback, Fault, InboundRequest, Proof, VerifiedRequest
from receiver.dialects.content import without_push_time
from receiver.dialects.credentials import (
    age_of,
    matching_secret,
    required_header,
    same_text,
    single_header,
)
from receiver.dialects.dialect import Dialect
from receiver.errors import MalformedCallbackError, VerificationError
from receiver.messages import alibaba
from receiver.messages.json_text import decoded, read_json, read_object
from receiver.messages.reading import Message, read_leniently, unknown_fields
from receiver.messages.recognition import events_of
from receiver.settings import SourceSettings
from receiver.signatures import xport_signature
from schemas.statuses import Channel
from schemas.values import Epoch, Word

RETRY_HORIZON: Final = timedelta(hours=2, minutes=30)
"""5 retries, half an hour apart (docs/platform/callbacks.md#delivery-of-xport)."""
_RETRY_HORIZON_S: Final = int(RETRY_HORIZON.total_seconds())
CONTENT_TYPES: Final = frozenset({"application/json", "text/json", "text/plain"})
NONCE_WORTH_CHARS: Final = 16
"""A nonce shorter than this may repeat by chance, so it proves no replay."""
_WORTH_CHARS: Final = 10 + NONCE_WORTH_CHARS
"""A timestamp in seconds and such a nonce."""

_BODY: Final = "messageBody"
_SIGNATURE_CHARS: Final = 32
_CHANNELS: Final[dict[str, Channel]] = {"0": "taobao", "1": "1688"}
_PREFIXES: Final[tuple[tuple[str, Channel], ...]] = (("TAOBAO_", "taobao"), ("1688_", "1688"))


class Envelope(BaseModel):
    """The outer object of a callback; `messageBody` is read apart.

    Its fields: docs/platform/callbacks.md#envelope-of-xport.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    message_type: Word = Field(default=None, alias="messageType")
    message_body: Any = Field(default=None, alias="messageBody")
    message_platform: Word = Field(default=None, alias="messagePlatform")
    timestamp: Epoch = None


def verify_signature(request: InboundRequest, now: datetime) -> Proof:
    """Check the headers; they do not cover the body, so the trust is `headers`.

    The rule: docs/platform/callbacks.md#signature-of-xport.

    Timestamp and nonce are signed without a mark between them: the last three digits of a time in
    milliseconds can be moved into the nonce, and back. So only both together identify a replay.
    """
    access_key = required_header(request, b"access-key", "missing_access_key")
    timestamp = required_header(request, b"timestamp", "missing_timestamp")
    signature = required_header(request, b"signature", "missing_signature")
    nonce = single_header(request, b"nonce-str") or ""
    if len(signature) != _SIGNATURE_CHARS:
        raise VerificationError("bad_signature")
    if not same_text(access_key, request.source.access_key or ""):
        raise VerificationError("bad_access_key")
    age_s = age_of(timestamp, now)
    index = matching_secret(
        request,
        signature,
        lambda secret: xport_signature(access_key, timestamp, nonce, secret),
    )
    used = timestamp + nonce
    worth = len(used) >= _WORTH_CHARS
    tolerance_s = request.source.tolerance_s
    oldest_s = tolerance_s + (_retried_for_s(request.source) if worth else 0)
    if not -tolerance_s <= age_s <= oldest_s:
        raise VerificationError("stale_timestamp", age_s=age_s)
    return Proof("headers", index, used if worth else "", lifetime_s=oldest_s + tolerance_s)


def _retried_for_s(source: SourceSettings) -> int:
    """How much longer than `tolerance_s` a signature with a nonce is taken.

    It is unknown whether a retry is signed anew, so the first signature is taken as long as retries
    may come, where another body under it would be refused.
    """
    if source.replay_check != "refuse":
        return 0
    if source.retry_horizon_s is not None:
        return source.retry_horizon_s
    return _RETRY_HORIZON_S


def parse(verified: VerifiedRequest) -> Callback:
    """Read a callback's envelope and message; raises `MalformedCallbackError`."""
    faults: list[Fault] = []
    outer = read_object(verified.request.readable, faults=faults)
    if outer.get("messageType") is None and outer.get("messageBody") is None:
        raise MalformedCallbackError("neither messageType nor messageBody", place="body")
    envelope, more = read_leniently(Envelope, outer, "body")
    faults.extend(more)
    message = _message(envelope, faults)
    message.unknown_fields.extend(unknown_fields(envelope))
    events = events_of(message)
    return Callback(
        message_type=envelope.message_type,
        events=events,
        pushed_at=envelope.timestamp,
        content=without_push_time(outer, "timestamp"),
        faults=message.faults,
        unknown_fields=message.unknown_fields,
    )


def _message(envelope: Envelope, faults: list[Fault]) -> Message:
    name, channel = _name_and_channel(envelope)
    body = envelope.message_body
    if isinstance(body, str) and body.strip():
        try:
            body = decoded(read_json(body, _BODY, faults), _BODY, faults)
        except MalformedCallbackError:
            if name in alibaba.TOPICS:
                raise
    return Message(
        message_type=name,
        channel=channel,
        body=body,
        place=_BODY,
        pushed_at=envelope.timestamp,
        faults=faults,
    )


def _name_and_channel(envelope: Envelope) -> tuple[str | None, Channel]:
    """Strip the optional prefix; `messagePlatform` is the channel, else the prefix."""
    name = envelope.message_type
    channel = _CHANNELS.get(envelope.message_platform or "", "unknown")
    for prefix, prefixed in _PREFIXES:
        if name and name.startswith(prefix):
            return name.removeprefix(prefix), prefixed if channel == "unknown" else channel
    return name, channel


XPORT: Final = Dialect(
    retry_horizon=RETRY_HORIZON,
    content_types=CONTENT_TYPES,
    verify_signature=verify_signature,
    parse=parse,
    signs_body=False,
)
