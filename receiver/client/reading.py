"""From the data of a reply to its model, in whatever shape it comes. Performs no I/O.

A reply is the bare result or has the upstream's wrappers round it, writes names in camel or in
snake case, a list for an object, an object for a list, JSON as text
(docs/platform/api.md#what-data-holds). A field that cannot be read is absent, and noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from receiver.callback import Fault
from receiver.client.spelling import Shape, is_blank, respelled, shape_of
from receiver.errors import MalformedCallbackError
from receiver.messages.json_text import decoded
from receiver.messages.reading import read_leniently
from schemas.api.reply import ReplyModel

_MAX_DEPTH: Final = 4
_MAX_ERRORS: Final = 50_000
"""A list of the platform may be wrong in each of its entries, and be a list all the same."""
_WRAPPERS: Final = ("result", "data")
ModelT = TypeVar("ModelT", bound=BaseModel)


class UnreadableDataError(Exception):
    """The data has another shape than the model; the text says which is expected."""


def read_object(model: type[ModelT], data: Any, faults: list[Fault]) -> ModelT | None:
    """`data` as one `model`; None where it is null. Raises `UnreadableDataError`."""
    value = decoded(data, "data")
    shape = shape_of(model)
    if value is None or (isinstance(value, list) and not value):
        return model() if shape.may_be_null else None
    return _read(model, _found(shape, value), faults)


def read_rows(model: type[ModelT], data: Any, faults: list[Fault]) -> list[ModelT]:
    """`data` as a list of `model`, empty for null. Raises `UnreadableDataError`.

    A list, an object that holds the list under any name, and one bare row are all accepted.
    """
    value = decoded(data, "data")
    if value is None:
        return []
    if not isinstance(value, dict | list):
        raise UnreadableDataError("a list")
    rows = _rows(value) if isinstance(value, list) else rows_within(shape_of(model), value)
    return [_read(model, row, faults) for row in rows]


def objects(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """`value` and the objects within it, outermost first."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        yield from level
        inner = (decoded(part, "data") for held in level for part in held.values())
        level = [part for part in inner if isinstance(part, dict)]


def _read(model: type[ModelT], value: dict[str, Any], faults: list[Fault]) -> ModelT:
    try:
        body = respelled(model, value)
        read, found = read_leniently(model, body, "data", max_errors=_MAX_ERRORS)
    except MalformedCallbackError as error:
        raise UnreadableDataError("as it is documented") from error
    faults.extend(found)
    return read


def _found(shape: Shape, value: Any) -> dict[str, Any]:
    """The object that is the reply: `value` itself, one within it, or one made round it."""
    if isinstance(value, dict):
        return _within(shape, value)
    if isinstance(value, list):
        lone = _rows(value) if len(value) == 1 else []
        if lone and _is_whole(shape, lone[0]):
            return _within(shape, lone[0])
        if shape.bare_list:
            return {shape.bare_list: value}
        raise UnreadableDataError("an object")
    if shape.bare_value:
        return {shape.bare_value: value}
    raise UnreadableDataError("a list" if shape.bare_list else "an object")


def _is_whole(shape: Shape, lone: dict[str, Any]) -> bool:
    """Whether the one object of a list is the reply itself, and no entry of its bare list."""
    if not shape.bare_list:
        return True
    return shape.knows(lone) and not (shape.item and shape_of(shape.item).knows(lone))


def _within(shape: Shape, value: dict[str, Any]) -> dict[str, Any]:
    found = next((part for part in objects(value) if shape.knows(part)), None)
    item = shape_of(shape.item) if shape.item else None
    if item and shape.bare_list:
        if found is None:
            rows = rows_within(item, value)
        else:
            rows = [] if shape.holds_list(found) else _rows_of(item, found)
        if rows:
            return (found or {}) | {shape.bare_list: rows}
    return found or _standing_alone(shape, value) or value


def _standing_alone(shape: Shape, value: dict[str, Any]) -> dict[str, Any] | None:
    """What a wrapper holds in place of the reply: its inner object, it in a list, its one value."""
    if shape.inner and (inner := _lone(shape_of(shape.inner), value)):
        return inner
    if lone := _lone(shape, value):
        return lone
    values = (part for part in map(value.get, _WRAPPERS) if not isinstance(part, dict | list))
    plain = next((part for part in values if not is_blank(part)), None)
    return value | {shape.bare_value: plain} if shape.bare_value and plain is not None else None


def _lone(shape: Shape, value: dict[str, Any]) -> dict[str, Any] | None:
    rows = rows_within(shape, value)
    return rows[0] if len(rows) == 1 else None


def _rows(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, which may be JSON text as each of them may be."""
    held = decoded(value, "data")
    rows = (decoded(row, "data") for row in held) if isinstance(held, list) else ()
    return [row for row in rows if isinstance(row, dict)]


def rows_within(shape: Shape, value: dict[str, Any]) -> list[dict[str, Any]]:
    """The outermost object that is a row by itself, or the first list that holds such rows."""
    for part in objects(value):
        if shape.knows(part):
            return [part]
        if rows := _rows_of(shape, part):
            return rows
    return []


def _rows_of(shape: Shape, value: dict[str, Any]) -> list[dict[str, Any]]:
    """The first list of an object that holds such rows."""
    lists = (_rows(held) for held in value.values())
    return next((rows for rows in lists if any(map(shape.knows, rows))), [])


def identity(item: BaseModel) -> str:
    """What makes an item of a list another than the next: its id, else all of it."""
    if isinstance(item, ReplyModel):
        for name in item.identified_by:
            value = getattr(item, name)
            if not is_blank(value):
                return f"{name}={value}"
    return item.model_dump_json()
