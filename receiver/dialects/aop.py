"""`aop`: the 1688 open platform's own callbacks. Performs no I/O.

The format: docs/platform/callbacks.md#the-three-dialects.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from receiver.callback import Callback, Fault, InboundRequest, Proof, VerifiedRequest
from receiver.dialects.content import without_push_time
from receiver.dialects.credentials import matching_secret
from receiver.dialects.dialect import Dialect
from receiver.dialects.form import first_reading, readings
from receiver.errors import MalformedCallbackError, VerificationError
from receiver.messages.json_text import decoded, read_object
from receiver.messages.reading import Message, read_leniently, unknown_fields
from receiver.messages.recognition import events_of
from receiver.signatures import aop_signature
from schemas.values import Epoch, Identifier, Word

RETRY_HORIZON: Final = timedelta(hours=2, minutes=30)
"""About 3 retries, their distance not documented (docs/platform/callbacks.md#delivery-of-aop): the
horizon of `xport` is assumed."""
CONTENT_TYPES: Final = frozenset({"application/x-www-form-urlencoded"})

_MESSAGE: Final = "message"
_DATA: Final = "message.data"
_SIGNATURE: Final = "_aop_signature"


class Envelope(BaseModel):
    """The JSON of the form field `message` (docs/platform/callbacks.md#message-of-aop)."""

    model_config = ConfigDict(frozen=True, extra="allow")

    message_id: Identifier = Field(default=None, alias="msgId")
    born_at: Epoch = Field(default=None, alias="gmtBorn")
    topic: Word = Field(default=None, alias="type")
    user_info: Any = Field(default=None, alias="userInfo")
    data: Any = None
    biz_key: Any = Field(default=None, alias="bizKey")
    extra_info: Any = Field(default=None, alias="extraInfo")


def verify_signature(request: InboundRequest, now: datetime) -> Proof:
    """Check `_aop_signature`; it covers the whole form, so the trust is `body`.

    The rule: docs/platform/callbacks.md#signature-of-aop.

    The form names no time that is signed apart, so `now` is not used: a replay of the same bytes
    is an exact duplicate and absorbed as such.
    """
    try:
        forms = list(readings(request.body))
    except MalformedCallbackError as error:
        raise VerificationError("bad_form") from error
    for form in forms:
        given = [value for key, value in form if key == _SIGNATURE]
        if not given or not given[0]:
            raise VerificationError("missing_signature")
        if len(given) > 1:
            raise VerificationError("repeated_signature")
        sign = partial(aop_signature, form)
        try:
            index = matching_secret(request, given[0].strip(), sign)
        except VerificationError:
            continue
        return Proof(trust="body", secret_index=index, form=form)
    raise VerificationError("bad_signature")


def parse(verified: VerifiedRequest) -> Callback:
    """Read the message of a form; raises `MalformedCallbackError`."""
    form = verified.proof.form or first_reading(verified.request.readable)
    texts = [value for key, value in form if key == _MESSAGE]
    if len(texts) != 1:
        reason = "repeated" if texts else "missing"
        raise MalformedCallbackError(reason, place=_MESSAGE)
    faults: list[Fault] = []
    outer = read_object(texts[0], _MESSAGE, faults)
    envelope, more = read_leniently(Envelope, outer, _MESSAGE)
    faults.extend(more)
    if envelope.topic is None:
        raise MalformedCallbackError("missing", place="message.type")
    message = Message(
        message_type=envelope.topic,
        channel="1688",
        body=decoded(envelope.data, _DATA, faults),
        place=_DATA,
        pushed_at=envelope.born_at,
        faults=faults,
        unknown_fields=list(unknown_fields(envelope)),
    )
    events = events_of(message)
    message_id = _usable(envelope.message_id)
    return Callback(
        message_type=envelope.topic,
        events=events,
        content=message_id.encode() if message_id else without_push_time(outer, "gmtBorn"),
        pushed_at=envelope.born_at,
        message_id=message_id,
        faults=message.faults,
        unknown_fields=message.unknown_fields,
    )


def _usable(message_id: str | None) -> str | None:
    """The platform's id of a message where it is one: a whole number above zero.

    A placeholder that many messages share would make them all retransmissions of the first.
    """
    if message_id and message_id.isascii() and message_id.isdigit() and message_id.strip("0"):
        return message_id
    return None


def identity(request: InboundRequest, proof: Proof) -> bytes | None:
    """The form's parameters as JSON pairs, sorted, without the signature; None where it is no form.

    So the same parameters in another order or encoding, or signed with another secret, are the same
    callback.
    """
    try:
        form = proof.form or first_reading(request.readable)
    except MalformedCallbackError:
        return None
    pairs = sorted(pair for pair in form if pair[0] != _SIGNATURE)
    return json.dumps(pairs, separators=(",", ":")).encode()


AOP: Final = Dialect(
    retry_horizon=RETRY_HORIZON,
    content_types=CONTENT_TYPES,
    verify_signature=verify_signature,
    parse=parse,
    identity=identity,
)
