"""A message in other spellings of its values says the same; a placeholder says nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from receiver.callback import Callback
from receiver.errors import MalformedCallbackError
from schemas.times import read_time
from tests.dialects.honest import HONEST, KNOWN, Honest, leaves, parsed, replaced
from tests.every import every

EACH = every(KNOWN)
ID_FIELDS = frozenset(
    {"orderId", "orderNo", "refundId", "logisticsId", "mailNo", "oldMailNo", "newMailNo"}
    | {"packageId", "buyerUserId", "orderEntryId", "id", "idOfStr", "subItemIDString"}
    | {"salesOrderId", "purchaseOrderId", "purchase_id", "outer_purchase_id", "seller_id"}
    | {"purchase_order_outer_id", "purchase_order_line_outer_id", "sub_purchase_order_id"}
    | {"order_line_no", "sku_id", "item_id", "refund_id", "logistic_number", "salesSellerId"}
    | {"purchaseOrderLineId", "buyerMemberId", "sellerMemberId"}
)
TIME_FIELDS = frozenset(
    {"tbCreateTime", "payTime", "msgSendTime", "createTime", "modifyTime", "changeTime"}
    | {"eventTime", "actionTime", "business_time", "pay_time"}
)
FEN_FIELDS = frozenset(
    {"totalAmount", "shippingFee", "productAmount", "refundAmount", "purchaseTotalFee"}
    | {"purchaseProductFee", "purchaseShippingFee", "product_amount", "purchase_amount"}
    | {"pay_amount", "domestic_post_fee", "refundFee", "refund_fee"}
)
NO_IDS: list[Any] = [0, "0", 0.0, "null", "NULL", "", " ", None, "undefined", "None", "0.0", -1]
NO_TIMES: list[Any] = [
    0,
    "0",
    0.0,
    "1970-01-01 08:00:00",
    "1970-01-01T00:00:00Z",
    "19700101080000000+0800",
    "0000-00-00 00:00:00",
]


def fields(message: Honest, names: frozenset[str]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The places of a message that hold one of `names`, with a value."""
    detail = isinstance(message.body, dict) and "baseInfo" in message.body
    for path, value in leaves(message.body):
        blank = value is None or not str(value).strip()
        if path[-1] in names and not blank and not (detail and names is FEN_FIELDS):
            yield path, value


@pytest.mark.parametrize("placeholder", [0, "0", "null", "undefined"], ids=repr)
@EACH
def test_no_placeholder_becomes_an_id(message: Honest, placeholder: Any) -> None:
    for path, _ in fields(message, ID_FIELDS):
        body = replaced(message.body, path, placeholder)
        try:
            callback = message.read(body)
        except MalformedCallbackError:
            continue  # its only order id
        if callback.events[0].data.event_type != "unknown.received":
            kept = message.read(replaced(message.body, path, None))
            assert list(callback.events) == list(kept.events), path


@EACH
def test_a_message_of_placeholder_ids_alone_is_refused_or_has_no_key(message: Honest) -> None:
    body = message.body
    for path, _ in fields(message, ID_FIELDS):
        body = replaced(body, path, 0)
    body = replaced(body, ("tradeOrderIds",), [0]) if "tradeOrderIds" in body else body
    try:
        callback = message.read(body)
    except MalformedCallbackError:
        return
    assert {draft.data.order_id for draft in callback.events} == {None}


@pytest.mark.parametrize("placeholder", NO_TIMES, ids=repr)
@EACH
def test_no_placeholder_becomes_a_time(message: Honest, placeholder: Any) -> None:
    for path, _ in fields(message, TIME_FIELDS):
        callback = message.read(replaced(message.body, path, placeholder))
        without = message.read(replaced(message.body, path, None))
        assert list(callback.events) == list(without.events), path
        assert len(callback.faults) == 1, path


SPELLINGS = [
    "%Y%m%d%H%M%S%f",
    "%Y-%m-%dT%H:%M:%S.%f+08:00",
    "%Y/%m/%d %H:%M:%S.%f",
    " %Y-%m-%d  %H:%M:%S.%f ",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@EACH
def test_a_time_in_another_spelling_is_the_same_time(message: Honest, spelling: str) -> None:
    honest = list(message.read(message.body).events)
    for path, value in fields(message, TIME_FIELDS):
        time = read_time(value)
        assert time is not None
        written = re.sub(r"(\d{3})\d{3}(?=\D|$)", r"\1", time.strftime(spelling))
        callback = message.read(replaced(message.body, path, written))
        assert list(callback.events) == honest, (path, written)
        assert list(callback.faults) == []


@EACH
def test_a_time_as_a_whole_float_is_the_same_time(message: Honest) -> None:
    honest = list(message.read(message.body).events)
    for path, value in fields(message, TIME_FIELDS):
        time = read_time(value)
        assert time is not None
        callback = message.read(replaced(message.body, path, time.timestamp() * 1000.0))
        assert list(callback.events) == honest, path


@pytest.mark.parametrize("ending", [".00", ".50", ".", "e2", "E0"])
@EACH
def test_fen_that_are_spelled_with_decimals_are_null_and_noted(
    message: Honest, ending: str
) -> None:
    for path, value in fields(message, FEN_FIELDS):
        callback = message.read(replaced(message.body, path, f"{value}{ending}"))
        without = message.read(replaced(message.body, path, None))
        assert list(callback.events) == list(without.events), path
        assert [fault.place.split(".")[-1] for fault in callback.faults] == [path[-1]]


@EACH
def test_fen_as_a_whole_float_are_the_same_amount(message: Honest) -> None:
    honest = list(message.read(message.body).events)
    for path, value in fields(message, FEN_FIELDS):
        callback = message.read(replaced(message.body, path, float(value)))
        assert list(callback.events) == honest, path
        assert list(callback.faults) == []


@every(HONEST)
def test_the_fields_of_the_envelope_have_the_same_placeholders(message: Honest) -> None:
    names = {"xport": {}, "aop": {"msgId": 0}, "global": {"seller_id": 0}}[message.dialect]
    outer = message.outer | names
    callback = parsed(message.dialect, message.wrapped(json.dumps(outer)))
    assert callback.message_id is None
    assert len(callback.events) == len(message.read(message.body).events)


def status_of(*lines: dict[str, Any], **more: Any) -> Callback:
    data = {"purchase_id": 1, "status": "11", "sku_list": list(lines)} | more
    return parsed("global", json.dumps({"message_type": 3, "data": data}).encode())


@pytest.mark.parametrize("placeholder", NO_IDS, ids=repr)
def test_no_refund_comes_from_a_placeholder(placeholder: Any) -> None:
    line = {"sku_id": 1, "status": "10", "refund_id": placeholder, "refund_status": 0}
    kinds = [draft.data.event_type for draft in status_of(line, line).events]
    assert kinds == ["order.status_changed"]


@pytest.mark.parametrize("name", ["refundId", "refund_id"])
@pytest.mark.parametrize("placeholder", NO_IDS, ids=repr)
def test_a_message_is_no_refund_for_a_placeholder(name: str, placeholder: Any) -> None:
    body = {"salesOrderId": "1", name: placeholder, "refundStatus": 0, "subOrders": [{}]}
    outer = {"messageType": None, "messagePlatform": 0, "messageBody": body}
    callback = parsed("xport", json.dumps(outer).encode())
    assert [draft.data.event_type for draft in callback.events] == ["order.status_changed"]


@pytest.mark.parametrize("placeholder", NO_IDS, ids=repr)
def test_the_second_name_of_an_id_counts_where_the_first_is_a_placeholder(placeholder: Any) -> None:
    data = {"purchase_id": placeholder, "purchaseOrderId": 7, "sku_list": []}
    callback = parsed("global", json.dumps({"message_type": 3, "data": data}).encode())
    assert callback.events[0].data.order_id == "7"


@pytest.mark.parametrize("placeholder", NO_IDS, ids=repr)
def test_an_unknown_message_has_no_key_from_a_placeholder(placeholder: Any) -> None:
    outer = {"messageType": "NEW", "messageBody": {"orderId": placeholder}}
    assert parsed("xport", json.dumps(outer).encode()).events[0].data.order_id is None


def test_the_order_of_any_line_counts_where_the_first_names_none() -> None:
    lines: list[dict[str, Any]] = [{"purchase_order_outer_id": n} for n in (0, "7")]
    assert status_of(*lines, purchase_id=0).events[0].data.order_id == "7"


@pytest.mark.parametrize(
    ("currency", "amounts"),
    [
        ("RMB", {"amount": "35.00", "currency": "CNY"}),
        ("hkd", {"amount": "35.00", "currency": "HKD"}),
        ("Taler", None),
        ("XXX", None),
        ([], None),
    ],
    ids=repr,
)
def test_an_amount_whose_currency_is_none_is_left_out_and_noted(
    currency: Any, amounts: Any
) -> None:
    price = {"purchaseCurrency": currency, "purchaseTotalFee": 3500}
    data = {"purchaseOrderId": 1, "purchaseOrderPriceDTO": price}
    callback = parsed("global", json.dumps({"message_type": 8, "data": data}).encode())
    assert callback.events[0].data.model_dump(mode="json")["amounts"]["total"] == amounts
    assert bool(callback.faults) is (amounts is None)


def test_the_decimals_of_a_number_count_as_they_are_spelled() -> None:
    body = (
        b'{"messageType":"ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY","messageBody":{"baseInfo":{"id":1,'
        b'"totalAmount":0.28499999999999999999,"shippingFee":1.0050000000000000000001}}}'
    )
    data = parsed("xport", body).events[0].data.model_dump(mode="json")
    assert data["amounts"]["total"]["amount"] == "0.28"
    assert data["amounts"]["shipping"]["amount"] == "1.01"
