"""Reading is strict about syntax, lenient about fields, and bounded in work."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.callback import Fault
from receiver.errors import MalformedCallbackError
from receiver.messages.alibaba import TOPICS
from receiver.messages.json_text import read_json
from receiver.messages.orders_1688 import read_order
from receiver.messages.reading import Message, exact_json, read_leniently, unknown_fields
from schemas.alibaba import OrderDetailMessage, OrderMessage, PackageMessage
from schemas.taobao import TaobaoOrderMessage
from schemas.times import CHINA
from schemas.values import MAX_FEW_PARTS, MAX_PARTS, Money, SpelledFloat
from tests.cost import bounded_cost


def message(body: Any, message_type: str = "ORDER_CREATE") -> Message:
    return Message(message_type, "1688", body, "messageBody")


def test_the_second_name_counts_where_the_first_is_of_another_type() -> None:
    body = {"purchase_id": [], "purchaseOrderId": 7}
    read, faults = read_leniently(TaobaoOrderMessage, body, "data")
    assert read.purchase_order_id == "7"
    assert [fault.place for fault in faults] == ["data.purchase_id"]


def test_both_names_of_another_type_are_both_noted() -> None:
    body: dict[str, Any] = {"purchase_id": [], "purchaseOrderId": {}}
    read, faults = read_leniently(TaobaoOrderMessage, body, "data")
    assert read.purchase_order_id is None
    assert [fault.place for fault in faults] == ["data.purchase_id", "data.purchaseOrderId"]


@pytest.mark.parametrize("blank", [None, ""], ids=repr)
@pytest.mark.parametrize(
    ("first", "second", "field"),
    [
        ("purchase_id", "purchaseOrderId", "purchase_order_id"),
        ("outer_purchase_id", "orderNo", "order_no"),
        ("seller_id", "salesSellerId", "seller_id"),
        ("status", "orderStatus", "status"),
        ("refundId", "refund_id", "refund_id"),
        ("refundStatus", "refund_status", "refund_status"),
    ],
)
def test_of_two_names_the_one_with_a_value_counts(
    first: str, second: str, field: str, blank: str | None
) -> None:
    read, _ = read_leniently(TaobaoOrderMessage, {first: blank, second: "7"}, "data")
    assert getattr(read, field) == "7"


def test_of_two_lists_the_one_that_is_there_counts() -> None:
    body = {"subOrders": None, "sku_list": [{"order_line_no": "1"}]}
    read, _ = read_leniently(TaobaoOrderMessage, body, "data")
    assert [part.purchase_order_line_outer_id for part in read.sub_orders] == ["1"]


def test_what_was_read_is_left_as_it_was() -> None:
    body: dict[str, Any] = {"baseInfo": {"idOfStr": "1", "status": []}, "productItems": [5]}
    read_leniently(OrderDetailMessage, body, "body")
    assert body == {"baseInfo": {"idOfStr": "1", "status": []}, "productItems": [5]}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"baseInfo": "x"}, "valid dictionary"),
        ({"baseInfo": {"idOfStr": 1.5}}, "text or a whole number"),
        ({"baseInfo": {"id": []}}, "missing"),
    ],
    ids=repr,
)
def test_an_identity_that_is_missing_is_told_with_its_reason(
    body: dict[str, Any], reason: str
) -> None:
    told = message(body)
    with pytest.raises(MalformedCallbackError, match=reason) as refused:
        read_order(told)
    assert refused.value.place == "messageBody.baseInfo.idOfStr"


def test_an_endless_list_of_orders_is_refused_with_its_reason() -> None:
    told = message({"tradeOrderIds": [1] * (MAX_PARTS + 1)})
    with pytest.raises(MalformedCallbackError, match="at most") as refused:
        TOPICS["LOGISTICS_GLOBAL_1688_PACKAGE_CHANGE"](told)
    assert refused.value.place == "messageBody.tradeOrderIds"


def test_an_endless_list_is_a_fault_and_the_rest_is_kept() -> None:
    body = {"packageId": "1", "tradeOrderIds": list(range(MAX_PARTS + 1))}
    read, faults = read_leniently(PackageMessage, body, "body")
    assert (read.package_id, read.trade_order_ids) == ("1", ())
    assert faults == (Fault("body.tradeOrderIds", f"a list has at most {MAX_PARTS} entries here"),)


def test_a_list_inside_of_a_list_is_held_shorter() -> None:
    parcels = [{"logistic_number": "1"}] * (MAX_FEW_PARTS + 1)
    body = {"subOrders": [{"sku_id": 1, "logistic_orders": parcels}]}
    read, faults = read_leniently(TaobaoOrderMessage, body, "body")
    assert (read.sub_orders[0].sku_id, read.sub_orders[0].logistic_orders) == ("1", ())
    assert [fault.place for fault in faults] == ["body.subOrders.0.logistic_orders"]


def test_a_message_of_nothing_but_faults_is_refused() -> None:
    bent = {"status": [], "title": 1, "sku_id": []}
    with pytest.raises(MalformedCallbackError, match="too many fields") as refused:
        read_leniently(TaobaoOrderMessage, {"subOrders": [bent] * MAX_PARTS}, "body")
    assert refused.value.place == "body"


FOLDED = json.dumps(
    {"pay_time": 0, "logistic_orders": json.dumps({"logistic_number": "nil", "rts_time": 0})}
)
BOMBS: dict[str, tuple[str, Any]] = {
    "lines": ("subOrders", [{}] * 300_000),
    "numbers": ("subOrders", [1] * 500_000),
    "parcels": ("subOrders", [{"logistic_orders": [{}] * 300}] * 1000),
    "texts": ("subOrders", [FOLDED] * 660),
    "prices": ("purchaseOrderLinePriceChangeMessageDTOList", [{}] * 300_000),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_the_cost_of_a_bomb_is_linear(bomb: str) -> None:
    name, value = BOMBS[bomb]
    with bounded_cost():
        read, faults = read_leniently(TaobaoOrderMessage, {"salesOrderId": 1, name: value}, "body")
    assert read.sales_order_id == "1"
    assert len(faults) in {1, 20}


def test_unknown_fields_are_named_by_where_they_are() -> None:
    body = {
        "x": 1,
        "baseInfo": {"idOfStr": "1", "y": 2},
        "productItems": [None, {"z": 3, "price": 1.5}],
    }
    read, _ = read_leniently(OrderDetailMessage, body, "body")
    assert set(unknown_fields(read)) == {"x", "base_info.y", "product_items[].z"}


def test_unknown_fields_are_reported_up_to_a_limit() -> None:
    body = {"f" * 100 + str(number): 1 for number in range(1000)}
    names = list(unknown_fields(OrderMessage.model_validate(body)))
    assert len(names) == 200
    assert {len(name) for name in names} == {64}


def test_money_and_times_hold_nothing_unknown() -> None:
    body = {"orderId": "1", "totalAmount": 1, "payTime": "2026-01-31 12:00:00"}
    read, faults = read_leniently(OrderMessage, body, "body")
    assert (list(unknown_fields(read)), faults) == ([], ())
    assert read.total_amount == Money.yuan(Decimal("0.01"))
    assert read.pay_time == datetime(2026, 1, 31, 12, tzinfo=CHINA)


@pytest.mark.parametrize("text", ["{", "nan", "\ud800", "[1,]", "1 2"], ids=repr)
def test_text_that_is_no_json_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(MalformedCallbackError, match="not JSON") as refused:
        read_json(text, "messageBody")
    assert refused.value.place == "messageBody"


exact = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(exact)
def test_any_json_becomes_exact(value: Any) -> None:
    for leaf in leaves(exact_json(value)):
        assert leaf not in (float("inf"), float("-inf"))
        assert not isinstance(leaf, int) or abs(leaf) < 2**53


def leaves(value: Any) -> list[Any]:
    parts = value.values() if isinstance(value, dict) else value
    return (
        [leaf for part in parts for leaf in leaves(part)]
        if isinstance(value, dict | list)
        else [value]
    )


EXACT: dict[str, tuple[Any, Any]] = {
    "a long number": (2**53, str(2**53)),
    "a negative one": ([-(2**60)], [str(-(2**60))]),
    "one that a float holds": ({"a": 2**53 - 1}, {"a": 2**53 - 1}),
    "17 digits behind a point": ([0.12345678901234567], [0.12345678901234567]),
    "an exponent": ([1e300, 1e-300, 12345678901234567e5], [1e300, 1e-300, 12345678901234567e5]),
    "infinite": ([float("inf"), 2**70], [None, str(2**70)]),
    "a text": (
        {'"1': ',12345678901234567,\\"', "b": 2**70},
        {'"1': ',12345678901234567,\\"', "b": str(2**70)},
    ),
    "a key": ({"12345678901234567890": True}, {"12345678901234567890": True}),
    "a spelled one": ([SpelledFloat("0.28499999999999999999"), 2**70], [0.285, str(2**70)]),
    "nothing": (None, None),
}


@pytest.mark.parametrize("case", EXACT)
def test_numbers_that_not_every_reader_holds_become_text(case: str) -> None:
    value, expected = EXACT[case]
    assert exact_json(value) == expected


def test_a_spelled_float_becomes_a_plain_one() -> None:
    (number,) = exact_json([SpelledFloat("0.28499999999999999999")])
    assert (type(number), number) == (float, 0.285)


JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_every_other_value_stays_as_it_is(value: Any) -> None:
    def walked(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: walked(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [walked(inner) for inner in part]
        if isinstance(part, int) and not isinstance(part, bool) and abs(part) > 2**53 - 1:
            return str(part)
        return None if isinstance(part, float) and abs(part) == float("inf") else part

    assert exact_json(value) == walked(value)
