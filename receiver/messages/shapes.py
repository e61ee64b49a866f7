"""Objects and lists in the shapes that other writers give them. Pure functions.

A writer of XML turned to JSON, a PHP array, a column that holds JSON text: each sends one thing
where another belongs, and means what it would mean in its place.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from receiver.errors import MalformedCallbackError
from receiver.messages.json_text import decoded, read_json

DROPPED: Final = object()
"""Stands for an entry of a list that is left out."""


class Reading(NamedTuple):
    """What something is read as; `reason` is what is noted of it, blank for nothing."""

    value: Any
    reason: str


def as_object(value: Any, refusal: str) -> Reading:
    """The object that `value` is: JSON text of one, or the one object of a list.

    Null, a blank text and an empty list (an empty PHP array) are no object, with nothing to note;
    anything else is none for the reason `refusal`.
    """
    inner = decoded(value, "")
    if inner is None or inner == [] or _is_blank(inner):
        return Reading(None, "")
    if isinstance(inner, list) and len(inner) == 1:
        inner = inner[0]
    if isinstance(inner, dict):
        return Reading(inner, "no object where one belongs: read as what it holds")
    return Reading(None, refusal)


def as_list(value: Any, refusal: str) -> Reading:
    """The list that `value` is, which is no list itself: JSON text of one, one entry alone, a list
    in an object (`{"sku": [...]}`) or an object of numbered entries (`{"0": ..., "1": ...}`).

    A blank text and an empty object are an empty list, with nothing to note; true and false are
    none, for the reason `refusal`.
    """
    if _is_blank(value):
        return Reading([], "")
    inner = _from_text(value) if isinstance(value, str) else value
    if isinstance(inner, dict):
        inner = _entries(inner)
    if isinstance(inner, bool) or inner is None:
        return Reading(None, refusal)
    listed = inner if isinstance(inner, list) else [inner]
    return Reading(listed, "no list where one belongs: read as one" if listed else "")


def _from_text(text: str) -> Any:
    """What a text holds as JSON; else the parts between its commas, as ids are joined."""
    inner = decoded(text, "")
    if inner is not text:
        return inner
    try:
        return read_json(text)
    except MalformedCallbackError:
        return [part for part in text.split(",") if part.strip()]


def _entries(value: dict[str, Any]) -> list[Any]:
    parts = list(value.values())
    if all(name.isascii() and name.isdigit() for name in value):
        return parts
    if len(parts) == 1 and isinstance(parts[0], list | dict):
        return parts[0] if isinstance(parts[0], list) else parts
    return [value]


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() in {"", "null"}
