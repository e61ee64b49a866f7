"""The AsyncAPI 3.0 document: the events as Yizhan sends them, for tools and code generators.

It keeps to the words that JSON Schema draft 7 and 2020-12 share, since AsyncAPI 3.0 reads draft 7.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, get_args

from receiver.bus.codec import data_schema
from receiver.bus.credentials import without_credentials
from receiver.bus.subjects import NO_KEY, Subjects
from receiver.callback import Trust
from receiver.contract.catalogue import Entry, catalogue
from receiver.contract.handler_channels import (
    handler_channels,
    handler_components,
    handler_operations,
)
from receiver.contract.operator_channels import (
    operator_channels,
    operator_components,
    operator_operations,
)
from receiver.event import Origin
from schemas.events import EVENT_MODELS
from schemas.json_schema import open_words, shared_schemas
from schemas.statuses import Channel

CONTRACT_VERSION: Final = "1.0.0"
"""Of the contract, not of the program: the first number is the `v1` of `ce-type`."""

_DESCRIPTION: Final = """\
Every callback of the purchasing platform that was answered 200 is stored on NATS JetStream as the
typed events below: CloudEvents 1.0, NATS binding, binary mode. The body is the data as JSON, the
attributes are `ce-` headers, percent-encoded as the binding says. The document speaks for Yizhan:
what it sends, a subscriber receives.

The contract grows only by addition: skip properties that you do not know, and read a word that you
do not know as `unknown`. Delivery is at least once and out of order: `ce-id` names an event. The
platforms report one fact more than once: use `ce-factid` as your idempotency key.

A plain subscription sees each event after it is stored, normally once. A durable consumer has to
name the stream of the server's description: JetStream finds none by the subject of an event.
"""


def asyncapi(subjects: Subjects, *, nats_url: str = "nats://127.0.0.1:4222") -> dict[str, Any]:
    """The document; of `nats_url` it shows host and port, never credentials."""
    entries = catalogue(subjects)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Yizhan events",
            "version": CONTRACT_VERSION,
            "description": _DESCRIPTION,
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": "application/json",
        "servers": {
            "nats": {
                "host": _host(nats_url),
                "protocol": "nats",
                "description": f"NATS with JetStream; the events are in the stream "
                f"{subjects.stream}.",
            }
        },
        "channels": {_name(entry): _channel(entry) for entry in entries}
        | handler_channels(subjects)
        | operator_channels(subjects),
        "operations": {f"send{entry.model.__name__}": _operation(entry) for entry in entries}
        | handler_operations()
        | operator_operations(),
        "components": _components(entries, subjects),
    }


def _host(nats_url: str) -> str:
    """Host and port of the first server in a URL, or in a list of them."""
    return without_credentials(nats_url).partition(",")[0].rpartition("://")[2].rstrip("/")


def _name(entry: Entry) -> str:
    name = entry.model.__name__
    return name[0].lower() + name[1:]


def _channel(entry: Entry) -> dict[str, Any]:
    return {
        "address": f"{entry.subjects.root}.events.{{channel}}.{entry.event_type}.{{order_id}}",
        "title": entry.event_type,
        "summary": entry.description,
        "description": f"Made from: {entry.origin_text}.",
        "parameters": {
            "channel": {"$ref": "#/components/parameters/channel"},
            "order_id": {"$ref": "#/components/parameters/order_id"},
        },
        "messages": {_name(entry): {"$ref": f"#/components/messages/{_name(entry)}"}},
    }


def _operation(entry: Entry) -> dict[str, Any]:
    channel = f"#/channels/{_name(entry)}"
    return {
        "action": "send",
        "summary": entry.description,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{_name(entry)}"}],
    }


def _components(entries: Iterable[Entry], subjects: Subjects) -> dict[str, Any]:
    schemas = shared_schemas(EVENT_MODELS, "#/components/schemas/{model}")
    of_handlers, of_operators = handler_components(), operator_components()
    return {
        "messages": {_name(entry): _message(entry) for entry in entries}
        | of_handlers["messages"]
        | of_operators["messages"],
        "parameters": {
            "channel": {
                "description": "Where the order was placed; more may be added.",
                "examples": list(get_args(Channel)),
            },
            "order_id": {
                "description": "The order id by which the platform's query API knows the order, "
                f"percent-encoded as one token; `{NO_KEY}` where there is none.",
                "examples": ["3942871650123456789", NO_KEY],
            },
            **of_handlers["parameters"],
            **of_operators["parameters"],
        },
        "schemas": {
            "EventHeaders": event_headers(),
            **schemas,
            **of_handlers["schemas"],
            **of_operators["schemas"],
        },
    }


def _message(entry: Entry) -> dict[str, Any]:
    example = entry.example()
    wire_type = f"yizhan.{entry.event_type}.v1"
    own = {
        "ce-type": {"type": "string", "const": wire_type},
        "ce-dataschema": {"type": "string", "const": data_schema(entry.event_type)},
    }
    return {
        "name": wire_type,
        "title": entry.event_type,
        "summary": entry.description,
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/EventHeaders"},
                {"type": "object", "properties": own},
            ]
        },
        "payload": {"$ref": f"#/components/schemas/{entry.model.__name__}"},
        "correlationId": {
            "description": "The callback that the event came from.",
            "location": "$message.header#/ce-callbackid",
        },
        "examples": [{"headers": example["headers"], "payload": example["data"]}],
    }


_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "format": "date-time"}


_Header = tuple[dict[str, Any], str]


def _required_headers() -> dict[str, _Header]:
    return {
        "Nats-Msg-Id": (_TEXT, "Equal to ce-id: by it the stream knows a duplicate."),
        "ce-specversion": ({"type": "string", "const": "1.0"}, "The version of CloudEvents."),
        "ce-id": (_TEXT, "Unique, and made from the content: the same bytes have the same id."),
        "ce-type": (_TEXT, "yizhan.<domain>.<event>.v1"),
        "ce-source": (_TEXT, "/sources/<name of the source in the settings>"),
        "ce-time": (_TIME, "When it happened, as far as the platform sent it."),
        "ce-dataschema": (_TEXT, "The $id of the JSON Schema of the data."),
        "ce-datacontenttype": ({"type": "string", "const": "application/json"}, "Of the body."),
        "ce-channel": (_words(get_args(Channel)), "Where the order was placed."),
        "ce-receivedtime": (_TIME, "When the callback came in."),
        "ce-callbackid": (_TEXT, "The callback that it came from; its raw message has this id."),
        "ce-trust": (
            _words(get_args(Trust)),
            "What was proven: body (a signature covers the body), headers (a signature that does "
            "not), token (secret URL), none, requeried (confirmed by asking the API).",
        ),
        "ce-origin": (_words(get_args(Origin)), "What brought it here."),
    }


def _optional_headers() -> dict[str, _Header]:
    return {
        "ce-factid": (
            _TEXT,
            "The same for all events that report one fact: use it as your idempotency key. Every "
            "new event has it; one that 0.1 stored lacks it: use ce-id there.",
        ),
        "ce-subject": (_TEXT, "The order id; absent where there is none."),
        "ce-causationid": (
            _TEXT,
            "The ce-id of the event that a handler made it from; with the origin `reparse` the id "
            "of the callback that was read again.",
        ),
        "ce-retransmissionof": (
            _TEXT,
            "The callback with the same content that this one probably repeats.",
        ),
        "ce-replayof": (
            _TEXT,
            "The callback that used the same signature first, where the source marks replays.",
        ),
        "ce-simulated": (
            {"type": "string", "const": "true"},
            "Present where the event is invented: its source is marked `simulated` in the "
            "settings, or a handler made it from such an event.",
        ),
        "ce-traceparent": (
            _TEXT,
            "W3C Trace Context in which it was made, where the receiver traces; never rewritten.",
        ),
        "traceparent": (
            _TEXT,
            "W3C Trace Context of the last hop: ours where the receiver traces, else the sender's.",
        ),
    }


def event_headers() -> dict[str, Any]:
    """The schema of the headers that event messages of every type share."""
    required = _required_headers()
    properties = {
        name: schema | {"description": description}
        for name, (schema, description) in (required | _optional_headers()).items()
    }
    return {
        "type": "object",
        "title": "EventHeaders",
        "description": "CloudEvents attributes and what we add to them.",
        "required": list(required),
        "properties": properties,
    }


def _words(known: Iterable[str]) -> dict[str, Any]:
    return open_words({"enum": list(known)})
