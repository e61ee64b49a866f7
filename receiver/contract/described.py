"""One event type with its properties and the shared parts that these use. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from receiver.contract.asyncapi import event_headers
from receiver.contract.catalogue import Entry
from receiver.contract.properties import Property, known_words, parts_of, properties
from schemas.events import EVENT_MODELS
from schemas.json_schema import shared_schemas

_REF: Final = "#"


@dataclass(frozen=True, slots=True)
class Part:
    """A shared part: its `words` where it is a list of words, else its properties."""

    name: str
    meaning: str
    words: tuple[str, ...]
    properties: tuple[Property, ...]


@dataclass(frozen=True, slots=True)
class Header:
    """A header of every event, and whether it is always there."""

    name: str
    always: bool
    meaning: str
    words: tuple[str, ...]


def properties_of(entry: Entry) -> tuple[Property, ...]:
    """Those of the data of an event type."""
    return properties(_schemas()[entry.model.__name__], _REF)


def parts_used(entry: Entry) -> tuple[Part, ...]:
    """The shared parts of its data, and those of these, in the order in which they are met."""
    return tuple(_part(name) for name in dict.fromkeys(_met(entry.model.__name__)))


def headers() -> tuple[Header, ...]:
    """Those that events of every type have."""
    schema = event_headers()
    return tuple(
        Header(name, name in schema["required"], part["description"], tuple(known_words(part)))
        for name, part in schema["properties"].items()
    )


def _met(name: str) -> Iterator[str]:
    for part in parts_of(_schemas()[name], _REF):
        yield part
        yield from _met(part)


def _part(name: str) -> Part:
    schema = _schemas()[name]
    words = tuple(known_words(schema))
    return Part(name, schema.get("description", ""), words, properties(schema, _REF))


@cache
def _schemas() -> Mapping[str, Any]:
    """To make them takes longer than a page may; they are the models', which do not change."""
    return shared_schemas(EVENT_MODELS, f"{_REF}{{model}}")
