"""Bad input has one answer: read, read in part with the fault noted, or one error with its place.

The answers are those of docs/bad-input.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.bus.callback_codec import encode_callback
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.errors import MalformedCallbackError
from receiver.settings import DialectName, SourceSettings
from tests.cost import bounded_cost

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ORDER_ID = "2745812000123456789"


def verified(dialect: DialectName, body: bytes) -> VerifiedRequest:
    source = SourceSettings(name="s", dialect=dialect, verification="none")
    return VerifiedRequest(InboundRequest(source, (), body, NOW), Proof("none"))


def read(dialect: DialectName, body: bytes) -> Callback:
    return DIALECTS[dialect].parse(verified(dialect, body))


def xport(body: Any, message_type: Any = "ORDER_CREATE", **more: Any) -> bytes:
    outer = {"messageType": message_type, "messageBody": body} | more
    return json.dumps(outer).encode()


def aop(data: Any, topic: Any = "ORDER_BUYER_VIEW_BUYER_MAKE", **more: Any) -> bytes:
    message = {"msgId": 1, "type": topic, "data": data} | more
    return urlencode({"message": json.dumps(message)}).encode()


def push(data: Any, message_type: Any = 3) -> bytes:
    return json.dumps({"message_type": message_type, "data": data}).encode()


DEEP = b"[" * 10_000 + b"]" * 10_000
REFUSED: dict[str, tuple[DialectName, bytes, str, str]] = {
    "not JSON": ("xport", b"order paid!", "body", "not JSON: .* line 1 column 1"),
    "cut off": ("xport", b'{"messageType":"ORD', "body", "not JSON: EOF"),
    "UTF-16": ("xport", '{"messageType":"x"}'.encode("utf-16"), "body", "not JSON"),
    "an array": ("xport", b"[]", "body", "not a JSON object"),
    "a number": ("global", b"5", "body", "not a JSON object"),
    "no envelope": ("xport", b'{"a":1}', "body", "neither messageType nor messageBody"),
    "an order id that is NaN": ("xport", xport({"orderId": "1"}).replace(b'"1"', b"NaN"),
                                "messageBody.orderId", "missing"),
    "an order id with half a character": ("xport", xport({"orderId": "27\ud83d"}),
                                          "messageBody.orderId", "lost a part"),
    "an order id that is not UTF-8": ("xport", xport({"orderId": "27?"}).replace(b"?", b"\xff"),
                                      "messageBody.orderId", "lost a part"),
    "an order id of 0": ("xport", xport({"orderId": 0}), "messageBody.orderId", "missing"),
    "an order id of null as a text": ("xport", xport({"orderId": "null"}), "messageBody.orderId",
                                      "missing"),
    "an order id of undefined": ("xport", xport({"orderId": "undefined"}), "messageBody.orderId",
                                 "placeholder"),
    "an order id of 0 of Taobao": ("global", push({"purchase_id": 0, "status": "4"}),
                                   "data.purchase_id", "missing"),
    "an order id of 0 in a trace": ("aop", aop({"orderLogsItems": [{"orderId": 0}]},
                                               "LOGISTICS_BUYER_VIEW_TRACE"),
                                    "message.data.orderLogsItems", "no order id"),
    "an order id of 0 in a package": ("aop", aop({"packageId": 1, "tradeOrderIds": [0, "0"]},
                                                 "LOGISTICS_GLOBAL_1688_PACKAGE_CHANGE"),
                                      "message.data.tradeOrderIds", "no order id"),
    "a text that is cut off and not UTF-8": ("xport", b'{"messageType":"\xff', "body", "not JSON"),
    "a lone bracket and a raw newline": ("xport", b'{"a":"\n"', "body", "not JSON"),
    "too deep": ("xport", b'{"messageType":"x","messageBody":' + DEEP + b"}", "body", "recursion"),
    "too many digits": ("xport", b'{"messageType":"x","messageBody":' + b"9" * 5000 + b"}",
                        "body", "out of range"),
    "an inner text that is no JSON": ("xport", xport("{oops"), "messageBody", "not JSON"),
    "an inner text that is too deep": ("xport", xport(DEEP.decode()), "messageBody", "recursion"),
    "no body": ("xport", xport(None), "messageBody", "not a JSON object"),
    "a body that is a list": ("xport", xport([1]), "messageBody", "not a JSON object"),
    "no order id": ("xport", xport({}), "messageBody.orderId", "missing"),
    "an order id of 10 kB": ("xport", xport({"orderId": "9" * 10_000}), "messageBody.orderId",
                             "at most 128"),
    "an order id as a float": ("xport", xport({"orderId": 2.745e18}), "messageBody.orderId",
                               "text or a whole number"),
    "an order id as a list": ("xport", xport({"orderId": [1]}), "messageBody.orderId",
                              "text or a whole number"),
    "an order id as true": ("xport", xport({"orderId": True}), "messageBody.orderId",
                            "text or a whole number"),
    "no id in a detail": ("xport", xport({"baseInfo": {}}), "messageBody.baseInfo.idOfStr",
                          "missing"),
    "no order in a batch": ("xport", xport({"batchPay": [None, {}]}, "ORDER_BATCH_PAY"),
                            "messageBody.batchPay", "without an order id"),
    "no order in a trace": ("aop", aop({"mailNo": "1"}, "LOGISTICS_BUYER_VIEW_TRACE"),
                            "message.data.orderLogsItems", "no order id"),
    "no id in a Taobao message": ("global", push({"status": "x"}), "data.purchase_id", "missing"),
    "no message type": ("global", b'{"data":{}}', "body.message_type", "missing"),
    "no form": ("aop", b"order paid!", "message", "missing"),
    "a form that is not ASCII": ("aop", b"message=\xff", "form", "not a UTF-8 form"),
    "a form that is not UTF-8": ("aop", b"message=%ff", "form", "not a UTF-8 form"),
    "a form bomb": ("aop", b"&".join(b"f%d=1" % n for n in range(100_000)), "form", "too many"),
    "a form without its message": ("aop", b"a=1", "message", "missing"),
    "a form with two messages": ("aop", b"message={}&message={}", "message", "repeated"),
    "a message without its type": ("aop", aop({}, None), "message.type", "missing"),
    "a message that is no object": ("aop", b"message=5", "message", "not a JSON object"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_that_cannot_be_read_is_reported_with_its_place(case: str) -> None:
    dialect, body, place, reason = REFUSED[case]
    with pytest.raises(MalformedCallbackError, match=reason) as refused, bounded_cost():
        read(dialect, body)
    assert refused.value.place == place
    assert refused.value.status == 400


def data_of(callback: Callback) -> dict[str, Any]:
    return callback.events[0].data.model_dump(mode="json")


def test_a_byte_order_mark_is_skipped() -> None:
    assert data_of(read("xport", b"\xef\xbb\xbf" + xport({"orderId": "1"})))["order_id"] == "1"


def test_of_equal_keys_the_last_wins() -> None:
    body = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"1","orderId":"2"}}'
    assert data_of(read("xport", body))["order_id"] == "2"


@pytest.mark.parametrize("written", [ORDER_ID, int(ORDER_ID)], ids=repr)
def test_an_id_of_19_digits_keeps_each_of_them(written: Any) -> None:
    assert data_of(read("xport", xport({"orderId": written})))["order_id"] == ORDER_ID
    assert data_of(read("aop", aop({"orderId": written})))["order_id"] == ORDER_ID
    assert data_of(read("global", push({"purchase_id": written})))["order_id"] == ORDER_ID


def test_in_an_unknown_body_large_numbers_become_text_and_overflow_null() -> None:
    body = (
        b'{"messageType":"NEW","messageBody":{"a":9007199254740993,"b":[1e400,-1e400,1],"c":1.5}}'
    )
    said = data_of(read("xport", body))["body"]
    assert said == {"a": "9007199254740993", "b": [None, None, 1], "c": 1.5}


def test_an_unknown_type_may_hold_a_text_that_is_no_json() -> None:
    assert data_of(read("xport", xport("hello", "NEW")))["body"] == "hello"


BENT: dict[str, tuple[str, Any, str]] = {
    "an amount in words": ("totalAmount", "much", "must be a number"),
    "an amount beyond reason": ("totalAmount", "1e999999999", "in range"),
    "an amount of 1e400": ("totalAmount", 1e300, "in range"),
    "half a fen": ("totalAmount", 0.5, "whole number"),
    "an amount as true": ("totalAmount", True, "must be a number"),
    "a time in words": ("tbCreateTime", "yesterday", "2024-01-31"),
    "a time as a list": ("tbCreateTime", [], "2024-01-31"),
    "a time of 20 digits": ("tbCreateTime", 10**20, "epoch"),
    "a status as an object": ("orderStatus", {}, "valid string"),
    "a status without end": ("orderStatus", "x" * 10_000, "at most 256"),
    "a number as a list": ("orderNo", [1], "text or a whole number"),
}


@pytest.mark.parametrize("case", BENT)
def test_a_field_that_changed_its_type_does_not_lose_the_rest(case: str) -> None:
    name, value, reason = BENT[case]
    honest = {"orderId": ORDER_ID, "orderNo": "N", "orderStatus": "CANCEL", "shippingFee": 1}
    callback = read("xport", xport(honest | {name: value}))
    (fault,) = callback.faults
    assert fault.place == f"messageBody.{name}"
    assert reason in fault.reason
    assert str(value) not in fault.reason or value in ([], {})
    assert data_of(callback)["order_id"] == ORDER_ID
    assert data_of(callback)["amounts"]["shipping"] == {"amount": "0.01", "currency": "CNY"}


def test_a_bent_part_of_a_list_does_not_lose_its_neighbours() -> None:
    body = {"salesOrderId": "1", "subOrders": [5, {"status": "11", "quantity": "x"}, None]}
    callback = read("xport", xport(body, "TAOBAO_STATUS"))
    assert [fault.place for fault in callback.faults] == [
        "messageBody.subOrders.0",
        "messageBody.subOrders.1.quantity",
    ]
    assert len(data_of(callback)["lines"]) == 1


def test_a_list_that_is_none_is_noted() -> None:
    callback = read("xport", xport({"salesOrderId": "1", "subOrders": 5}, "TAOBAO_STATUS"))
    assert callback.faults[0].place == "messageBody.subOrders"


def test_where_everything_changed_nothing_is_noted_without_end() -> None:
    body = {"salesOrderId": "1", "subOrders": [{"status": {}, "pay_amount": "x"}] * 1000}
    callback = read("xport", xport(body, "TAOBAO_STATUS"))
    assert len(callback.faults) == 20


@pytest.mark.parametrize("blank", ["", "  ", None], ids=repr)
def test_a_blank_field_is_absent(blank: str | None) -> None:
    body = {"orderId": "1", "payTime": blank, "totalAmount": blank, "orderNo": blank}
    callback = read("xport", xport(body, "ORDER_PAY_SUCCESS", timestamp=blank))
    data = data_of(callback)
    assert (data["paid_at"], data["amounts"], data["order_no"]) == (None, None, None)
    assert list(callback.faults) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"baseInfo": {"idOfStr": None, "id": 7}}, "7"),
        ({"baseInfo": {"idOfStr": "7", "id": 8}}, "7"),
    ],
    ids=["null", "both"],
)
def test_the_second_name_of_an_id_counts_where_the_first_is_null(
    body: dict[str, Any], expected: str
) -> None:
    assert data_of(read("xport", xport(body)))["order_id"] == expected


def test_the_second_name_of_a_global_id_counts_where_the_first_is_null() -> None:
    said = data_of(read("global", push({"purchase_id": None, "purchaseOrderId": 7})))
    assert said["order_id"] == "7"


@pytest.mark.parametrize("platform", [None, 7, "x", []], ids=repr)
def test_a_platform_that_is_none_leaves_the_name_to_tell(platform: Any) -> None:
    body = xport({"orderId": "1"}, "1688_ORDER_CREATE", messagePlatform=platform)
    assert data_of(read("xport", body))["channel"] == "1688"


def test_the_platform_is_believed_before_the_prefix() -> None:
    body = xport({"orderId": "1"}, "1688_NEW", messagePlatform=0)
    assert data_of(read("xport", body))["channel"] == "taobao"


def test_a_message_without_a_name_is_known_by_its_body() -> None:
    said = read("xport", xport({"salesOrderId": "1", "subOrders": [{"status": "4"}]}, None))
    assert said.events[0].data.event_type == "order.status_changed"


def test_a_name_that_is_a_number_is_kept() -> None:
    assert read("xport", xport({}, 7)).message_type == "7"


def test_a_name_that_is_no_word_is_noted_and_unknown() -> None:
    callback = read("xport", xport({"a": 1}, []))
    assert callback.faults[0].place == "body.messageType"
    assert callback.events[0].data.event_type == "unknown.received"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20)
    | st.sampled_from(["9" * 200, "1e999999999", "2026-01-31 12:00:00", 10**30]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "messages").glob("*/*.json"))


def survives(dialect: DialectName, body: bytes) -> None:
    """Parsing ends in a callback or in its one error, and what it makes can be stored."""
    request = verified(dialect, body)
    try:
        callback = DIALECTS[dialect].parse(request)
    except MalformedCallbackError:
        return
    if isinstance(callback, Callback):
        for message in encode_callback(request, callback, Subjects())[1:]:
            json.loads(message.body, parse_constant=pytest.fail)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(body=st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(dialect: DialectName, body: bytes) -> None:
    survives(dialect, body)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    found = [here] if here else []
    for key, part in parts if isinstance(value, dict | list) else ():
        found += paths(part, (*here, key)) if isinstance(part, dict | list) else [(*here, key)]
    return found


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


@given(data=st.data())
def test_any_value_anywhere_in_a_signed_message_survives(data: st.DataObject) -> None:
    fixture = json.loads(data.draw(st.sampled_from(FIXTURES)).read_text(encoding="utf-8"))
    dialect: DialectName = fixture["dialect"]
    wrap: Callable[[Any], bytes] = lambda value: json.dumps(value).encode()  # noqa: E731
    if dialect == "aop":
        from urllib.parse import parse_qs

        honest = json.loads(parse_qs(fixture["body"])["message"][0])
        wrap = lambda value: urlencode({"message": json.dumps(value)}).encode()  # noqa: E731
    else:
        honest = json.loads(fixture["body"])
    if dialect == "xport" and isinstance(honest["messageBody"], str):
        honest["messageBody"] = json.loads(honest["messageBody"])
    path = data.draw(st.sampled_from(paths(honest)))
    survives(dialect, wrap(replaced(honest, path, data.draw(json_values))))
