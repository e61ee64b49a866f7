"""Between our objects and NATS messages: CloudEvents 1.0, NATS binding, binary mode. No I/O.

The body of an event message is its typed data as JSON; the attributes are `ce-` headers, their
values percent-encoded as the CloudEvents HTTP and NATS bindings say. A raw message is the exact
body of a callback; its `yizhan-` headers are the facts of its arrival.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar, get_args
from urllib.parse import unquote

from pydantic import ValidationError

from receiver.bus.message import OutgoingMessage
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, Fault, InboundRequest, Trust, VerifiedRequest
from receiver.errors import ConfigurationError, DecodingError
from receiver.event import Event, Origin, Unknown
from receiver.facts import fact_id
from schemas.events import MODEL_OF_TYPE, EventData, UnknownReceived
from schemas.values import MAX_ID_CHARS

CONTENT: Final = "yizhan-content"
UNKNOWN_FIELDS: Final = "yizhan-unknownfields"
UNKNOWN_TYPE: Final = "yizhan-unknowntype"
MAX_UNKNOWN_FIELDS: Final = 20
_SIMULATED: Final = "ce-simulated: true\r\n"
_NONCE_MARGIN_S: Final = 60
_MAX_HEADER_BYTES: Final = 256
_END: Final = "\r\n"
_SPEC_VERSION: Final = "1.0"
_TYPE: Final = re.compile(r"yizhan\.([a-z_]+\.[a-z_]+)\.v1")
_UNSAFE: Final = re.compile(r"[^\x21\x23\x24\x26-\x7e]")
_TRUSTS: Final[dict[str, Trust]] = {word: word for word in get_args(Trust)}
_ORIGINS: Final[dict[str, Origin]] = {word: word for word in get_args(Origin)}
WordT = TypeVar("WordT", bound=str)
_KNOWN: Final = frozenset(
    {
        "ce-specversion",
        "ce-id",
        "ce-type",
        "ce-source",
        "ce-subject",
        "ce-time",
        "ce-dataschema",
        "ce-datacontenttype",
        "ce-channel",
        "ce-receivedtime",
        "ce-callbackid",
        "ce-causationid",
        "ce-factid",
        "ce-trust",
        "ce-origin",
        "ce-retransmissionof",
        "ce-simulated",
    }
)


def encode_header(value: str) -> str:
    """Percent-encode what CloudEvents does not allow in a header: space, `"`, `%`, non-ASCII."""
    if value.isascii() and value.isalnum():  # as most are
        return value
    return _UNSAFE.sub(_percent, value)


def decode_header(value: str) -> str:
    """The text that `encode_header` was given; what it could not have made is read as it can be."""
    if "%" not in value:
        return value
    try:
        return unquote(value, errors="surrogatepass")
    except UnicodeDecodeError:
        return unquote(value, errors="replace")


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def data_schema(event_type: str) -> str:
    """The URI of an event type's JSON Schema: its `ce-dataschema` and the schema's `$id`."""
    return f"urn:yizhan:schema:{event_type}:v1"


def encode_event(event: Event[EventData], subjects: Subjects) -> OutgoingMessage:
    """The message that stores an event; raises `ConfigurationError` where its order id is none.

    No callback gets so far with an overlong id; a handler could, and a subject has its limit.
    """
    data = event.data
    if data.order_id is not None and len(data.order_id) > MAX_ID_CHARS:
        raise ConfigurationError(
            f"an event's order id has at most {MAX_ID_CHARS} characters: "
            "give the handler's result a real one, or none"
        )
    more = [
        _line("ce-causationid", event.causation_id),
        _line("ce-retransmissionof", event.retransmission_of),
        _line("traceparent", event.traceparent),
        _SIMULATED if event.simulated else "",
        *(f"ce-{name}: {encode_header(text)}\r\n" for name, text in event.extensions.items()),
    ]
    origin = _Origin(
        source=_one_line(event.source),
        received=event.received_at.isoformat(),
        callback_id=_one_line(event.callback_id),
        trust=event.trust,
        origin=event.origin,
        more="".join(more),
    )
    fact = _one_line(event.fact_id)
    return _event_message(_one_line(event.id), fact, event.time, data, origin, subjects)


class _Origin(NamedTuple):
    """What all events of one callback share, as it stands in their headers."""

    source: str
    received: str
    callback_id: str
    trust: Trust | Unknown
    origin: Origin | Unknown = "push"
    more: str = ""


def _event_message(
    event_id: str,
    fact: str,
    time: datetime,
    data: EventData,
    origin: _Origin,
    subjects: Subjects,
) -> OutgoingMessage:
    event_type, order_id = data.event_type, data.order_id
    head = (
        f"Nats-Msg-Id: {event_id}\r\n"
        f"ce-specversion: {_SPEC_VERSION}\r\n"
        f"ce-id: {event_id}\r\n"
        f"ce-type: yizhan.{event_type}.v1\r\n"
        f"ce-source: /sources/{origin.source}\r\n"
        f"ce-time: {time.isoformat()}\r\n"
        f"ce-dataschema: {data_schema(event_type)}\r\n"
        "ce-datacontenttype: application/json\r\n"
        f"ce-channel: {data.channel}\r\n"
        f"ce-receivedtime: {origin.received}\r\n"
        f"ce-callbackid: {origin.callback_id}\r\n"
        f"ce-factid: {fact}\r\n"
        f"ce-trust: {origin.trust}\r\n"
        f"ce-origin: {origin.origin}\r\n"
        f"{_line('ce-subject', order_id)}{origin.more}"
    )
    return OutgoingMessage(
        subjects.event(data.channel, event_type, order_id),
        event_id,
        head.encode(),
        data.__pydantic_serializer__.to_json(data),
    )


def _one_line(text: str) -> str:
    """What we made ourselves, as it is; what a foreign event made us make may need encoding."""
    return text if text.isascii() and text.isprintable() else encode_header(text)


def _line(name: str, text: str | None) -> str:
    """The header line of a foreign word; none where it is absent."""
    return f"{name}: {encode_header(text)}\r\n" if text else ""


_usual_line: Final = lru_cache(maxsize=256)(_line)
"""`_line` of what comes again and again, such as a message type or a client."""


def decode_event(headers: Mapping[str, str] | None, body: bytes) -> Event[EventData]:
    """The event a stored message holds; raises `DecodingError` for what is not one of ours.

    A word of trust or origin that was added later is read as `unknown`, an attribute that was
    added later is kept among the extensions.
    """
    fields = {name.lower(): decode_header(value) for name, value in (headers or {}).items()}
    model = _model(fields)
    try:
        data = model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise DecodingError(f"the data does not fit its type at {place}: {first['type']}") from None
    time = _time(fields, "ce-time")
    return Event(
        id=_required(fields, "ce-id"),
        source=_required(fields, "ce-source").removeprefix("/sources/"),
        time=time,
        received_at=_time(fields, "ce-receivedtime") if "ce-receivedtime" in fields else time,
        data=data,
        callback_id=fields.get("ce-callbackid", ""),
        trust=_word(_TRUSTS, fields, "ce-trust", "none"),
        origin=_word(_ORIGINS, fields, "ce-origin", "push"),
        causation_id=fields.get("ce-causationid"),
        retransmission_of=fields.get("ce-retransmissionof"),
        fact_id=fields.get("ce-factid", ""),
        traceparent=fields.get("traceparent"),
        simulated=fields.get("ce-simulated") == "true",
        extensions={
            name.removeprefix("ce-"): value
            for name, value in fields.items()
            if name.startswith("ce-") and name not in _KNOWN
        },
    )


def _model(fields: Mapping[str, str]) -> type[EventData]:
    if _required(fields, "ce-specversion") != _SPEC_VERSION:
        raise DecodingError("ce-specversion is not 1.0")
    match = _TYPE.fullmatch(_required(fields, "ce-type"))
    model = MODEL_OF_TYPE.get(match[1]) if match else None
    if model is None:
        raise DecodingError("ce-type names no event type of ours")
    return model


def _word(
    words: Mapping[str, WordT], fields: Mapping[str, str], name: str, default: str
) -> WordT | Unknown:
    return words.get(fields.get(name, default), "unknown")


def _required(fields: Mapping[str, str], name: str) -> str:
    if not fields.get(name):
        raise DecodingError(f"the header {name} is missing")
    return fields[name]


def _time(fields: Mapping[str, str], name: str) -> datetime:
    try:
        time = datetime.fromisoformat(_required(fields, name))
    except ValueError:
        raise DecodingError(f"{name} is not an RFC 3339 time") from None
    if time.tzinfo is None:
        raise DecodingError(f"{name} has no offset")
    return time


class Marks(NamedTuple):
    """What is known of a callback beside its content: null where there is nothing to mark.

    `retransmission_of`: the callback that said the same under another push time.
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
    head = (
        f"{_arrival(verified, identity)}{traceparent}"
        f"{_usual_line('yizhan-messagetype', callback.message_type)}"
        f"{_line('yizhan-messageid', callback.message_id)}"
        f"{CONTENT}: {callback.content_digest}\r\n"
        f"{_drift(callback)}"
    )
    messages = [OutgoingMessage(subjects.raw(source), identity, head.encode(), request.body)]
    more = f"{traceparent}{_SIMULATED}" if request.source.simulated else traceparent
    if marks != _UNMARKED:
        retransmission = _line("ce-retransmissionof", marks.retransmission_of)
        more = f"{retransmission}{_line('ce-replayof', marks.replay_of)}{more}"
    origin = _Origin(source, request.received_text, identity, verified.proof.trust, more=more)
    pushed_at = callback.pushed_at or request.received_at
    for number, draft in enumerate(callback.events):
        event_id, data = f"{identity}.{number}", draft.data
        fact = fact_id(data, event_id, draft.time)
        time = draft.time or pushed_at
        messages.append(_event_message(event_id, fact, time, data, origin, subjects))
    return messages


def _drift(callback: Callback) -> str:
    """What this callback holds that our models do not know, for the drift report."""
    lines = ""
    if callback.unknown_fields:
        names = sorted(set(callback.unknown_fields))[:MAX_UNKNOWN_FIELDS]
        lines = _line(UNKNOWN_FIELDS, ",".join(names))
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
        f"{_line('yizhan-reason', fault.reason)}"
        f"{_line('yizhan-place', fault.place)}"
    )
    subject = subjects.quarantine(request.source.name)
    return OutgoingMessage(subject, identity, head.encode(), request.body)


def quarantined(raw: OutgoingMessage, reason: str, subjects: Subjects) -> OutgoingMessage:
    """A raw message that was made already, to be kept in quarantine in place of its events."""
    source = raw.subject.removeprefix(subjects.raw(""))
    head = f"{raw.head.decode()}{_line('yizhan-reason', reason)}{_line('yizhan-place', 'body')}"
    return raw._replace(subject=subjects.quarantine(source), head=head.encode())


def encode_guard(verified: VerifiedRequest, subjects: Subjects) -> OutgoingMessage | None:
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
        f"{_line('yizhan-deliveryid', request.delivery_id)}"
        f"{_usual_line('yizhan-client', request.client)}"
        f"{'' if index is None else f'yizhan-secretindex: {index}{_END}'}"
        f"{_header_line('content-type', _kept(request, b'content-type'))}"
        f"{_header_line('yizhan-contentencoding', _kept(request, b'content-encoding'))}"
    )


_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def _trace_line(request: InboundRequest) -> str:
    """The line that passes on a `traceparent`; none where it is absent, repeated or malformed."""
    if request.header(b"traceparent") is None:
        return ""
    values = request.header_values(b"traceparent")
    well_formed = len(values) == 1 and _TRACEPARENT.fullmatch(values[0])
    return f"traceparent: {values[0].decode('ascii')}{_END}" if well_formed else ""


def _kept(request: InboundRequest, name: bytes) -> bytes:
    return (request.header(name) or b"")[:_MAX_HEADER_BYTES]


@lru_cache(maxsize=256)
def _header_line(name: str, value: bytes) -> str:
    """The line that keeps the sender's header; none where it is absent or empty."""
    return _line(name, value.decode("latin-1"))
