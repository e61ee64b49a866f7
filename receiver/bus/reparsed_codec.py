"""A stored callback that is read again, as messages. No I/O.

What was proven of it at its arrival stands in its headers, and is not proven again: what was not
proven then is never made into events.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from receiver.bus.callback_codec import encode_callback
from receiver.bus.headers import decode_header
from receiver.bus.message import MSG_ID, OutgoingMessage, StoredMessage
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, InboundRequest, Proof, Trust, VerifiedRequest, callback_id
from receiver.dialects.dialect import Dialect
from receiver.dialects.form import readings
from receiver.dialects.representation import readable
from receiver.errors import DecodingError, MalformedCallbackError
from receiver.facts import fact_id
from receiver.settings import SourceSettings

_PROVEN: Final[dict[str, Trust]] = {"body": "body", "headers": "headers", "token": "token"}
_KEPT: Final = {
    b"content-type": "content-type",
    b"content-encoding": "yizhan-contentencoding",
    b"traceparent": "traceparent",
}


class Fact(NamedTuple):
    """An event that a callback makes now: its fact id, and where it would be."""

    number: int
    event_type: str
    fact_id: str
    order_id: str | None
    nats_subject: str


def verified_again(
    stored: StoredMessage, source: SourceSettings, dialect: Dialect, limit_bytes: int
) -> VerifiedRequest:
    """A raw callback as it was verified at its arrival, of the source as it is configured now.

    Raises `DecodingError` where nothing was proven of it, or its headers are not ours.
    """
    headers = stored.headers
    trust = _PROVEN.get(headers.get("yizhan-trust", ""))
    if trust is None:
        raise DecodingError("its sender was not verified when it came")
    identity = headers.get("yizhan-callbackid", "")
    received = headers.get("yizhan-receivedtime", "")
    if not identity or not received:
        raise DecodingError("the headers of its arrival are missing")
    kept = [(name, decode_header(headers.get(ours, ""))) for name, ours in _KEPT.items()]
    try:
        received_at = datetime.fromisoformat(received)
    except ValueError:
        raise DecodingError("yizhan-receivedtime is no time") from None
    request = InboundRequest(
        source,
        [(name, text.encode("latin-1", "replace")) for name, text in kept if text],
        stored.body,
        received_at,
        client=decode_header(headers.get("yizhan-client", "")),
        delivery_id=decode_header(headers.get("yizhan-deliveryid", "")),
    )
    index = headers.get("yizhan-secretindex", "")
    proof = Proof(trust, int(index) if index.isdecimal() else None)
    request = readable(request, limit_bytes)
    verified = VerifiedRequest(request, _fitting(dialect, request, proof, identity))
    verified.callback_id = identity  # under a former dialect it was made in another way
    return verified


def facts_of(verified: VerifiedRequest, callback: Callback, subjects: Subjects) -> list[Fact]:
    """The facts that the events of a callback report."""
    found = []
    for number, draft in enumerate(callback.events):
        data = draft.data
        fact = fact_id(data, f"{verified.callback_id}.{number}", draft.time)
        subject = subjects.event(data.channel, data.event_type, data.order_id)
        found.append(Fact(number, data.event_type, fact, data.order_id, subject))
    return found


def encode_reparsed(
    verified: VerifiedRequest,
    callback: Callback,
    chosen: Sequence[Fact],
    subjects: Subjects,
    *,
    quarantined: bool,
) -> list[OutgoingMessage]:
    """The events that are `chosen`, of origin `reparse`; before them the raw callback, where it was
    `quarantined`. Read once more within the duplicate window they are stored once.

    An event of a quarantined callback has the id that it would have had. Of another one that id is
    taken by the event that was made of it before, so the fact is in the id.
    """
    raw, *events = encode_callback(verified, callback, subjects)
    identity = verified.callback_id
    messages = [_with_id(raw, f"{identity}.reparse")] if quarantined else []
    for fact in chosen:
        event = events[fact.number]
        origin = f"ce-origin: reparse\r\nce-causationid: {identity}\r\n".encode()
        event = event._replace(head=event.head.replace(b"ce-origin: push\r\n", origin, 1))
        if not quarantined:
            event = _with_id(event, f"{identity}.reparse.{fact.fact_id[:12]}")
        messages.append(event)
    return messages


def _with_id(message: OutgoingMessage, msg_id: str) -> OutgoingMessage:
    head = message.head
    for name in (MSG_ID, "ce-id"):
        line, new = f"{name}: {message.msg_id}\r\n", f"{name}: {msg_id}\r\n"
        head = head.replace(line.encode(), new.encode(), 1)
    return message._replace(msg_id=msg_id, head=head)


def _fitting(dialect: Dialect, request: InboundRequest, proof: Proof, identity: str) -> Proof:
    """With the reading of a form that its signature covered: the one that the id was made from."""
    try:
        for form in readings(request.body):
            read = proof._replace(form=form)
            made = dialect.identity(request, read)
            if made is not None and callback_id(request.source.name, made) == identity:
                return read
    except MalformedCallbackError:
        pass
    return proof
