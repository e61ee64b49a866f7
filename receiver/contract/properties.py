"""The properties of a schema in words: what a page says of each. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_NAMES: Final = {
    "string": "text",
    "integer": "whole number",
    "null": "null",
    "boolean": "boolean",
}


@dataclass(frozen=True, slots=True)
class Property:
    """One property. `type` is in words, which name each shared part; those are its `parts`. `words`
    are those that are known of an open list.
    """

    name: str
    type: str
    words: tuple[str, ...]
    meaning: str
    parts: tuple[str, ...]


def properties(schema: Mapping[str, Any], ref: str) -> tuple[Property, ...]:
    """Those of an object; `ref` begins every reference to a shared part."""
    return tuple(
        Property(
            name,
            type_text(part, ref),
            tuple(known_words(part)),
            part.get("description", ""),
            tuple(dict.fromkeys(parts_of(part, ref))),
        )
        for name, part in schema.get("properties", {}).items()
    )


def type_text(
    schema: Mapping[str, Any], ref: str, spelled: Callable[[str], str] = lambda name: name
) -> str:
    """A property's type in words; `spelled` gives how a shared part is written."""
    if known_words(schema):
        return "word"
    if "anyOf" in schema:
        return " or ".join(type_text(part, ref, spelled) for part in schema["anyOf"])
    if "$ref" in schema:
        return spelled(schema["$ref"].removeprefix(ref))
    if schema.get("type") == "array":
        return f"list of {type_text(schema['items'], ref, spelled)}"
    if schema.get("format") == "date-time":
        return "time"
    return _NAMES.get(schema.get("type", ""), "any JSON")


def known_words(schema: Mapping[str, Any]) -> list[str]:
    """Of an open list of words those that are known; empty for any other schema."""
    for part in schema.get("anyOf", ()):
        if "enum" in part:
            return list(part["enum"])
    return []


def parts_of(schema: Any, ref: str) -> Iterator[str]:
    """The shared parts that a schema refers to by itself."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield schema["$ref"].removeprefix(ref)
        for value in schema.values():
            yield from parts_of(value, ref)
    elif isinstance(schema, list):
        for value in schema:
            yield from parts_of(value, ref)
