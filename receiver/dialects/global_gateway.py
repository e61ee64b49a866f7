"""`global`: Taobao Global and its sisters on one gateway. Performs no I/O.

The format: docs/platform/callbacks.md#the-three-dialects.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from receiver.callback import Callback, EventDraft, Fault, InboundRequest, Proof, VerifiedRequest
from receiver.dialects.content import without_push_time
from receiver.dialects.credentials import matching_secret, required_header
from receiver.dialects.dialect import Dialect
from receiver.errors import MalformedCallbackError
from receiver.messages.json_text import decoded, read_object
from receiver.messages.reading import Message, read_leniently, unknown_fields
from receiver.messages.recognition import unknown
from receiver.messages.taobao import Kind, has_refund_id, read_message
from receiver.signatures import global_signature
from schemas.values import Epoch, Identifier, Word

RETRY_HORIZON: Final = timedelta(hours=6)
"""12 retries, half an hour apart (docs/platform/callbacks.md#delivery-of-global)."""
CONTENT_TYPES: Final = frozenset({"application/json", "text/json", "text/plain"})

_KINDS: Final[dict[str, Kind]] = {"3": "status", "8": "price", "9": "refund"}


class Envelope(BaseModel):
    """The outer object of a push (docs/platform/callbacks.md#envelope-of-global)."""

    model_config = ConfigDict(frozen=True, extra="allow")

    seller_id: Identifier = None
    message_type: Word = None
    data: Any = None
    timestamp: Epoch = None
    site: Word = None


def verify_signature(request: InboundRequest, now: datetime) -> Proof:
    """Check the header `Authorization`; it covers the body, so the trust is `body`.

    The rule: docs/platform/callbacks.md#signature-of-global.

    The time is inside the body and retries come for 6 hours, so `now` is not used.
    """
    given = required_header(request, b"authorization", "missing_signature")
    app_key = request.source.access_key or ""
    index = matching_secret(
        request, given, lambda secret: global_signature(app_key, request.body, secret)
    )
    return Proof(trust="body", secret_index=index)


def parse(verified: VerifiedRequest) -> Callback:
    """Read a push; raises `MalformedCallbackError`."""
    faults: list[Fault] = []
    outer = read_object(verified.request.readable, faults=faults)
    envelope, more = read_leniently(Envelope, outer, "body")
    faults.extend(more)
    if envelope.message_type is None:
        raise MalformedCallbackError("missing", place="body.message_type")
    message = Message(
        message_type=envelope.message_type,
        channel="taobao",
        body=decoded(envelope.data, "data", faults),
        place="data",
        pushed_at=envelope.timestamp,
        faults=faults,
        unknown_fields=list(unknown_fields(envelope)),
    )
    return Callback(
        message_type=envelope.message_type,
        events=_events(message),
        content=without_push_time(outer, "timestamp"),
        pushed_at=envelope.timestamp,
        faults=message.faults,
        unknown_fields=message.unknown_fields,
    )


def _events(message: Message) -> list[EventDraft]:
    kind = _KINDS.get(message.message_type or "")
    if kind is not None:
        message.take_lone_object()
    if kind is None or (kind == "refund" and not has_refund_id(message)):
        return [unknown(message)]
    return read_message(message, kind, upstream=True)


GLOBAL: Final = Dialect(
    retry_horizon=RETRY_HORIZON,
    content_types=CONTENT_TYPES,
    verify_signature=verify_signature,
    parse=parse,
)
