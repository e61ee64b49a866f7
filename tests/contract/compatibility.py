"""What changed between two versions of a published JSON Schema, and whether that is an addition.

Events are stored for years and read by programs we do not know, so a change must hold both ways:
old events fit the new schema, and old readers understand new events. Only an optional property, a
word of an open list and wording can be added; every other difference breaks somebody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]

_WORDING: Final = frozenset({"title", "description", "examples", "$defs"})
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `place` is the dotted path of the property, `breaking` is no addition."""

    place: str
    what: str
    breaking: bool

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def changes(published: Schema, current: Schema) -> list[Change]:
    """Every difference that is more than wording. Both schemas stand alone and do not recurse."""
    return list(_compare("$", published, current, published, current))


def _compare(
    place: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema
) -> Iterator[Change]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    for keyword in sorted((old.keys() | new.keys()) - _WORDING):
        before, after = old.get(keyword, _ABSENT), new.get(keyword, _ABSENT)
        if keyword == "properties":
            yield from _properties(place, old, new, old_root, new_root)
        elif keyword == "enum" and isinstance(before, list) and isinstance(after, list):
            yield from _words(place, before, after)
        elif keyword == "required":
            yield from _required(place, old, new)
        elif keyword == "items" and isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _compare(f"{place}[]", before, after, old_root, new_root)
        elif keyword == "anyOf" and _same_length(before, after):
            for left, right in zip(old["anyOf"], new["anyOf"], strict=True):
                yield from _compare(place, left, right, old_root, new_root)
        elif before != after:
            yield Change(place, f"{keyword} {_verb(before, after)}", breaking=True)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema with its reference into `$defs`, if it is one, put in its place."""
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].removeprefix("#/$defs/")
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**root["$defs"][name], **beside}


def _properties(
    place: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema
) -> Iterator[Change]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(before.keys() | after.keys()):
        inner = f"{place}.{name}"
        if name not in after:
            yield Change(inner, "property removed", breaking=True)
        elif name not in before:
            yield Change(inner, "property added", breaking=False)
        else:
            yield from _compare(inner, before[name], after[name], old_root, new_root)


def _required(place: str, old: Schema, new: Schema) -> Iterator[Change]:
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(after - before):
        yield Change(f"{place}.{name}", "required now: older events lack it", breaking=True)
    for name in sorted(before - after):
        yield Change(f"{place}.{name}", "not required any more: readers rely on it", breaking=True)


def _words(place: str, before: list[Any], after: list[Any]) -> Iterator[Change]:
    for word in before:
        if word not in after:
            yield Change(place, f"word removed: {word}", breaking=True)
    for word in after:
        if word not in before:
            yield Change(place, f"word added: {word}", breaking=False)


def _same_length(before: Any, after: Any) -> bool:
    return isinstance(before, list) and isinstance(after, list) and len(before) == len(after)


def _verb(before: Any, after: Any) -> str:
    if before is _ABSENT:
        return "added"
    return "removed" if after is _ABSENT else "changed"
