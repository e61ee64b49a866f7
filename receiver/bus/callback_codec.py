"""A callback as messages: the raw one, its events, its quarantine, its nonce claim. No I/O.

A raw message is the exact body of a callback; its `yizhan-` headers are the facts of its arrival.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final, NamedTuple

from receiver.bus.codec import SIMULATED_LINE, EventOrigin, event_message
from receiver.bus.headers import CONTENT, UNKNOWN_FIELDS, UNKNOWN_TYPE, header_line, usual_line
from receiver.bus.message import OutgoingMessage
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, Fault, InboundRequest, VerifiedRequest
from receiver.facts import fact_id
from schemas.events import UnknownReceived

MAX_UNKNOWN_FIELDS: Final = 20
_NONCE_MARGIN_S: Final = 60
_MAX_HEADER_BYTES: Final = 256
_END: Final = "\r\n"
_LIFETIME: Final = re.compile(r"^Nats-TTL: .*\r\n", re.MULTILINE)


class Marks(NamedTuple):
    """What is known of a callback beside its content: null where there is nothing to mark.

    `retransmission_of`: the callback with the same content under another push time.
    `replay_of`: the callback that used the same signature first, where `replay_check = "mark"`.
    """

    retransmission_of: str | None = None
    replay_of: str | None = None


_UNMARKED: Final = Marks()


def encode_callback(
    verified: VerifiedRequest,
    callback: Callback,
    subjects: Subjects,
    marks: Marks = _UNMARKED,
) -> list[OutgoingMessage]:
    """The raw message of a callback, then its events, under ids made from its content."""
    request = verified.request
    source, identity = request.source.name, verified.callback_id
    traceparent = _trace_line(request)
    creation = f"ce-{traceparent}" if request.traceparent else ""
    head = (
        f"{_arrival(verified, identity)}{traceparent}"
        f"{usual_line('yizhan-messagetype', callback.message_type)}"
        f"{header_line('yizhan-messageid', callback.message_id)}"
        f"{CONTENT}: {callback.content_digest}\r\n"
        f"{_drift(callback)}"
    )
    messages = [
        OutgoingMessage(subjects.raw(source), identity, head.encode(), request.body, request.span)
    ]
    more = f"{creation}{traceparent}"
    if request.source.simulated:
        more = f"{more}{SIMULATED_LINE}"
    if marks != _UNMARKED:
        retransmission = header_line("ce-retransmissionof", marks.retransmission_of)
        more = f"{retransmission}{header_line('ce-replayof', marks.replay_of)}{more}"
    origin = EventOrigin(source, request.received_text, identity, verified.proof.trust, more=more)
    pushed_at = callback.pushed_at or request.received_at
    for number, draft in enumerate(callback.events):
        event_id, data = f"{identity}.{number}", draft.data
        fact = fact_id(data, event_id, draft.time)
        time = draft.time or pushed_at
        messages.append(event_message(event_id, fact, time, data, origin, subjects))
    return messages


def _drift(callback: Callback) -> str:
    """What this callback holds that our models do not know, for the drift report."""
    lines = ""
    if callback.unknown_fields:
        names = sorted(set(callback.unknown_fields))[:MAX_UNKNOWN_FIELDS]
        lines = header_line(UNKNOWN_FIELDS, ",".join(names))
    for draft in callback.events:
        if type(draft.data) is UnknownReceived:
            return f"{lines}{UNKNOWN_TYPE}: true\r\n"
    return lines


def encode_quarantined(
    verified: VerifiedRequest, fault: Fault, subjects: Subjects
) -> OutgoingMessage:
    """The exact bytes of a callback that could not be read, with the reason and the place.

    Its content is its whole body, so that it is never a retransmission: equal contents are equal
    bytes, which is a duplicate.
    """
    request, identity = verified.request, verified.callback_id
    head = (
        f"{_arrival(verified, identity)}"
        f"{_trace_line(request)}"
        f"{header_line('yizhan-reason', fault.reason)}"
        f"{header_line('yizhan-place', fault.place)}"
    )
    subject = subjects.quarantine(request.source.name)
    return OutgoingMessage(subject, identity, head.encode(), request.body, request.span)


def quarantined(raw: OutgoingMessage, reason: str, subjects: Subjects) -> OutgoingMessage:
    """A raw message that was made already, to be kept in quarantine in place of its events."""
    source = raw.subject.removeprefix(subjects.raw(""))
    why = header_line("yizhan-reason", reason) + header_line("yizhan-place", "body")
    head = f"{_LIFETIME.sub('', raw.head.decode())}{why}"
    return raw._replace(subject=subjects.quarantine(source), head=head.encode())


def encode_nonce_claim(verified: VerifiedRequest, subjects: Subjects) -> OutgoingMessage | None:
    """The message that a signature is used up by this callback; None where nothing is proven.

    It is stored once for each nonce and source, and lives as long as the signature is taken.
    """
    request, nonce = verified.request, verified.proof.nonce
    if not nonce:
        return None
    source = request.source
    text = f"{source.name}\n{nonce}".encode("utf-8", "surrogatepass")
    used = hashlib.sha256(text).hexdigest()[:32]
    head = (
        f"Nats-Msg-Id: nonce.{used}\r\n"
        f"Nats-TTL: {verified.proof.lifetime_s + _NONCE_MARGIN_S}s\r\n"
        f"yizhan-receivedtime: {request.received_text}\r\n"
    )
    owner = verified.callback_id.encode()
    return OutgoingMessage(subjects.nonce(source.name, used), f"nonce.{used}", head.encode(), owner)


def _arrival(verified: VerifiedRequest, identity: str) -> str:
    """The header lines of every raw message: the facts of its arrival."""
    request, proof = verified.request, verified.proof
    index = proof.secret_index
    return (
        f"Nats-Msg-Id: {identity}\r\n"
        f"yizhan-callbackid: {identity}\r\n"
        f"yizhan-receivedtime: {request.received_text}\r\n"
        f"yizhan-dialect: {request.source.dialect}\r\n"
        f"yizhan-trust: {proof.trust}\r\n"
        f"{header_line('yizhan-deliveryid', request.delivery_id)}"
        f"{usual_line('yizhan-client', request.client)}"
        f"{'' if index is None else f'yizhan-secretindex: {index}{_END}'}"
        f"{_header_line('content-type', _kept(request, b'content-type'))}"
        f"{_header_line('yizhan-contentencoding', _kept(request, b'content-encoding'))}"
    )


def _trace_line(request: InboundRequest) -> str:
    """The line of the last hop: ours where tracing is on, else what the sender gave."""
    traceparent = request.traceparent or request.given_traceparent
    return f"traceparent: {traceparent}{_END}" if traceparent else ""


def _kept(request: InboundRequest, name: bytes) -> bytes:
    return (request.header(name) or b"")[:_MAX_HEADER_BYTES]


@lru_cache(maxsize=256)
def _header_line(name: str, value: bytes) -> str:
    """The line that keeps the sender's header; none where it is absent or empty."""
    return header_line(name, value.decode("latin-1"))
