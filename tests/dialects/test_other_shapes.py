"""A message in another writer's shape says the same: lists, objects, encodings, broken texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from receiver.callback import Callback
from receiver.errors import MalformedCallbackError
from tests.dialects.honest import (
    BODY_NAMES,
    KNOWN,
    Honest,
    containers,
    parsed,
    read,
    replaced,
)
from tests.every import every

EACH = every(KNOWN)
UNREAD = {"extAttributes", "extraInfo", "overseasExtraAddress"}
Shape = Callable[[Any], Any]

LISTS: dict[str, Shape] = {
    "JSON text": json.dumps,
    "JSON text, encoded twice": lambda value: json.dumps(json.dumps(value)),
    "in an object": lambda value: {"item": value},
    "numbered": lambda value: {str(number): part for number, part in enumerate(value)},
    "one alone": lambda value: value[0] if len(value) == 1 else json.dumps(value),
    "entries as JSON text": lambda value: [json.dumps(part) for part in value],
}
OBJECTS: dict[str, Shape] = {
    "JSON text": json.dumps,
    "JSON text with a byte order mark": lambda value: "\ufeff" + json.dumps(value),
    "JSON text, encoded twice": lambda value: json.dumps(json.dumps(value)),
    "in a list": lambda value: [value],
}


def same(callback: Callback, message: Honest) -> bool:
    return list(callback.events) == list(message.read(message.body).events)


@pytest.mark.parametrize("shape", LISTS)
@EACH
def test_a_list_in_another_shape_is_the_same_list(message: Honest, shape: str) -> None:
    for path, part in containers(message.body):
        of_ids = isinstance(part, list) and not isinstance((part or [None])[0], dict)
        if of_ids and shape == "entries as JSON text":
            continue  # an id is a text by itself
        if isinstance(part, list) and part and path[-1] not in UNREAD:
            callback = message.read(replaced(message.body, path, LISTS[shape](part)))
            assert same(callback, message), path
            assert callback.faults, path


@pytest.mark.parametrize("shape", OBJECTS)
@EACH
def test_an_object_in_another_shape_is_the_same_object(message: Honest, shape: str) -> None:
    for path, part in containers(message.body):
        inside_of_a_list = isinstance(path[-1], int)
        if isinstance(part, dict) and not (inside_of_a_list and shape == "in a list"):
            callback = message.read(replaced(message.body, path, OBJECTS[shape](part)))
            assert same(callback, message), path
            assert callback.faults, path


@pytest.mark.parametrize("times", [1, 2, 3])
@EACH
def test_a_body_that_is_encoded_again_is_the_same_body(message: Honest, times: int) -> None:
    body = message.body
    for _ in range(times):
        body = json.dumps(body)
    callback = message.read(body)
    assert same(callback, message)
    documented = message.dialect == "xport" and times == 1
    assert bool(callback.faults) is not documented


@EACH
def test_a_callback_that_is_encoded_twice_is_the_same_callback(message: Honest) -> None:
    callback = read(message, json.dumps(json.dumps(message.outer)))
    assert same(callback, message)
    assert len(callback.faults) == 1


@EACH
def test_a_body_that_is_the_one_object_of_a_list_is_that_object(message: Honest) -> None:
    if "by_body" in message.name or "by_name" in message.name:
        return  # known by its fields, which a list does not have
    try:
        callback = message.read([message.body])
    except MalformedCallbackError:
        assert message.name == "xport-order_create"
        raise
    if callback.events[0].data.event_type != "unknown.received":
        assert same(callback, message)


BROKEN: dict[str, bytes] = {
    "half a surrogate pair": b'"ab\\ud83d"',
    "the other half": b'"\\ude00 ab"',
    "a raw newline": b'"a\nb"',
    "a raw tab": b'"a\tb"',
    "a raw NUL": b'"a\x00b"',
    "bytes that are not UTF-8": b'"a\xff\xfeb"',
    "half a character of UTF-8": b'"\xe5\x8d"',
    "NaN": b"NaN",
    "infinite": b"-Infinity",
}


def with_text(message: Honest, text: bytes) -> bytes:
    """The message with a field more whose JSON is `text`."""
    name = BODY_NAMES[message.dialect]
    body = json.dumps(message.outer | {name: message.body | {"remark": "@"}}).encode()
    assert body.count(b'"@"') == 1
    return body.replace(b'"@"', text)


@pytest.mark.parametrize("text", BROKEN)
@EACH
def test_one_broken_text_does_not_lose_the_events(message: Honest, text: str) -> None:
    if message.dialect == "aop" and "UTF-8" in text:
        return  # the signature covers the decoded form, so such a form is refused
    callback = read(message, with_text(message, BROKEN[text]))
    assert same(callback, message)
    assert len(callback.faults) == 1
    assert callback.faults[0].reason.endswith("read all the same")


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_text_inside_of_a_json_text_does_not_lose_the_event(text: str) -> None:
    inner = b'{"orderId":"1","remark":' + BROKEN[text] + b"}"
    body = json.dumps({"messageType": "ORDER_CREATE", "messageBody": "@"}).encode()
    written = json.dumps(inner.decode("utf-8", "replace")).encode()
    callback = parsed("xport", body.replace(b'"@"', written))
    assert callback.events[0].data.order_id == "1"


def test_a_broken_text_that_is_kept_can_be_stored() -> None:
    body = b'{"messageType":"NEW","messageBody":{"a":"x\\ud83d","b":NaN,"c":"y\nz","d":"\xff"}}'
    said = parsed("xport", body).events[0].data.model_dump(mode="json")["body"]
    assert said == {"a": "x\ufffd", "b": None, "c": "y\nz", "d": "\ufffd"}


def test_zero_bytes_behind_the_callback_are_left_out() -> None:
    body = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"1"}}\0\0'
    assert parsed("xport", body).events[0].data.order_id == "1"


def test_a_whole_pair_of_surrogates_is_a_character() -> None:
    body = b'{"messageType":"NEW","messageBody":{"a":"\\ud83d\\ude00","b":"\\ud83d"}}'
    said = parsed("xport", body).events[0].data.model_dump(mode="json")["body"]
    assert said == {"a": "\U0001f600", "b": "\ufffd"}


@pytest.mark.parametrize(
    ("ids", "orders"),
    [
        (1, ["1"]),
        ("1", ["1"]),
        ("1,2", ["1", "2"]),
        ("[1,2]", ["1", "2"]),
        ('["1","2"]', ["1", "2"]),
        ([[1]], []),
        ({"long": [1, 2]}, ["1", "2"]),
        ({"0": 1, "1": 2}, ["1", "2"]),
        (2745812000123456789, ["2745812000123456789"]),
        ("2745812000123456789", ["2745812000123456789"]),
    ],
    ids=repr,
)
def test_ids_in_another_shape_are_ids(ids: Any, orders: list[str]) -> None:
    outer = {"messageType": "LOGISTICS_GLOBAL_1688_PACKAGE_CHANGE", "messageBody": {}}
    body = json.dumps(outer | {"messageBody": {"packageId": 1, "tradeOrderIds": ids}}).encode()
    if not orders:
        with pytest.raises(MalformedCallbackError):
            parsed("xport", body)
        return
    callback = parsed("xport", body)
    assert [draft.data.order_id for draft in callback.events] == orders
    assert [fault.place for fault in callback.faults] == ["messageBody.tradeOrderIds"]


@pytest.mark.parametrize("empty", ["", " ", "null", "[]", {}, [], None], ids=repr)
def test_an_empty_list_in_another_shape_is_no_fault(empty: Any) -> None:
    body = {"salesOrderId": "1", "subOrders": empty, "purchaseOrderPriceDTO": empty, "status": "4"}
    outer = {"messageType": "TAOBAO_STATUS", "messageBody": body}
    callback = parsed("xport", json.dumps(outer).encode())
    assert callback.events[0].data.order_id == "1"
    assert list(callback.faults) == []
