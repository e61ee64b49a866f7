"""An event as a message: CloudEvents 1.0, NATS binding, binary mode. No I/O.

The body is the typed data as JSON; the attributes are `ce-` headers, their values percent-encoded
as the CloudEvents HTTP and NATS bindings say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar, get_args

from pydantic import ValidationError

from receiver.bus.headers import decode_header, encode_header, header_line, one_line
from receiver.bus.message import OutgoingMessage
from receiver.bus.subjects import Subjects
from receiver.callback import Trust
from receiver.errors import ConfigurationError, DecodingError
from receiver.event import Event, Origin, Unknown
from schemas.events import MODEL_OF_TYPE, EventData
from schemas.values import MAX_ID_CHARS

SIMULATED_LINE: Final = "ce-simulated: true\r\n"
_SPEC_VERSION: Final = "1.0"
_MODELS: Final = {f"yizhan.{name}.v1": model for name, model in MODEL_OF_TYPE.items()}
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
        "ce-replay",
        "ce-simulated",
    }
)


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
        header_line("ce-causationid", event.causation_id),
        header_line("ce-retransmissionof", event.retransmission_of),
        header_line("ce-replay", event.replay),
        header_line("traceparent", event.traceparent),
        SIMULATED_LINE if event.simulated else "",
        *(f"ce-{name}: {encode_header(text)}\r\n" for name, text in event.extensions.items()),
    ]
    origin = EventOrigin(
        source=one_line(event.source),
        received=event.received_at.isoformat(),
        callback_id=one_line(event.callback_id),
        trust=event.trust,
        origin=event.origin,
        more="".join(more),
    )
    fact = one_line(event.fact_id)
    return event_message(one_line(event.id), fact, event.time, data, origin, subjects)


def cloud_event(event: Event[EventData]) -> dict[str, Any]:
    """The event as CloudEvents 1.0 writes it in JSON (structured mode).

    Its attributes are the `ce-` headers of the message that stores it, without that prefix, and
    `traceparent`; `data` is what the message has as its body.
    """
    message = encode_event(event, Subjects())
    attributes = {
        name.removeprefix("ce-"): decode_header(text)
        for name, text in message.headers.items()
        if name.startswith("ce-") or name == "traceparent"
    }
    return {**attributes, "data": event.data.model_dump(mode="json")}


class EventOrigin(NamedTuple):
    """What all events of one callback share, as it stands in their headers."""

    source: str
    received: str
    callback_id: str
    trust: Trust | Unknown
    origin: Origin | Unknown = "push"
    more: str = ""


def event_message(
    event_id: str,
    fact: str,
    time: datetime,
    data: EventData,
    origin: EventOrigin,
    subjects: Subjects,
) -> OutgoingMessage:
    """The message of an event whose attributes are texts that fit into header lines."""
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
        f"{header_line('ce-subject', order_id)}{origin.more}"
    )
    return OutgoingMessage(
        subjects.event(data.channel, event_type, order_id),
        event_id,
        head.encode(),
        data.__pydantic_serializer__.to_json(data),
    )


def decode_event(headers: Mapping[str, str] | None, body: bytes) -> Event[EventData]:
    """The event a stored message holds; raises `DecodingError` for what is not one of ours.

    A word of trust or origin that was added later is read as `unknown`, an attribute that was
    added later is kept among the extensions.
    """
    fields = {
        name.lower(): decode_header(value) if "%" in value else value
        for name, value in (headers or {}).items()
    }
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
        replay=fields.get("ce-replay"),
        extensions={
            name.removeprefix("ce-"): value
            for name, value in fields.items()
            if name not in _KNOWN and name.startswith("ce-")
        },
    )


def _model(fields: Mapping[str, str]) -> type[EventData]:
    if _required(fields, "ce-specversion") != _SPEC_VERSION:
        raise DecodingError("ce-specversion is not 1.0")
    model = _MODELS.get(_required(fields, "ce-type"))
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
