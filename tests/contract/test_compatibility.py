"""What counts as an addition to a published schema, and what breaks it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.contract.compatibility import changes

PUBLISHED: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:yizhan:schema:order.created:v1",
    "title": "OrderCreated",
    "description": "An order was placed.",
    "type": "object",
    "required": ["channel"],
    "properties": {
        "channel": {"anyOf": [{"type": "string", "enum": ["taobao"]}, {"type": "string"}]},
        "order_id": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "total": {"anyOf": [{"$ref": "#/$defs/Money"}, {"type": "null"}]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "default": []},
    },
    "$defs": {
        "Money": {
            "type": "object",
            "required": ["amount"],
            "properties": {"amount": {"type": "string", "pattern": r"^[0-9]+\.[0-9]{2}$"}},
        },
        "Line": {
            "type": "object",
            "properties": {"status": {"$ref": "#/$defs/Status", "default": "unknown"}},
        },
        "Status": {
            "anyOf": [{"type": "string", "enum": ["pending", "unknown"]}, {"type": "string"}]
        },
    },
}
REMOVED: Any = object()


def changed(*path: str | int, value: Any) -> dict[str, Any]:
    """The published schema with one place set to `value`, or removed."""
    schema = deepcopy(PUBLISHED)
    node: Any = schema
    for part in path[:-1]:
        node = node[part]
    if value is REMOVED:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return schema


def test_the_same_schema_has_no_changes() -> None:
    assert changes(PUBLISHED, deepcopy(PUBLISHED)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("title",), "Order"),
        (("description",), "Somebody placed an order."),
        (("properties", "order_id", "description"), "The platform's id."),
        (("examples",), [{"channel": "taobao"}]),
        (("$defs", "Unused"), {"type": "object"}),
    ],
)
def test_wording_is_no_change(path: tuple[str | int, ...], value: Any) -> None:
    assert changes(PUBLISHED, changed(*path, value=value)) == []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("properties", "note"), {"type": "string"}, "$.note: property added"),
        (
            ("$defs", "Line", "properties", "title"),
            {"type": "string"},
            "$.lines[].title: property added",
        ),
        (
            ("properties", "channel", "anyOf", 0, "enum"),
            ["taobao", "1688"],
            "$.channel: word added: 1688",
        ),
        (
            ("$defs", "Status", "anyOf", 0, "enum"),
            ["pending", "closed", "unknown"],
            "$.lines[].status: word added: closed",
        ),
    ],
)
def test_an_addition_is_told_and_breaks_nothing(
    path: tuple[str | int, ...], value: Any, told: str
) -> None:
    found = changes(PUBLISHED, changed(*path, value=value))
    assert [(str(change), change.breaking) for change in found] == [(told, False)]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("properties", "order_id"), REMOVED, "$.order_id: property removed"),
        (("properties",), REMOVED, "$.channel: property removed"),
        (
            ("$defs", "Money", "properties", "amount", "type"),
            "number",
            "$.total.amount: type changed",
        ),
        (
            ("$defs", "Money", "properties", "amount", "pattern"),
            r"^[0-9]{1,3}\.[0-9]{2}$",
            "$.total.amount: pattern changed",
        ),
        (
            ("properties", "order_id", "anyOf", 0, "maxLength"),
            20,
            "$.order_id: maxLength added",
        ),
        (
            ("$defs", "Money", "properties", "amount", "pattern"),
            REMOVED,
            "$.total.amount: pattern removed",
        ),
        (("properties", "total"), {"type": "null"}, "$.total: anyOf removed"),
        (
            ("properties", "order_id", "anyOf"),
            [{"type": "string"}],
            "$.order_id: anyOf changed",
        ),
        (
            ("required",),
            ["channel", "order_id"],
            "$.order_id: required now: older events lack it",
        ),
        (("required",), [], "$.channel: not required any more: readers rely on it"),
        (
            ("properties", "channel", "anyOf", 0, "enum"),
            ["1688"],
            "$.channel: word removed: taobao",
        ),
        (
            ("properties", "channel", "anyOf", 0, "enum"),
            REMOVED,
            "$.channel: enum removed",
        ),
        (("properties", "lines", "items"), REMOVED, "$.lines: items removed"),
        (("properties", "lines", "default"), None, "$.lines: default changed"),
        (("additionalProperties",), False, "$: additionalProperties added"),
        (("$id",), "urn:yizhan:schema:order.made:v1", "$: $id changed"),
    ],
)
def test_any_other_change_breaks(path: tuple[str | int, ...], value: Any, told: str) -> None:
    found = changes(PUBLISHED, changed(*path, value=value))
    assert told in [str(change) for change in found if change.breaking]
