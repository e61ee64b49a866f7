"""`docs/events.md`: the contract for human readers, written from the same models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from receiver.bus.subjects import Subjects
from receiver.contract.asyncapi import event_headers
from receiver.contract.catalogue import Entry, catalogue, trust_of
from receiver.contract.markdown import cell, table
from receiver.contract.properties import known_words, type_text
from receiver.messages.catalogue import MESSAGES, PlatformMessage
from receiver.settings import DialectName, Verification
from schemas.events import EVENT_MODELS
from schemas.json_schema import shared_schemas

_REF: Final = "#{model}"
_HEAD: Final = """\
# The events

Written by `make docs` from the models; do not edit. `yizhan events` prints the catalogue,
`yizhan events --json-schema DIR` writes the JSON Schema of each type, `--asyncapi` the AsyncAPI
document and `--examples` a whole message of each type.

Contents: [how to read an event](#how-to-read-an-event) ·
[which message makes which event](#which-message-makes-which-event) ·
[event types](#event-types) · [shared parts](#shared-parts)

## How to read an event

An event is a NATS message on `yizhan.events.<channel>.<domain>.<event>.<order id>`, stored in the
stream `YIZHAN` (the root `yizhan` is the setting `nats.subject_root`). The order id is one token,
percent-encoded; `_` stands for none. Subscribe to `yizhan.events.1688.order.>` for the orders of a
channel, to `yizhan.events.*.*.*.<order id>` for one order. A durable consumer names the stream:
[subscribing.md](subscribing.md) says how live, durable and replaying subscribers differ.

The body is the data as JSON. The headers are the attributes of CloudEvents 1.0 (NATS binding,
binary mode), percent-encoded:
"""
_RULES: Final = """\
Rules that hold for every type:

- The contract grows only by addition. Skip what you do not know; read a word that you do not know
  as `unknown`.
- Every property is written, null where the platform did not send it. It may be missing in events
  that were stored before it was added.
- Ids are text, also where the platform sends numbers; a placeholder (`0`, `"null"`) is no id.
- Money is decimal text in the main unit of its currency (yuan), always with two places, half a fen
  rounded up. `currency` is a code of ISO 4217; an amount in a currency that is none is null.
- Times are RFC 3339 with their offset; a placeholder (epoch 0, any time before 1971) is null.
- The same event may be delivered twice, and the platforms report one fact in several callbacks:
  use `ce-factid` as your idempotency key ([identity.md](identity.md) says how it is made). `ce-id`
  names one event.
- Events may overtake each other: `ce-time` is when it happened.
"""
_TRUST_INTRO: Final = """\
One callback can make several events. *Trust* is the event's `ce-trust` where the source verifies
by `signature` (or `both`) · by `path_token` · by `none`:

- `body`: a signature covers the body. `headers`: a signature that does not, so whoever sees one
  request can put another body under it.
- `token`: the callback came to the secret URL. `none`: nothing was proven.
- `requeried`: what a handler made from a reply of the platform's API.
"""
_MODES: Final[tuple[Verification, ...]] = ("signature", "path_token", "none")


def events_page(subjects: Subjects | None = None) -> str:
    """The whole page as Markdown."""
    entries = catalogue(subjects or Subjects())
    schemas = shared_schemas(EVENT_MODELS, _REF)
    names = {entry.model.__name__ for entry in entries}
    shared = {name: schema for name, schema in schemas.items() if name not in names}
    blocks = [
        _HEAD.rstrip(),
        _headers_table(),
        _RULES.rstrip(),
        "## Which message makes which event",
        _TRUST_INTRO.rstrip(),
        _messages_table(),
        "A name with `…` is not documented by the platform: the message is known by its body, "
        "whatever its name. Any other message that was verified makes `unknown.received`.\n\n"
        f"Made by handlers, from replies of the platform's API: {_made_by_handlers(entries)}.",
        "## Event types",
        *(part for entry in entries for part in _section(entry, schemas)),
        "## Shared parts",
        *(part for name, schema in shared.items() for part in _shared_section(name, schema)),
    ]
    return "\n\n".join(blocks) + "\n"


def _made_by_handlers(entries: tuple[Entry, ...]) -> str:
    return ", ".join(f"`{entry.event_type}`" for entry in entries if not entry.messages)


def _headers_table() -> str:
    schema = event_headers()
    rows = (
        (f"`{name}`", "always" if name in schema["required"] else "where sent", _meaning(part))
        for name, part in schema["properties"].items()
    )
    return table(("header", "present", "meaning"), rows)


def _meaning(schema: Mapping[str, Any]) -> str:
    words = known_words(schema)
    listed = f" Words: {_quoted(words)}." if words else ""
    return f"{cell(schema['description'])}{listed}"


def _messages_table() -> str:
    rows = (
        (
            f"`{message.title}`",
            message.channel,
            f"`{dialect}`",
            "<br>".join(_type_link(name) for name in message.event_types),
            _trust(dialect),
            message.meaning,
        )
        for dialect, message in _by_dialect()
    )
    return table(("message", "channel", "dialect", "event", "trust", "meaning"), rows)


def _by_dialect() -> Iterator[tuple[DialectName, PlatformMessage]]:
    for dialect in get_args(DialectName):
        for message in MESSAGES:
            if dialect in message.dialects:
                yield dialect, message


def _trust(dialect: DialectName) -> str:
    return " · ".join(f"`{trust_of(dialect, mode)}`" for mode in _MODES)


def _type_link(event_type: str) -> str:
    return f"[`{event_type}`](#{event_type.replace('.', '')})"


def _section(entry: Entry, schemas: Mapping[str, Any]) -> Iterator[str]:
    example = entry.example()
    yield f"### {entry.event_type}"
    yield entry.description
    yield f"- Subject: `{entry.pattern}`\n- Made from: {entry.origin_text}"
    yield _fields_table(schemas[entry.model.__name__])
    yield f"`{example['subject']}`"
    yield f"```json\n{json.dumps(example['data'], indent=2, ensure_ascii=False)}\n```"


def _shared_section(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield schema["description"]
    words = known_words(schema)
    yield f"Words: {_quoted(words)}." if words else _fields_table(schema)


def _fields_table(schema: Mapping[str, Any]) -> str:
    rows = (
        (f"`{name}`", _type_text(part), cell(part.get("description", "")))
        for name, part in schema["properties"].items()
    )
    return table(("property", "type", "meaning"), rows)


def _type_text(schema: Mapping[str, Any]) -> str:
    """A property's type in words, with a link where it is a shared part."""
    words = known_words(schema)
    return f"word: {_quoted(words)}" if words else type_text(schema, "#", _linked)


def _linked(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _quoted(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
