"""The requests: which rules they keep, and what is sent of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from receiver.client.calls.registry import CALLS
from receiver.errors import InvalidRequestError
from schemas.api.alibaba_orders import AddressParam, CargoParam, OrderListRequest
from schemas.api.request import sent
from schemas.values import Money
from tests.pages import ROOT, fault_of

CARGO = {"offer_map_id": "A", "quantity": 1}
REFUND: dict[str, Any] = {
    "order_id": "1",
    "dispute_request": "refund",
    "apply_payment": 100,
    "apply_carriage": 0,
    "apply_reason_id": "7",
    "description": "ab",
    "goods_status": "refundBuyerReceived",
}
RETURN = {"refund_id": "TQ1", "logistics_company_no": "ZTO", "freight_bill": "1"}
LINE = {"item_id": "1", "order_line_no": "1", "quantity": 1, "price": 1, "sku_id": "1"}
JPEG = b"\xff\xd8\xff"


def made(name: str, *args: Any, **fields: Any) -> Any:
    return CALLS[name].made(*args, **fields)


def fault(name: str, *args: Any, **fields: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        made(name, *args, **fields)
    return str(caught.value)


TOO_MUCH: list[tuple[str, dict[str, Any], str]] = [
    ("alibaba_products_related", {"offer_id": "A", "page_size": 11}, "from 1 to 10"),
    ("alibaba_products_hot_list", {"rank_id": "1", "limit": 21}, "from 1 to 20"),
    ("alibaba_products_search_image", {"image_base64": "x", "page_size": 51}, "from 1 to 50"),
    ("alibaba_products_search_image", {}, "image_base64 or image_address is required"),
    ("alibaba_products_category", {"out_member_id": "x" * 65}, "at most 64 characters"),
    (
        "alibaba_orders_create",
        {"flow": "f", "address_param": {}, "cargo_param_list": [CARGO] * 51},
        "from 1 to 50 SKUs an order",
    ),
    (
        "alibaba_orders_create",
        {"flow": "f", "address_param": {}, "cargo_param_list": []},
        "from 1 to 50 SKUs an order",
    ),
    (
        "alibaba_orders_preview",
        {"address_param": {}, "cargo_param_list": [{"quantity": 1}]},
        "offer_map_id (v2) or offer_id (v1) is required",
    ),
    ("alibaba_orders_pay_batch", {"order_ids": ["1"] * 101}, "from 1 to 100 orders a call"),
    ("alibaba_orders_confirm_receipt", {"order_id": "1", "order_entry_ids": []}, "at least 1 line"),
    ("alibaba_cart_preview", {"cart_ids": []}, "at least 1 entry of the cart"),
    ("alibaba_refunds_create", REFUND | {"description": "a"}, "from 2 to 150 characters"),
    ("alibaba_refunds_create", REFUND | {"description": "a" * 151}, "from 2 to 150 characters"),
    ("alibaba_refunds_create", REFUND | {"vouchers": ["u"] * 6}, "at most 5 vouchers"),
    ("alibaba_refunds_create", REFUND | {"dispute_request": "x"}, "one of refund, returnRefund"),
    ("alibaba_refunds_create", REFUND | {"goods_status": "3"}, "one of refundWaitSellerSend"),
    ("alibaba_refunds_submit_return", RETURN | {"vouchers": ["u"] * 11}, "at most 10 vouchers"),
    ("alibaba_refunds_submit_return", RETURN | {"description": "a"}, "from 2 to 200 characters"),
    ("alibaba_refunds_upload_voucher", {"image_data": b"GIF89a"}, "must be a JPEG"),
    (
        "alibaba_refunds_upload_voucher",
        {"image_data": JPEG + b"x" * (1024 * 1024 - 3)},
        "must be below 1 MB",
    ),
    ("taobao_products_search", {"page_size": 41}, "from 1 to 40"),
    ("taobao_products_search_shop", {"shop_id": "1", "page_size": 21}, "from 1 to 20"),
    ("taobao_orders_pay", {"purchase_order_id_list": ["1"] * 11}, "from 1 to 10 orders a call"),
    (
        "taobao_refunds_render",
        {"sub_order_id": "1", "refund_type": 3, "goods_status": 1},
        "from 1 to 2",
    ),
    (
        "taobao_refunds_render",
        {"sub_order_id": "1", "refund_type": 1, "goods_status": 7},
        "from 1 to 6",
    ),
]


@pytest.mark.parametrize(("name", "fields", "rule"), TOO_MUCH, ids=range(len(TOO_MUCH)))
def test_a_broken_rule_is_named_with_its_source(
    name: str, fields: dict[str, Any], rule: str
) -> None:
    said = fault(name, **fields)

    assert said.startswith(f"{name}: ")
    assert rule in said
    (source,) = re.findall(r"docs/platform/[\w.#-]+", said)
    assert fault_of(source, ROOT) is None


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("alibaba_orders_cancel", {}),
        ("alibaba_orders_create", {"flow": "f"}),
        ("alibaba_refunds_create", {"order_id": "1"}),
        ("taobao_orders_create", {"purchase_amount": 1}),
        ("taobao_cart_add", {"mp_id": "1", "quantity": 1}),
        ("warehouse_estimate_freight", {"item_id": "1"}),
    ],
)
def test_what_is_required_is_asked_for(name: str, fields: dict[str, Any]) -> None:
    assert "required" in fault(name, **fields)


@pytest.mark.parametrize("value", ["", "12a", "-1", " 1", "01", "1e3", "1.0", "١٢", "9" * 20, 1.5])
def test_an_id_that_is_no_whole_number_is_not_sent_as_one(value: Any) -> None:
    said = fault("alibaba_orders_cancel", value)

    assert "order" in said
    assert str(value).strip() not in said.partition(": ")[2] or str(value).strip() == ""


@pytest.mark.parametrize("value", ["", "  ", "9" * 129, "\ud800", None, 1.5])
def test_a_text_that_is_no_id_is_refused(value: Any) -> None:
    assert "order" in fault("alibaba_orders_detail", value)


def test_an_id_may_be_given_as_the_number_it_is() -> None:
    request = made("alibaba_orders_cancel", 2700000000000000017)

    assert sent(request)["orderId"] == 2700000000000000017


def test_an_offer_is_a_number_in_v1_and_text_in_v2() -> None:
    assert sent(made("alibaba_products_detail", "600000000001"))["offerId"] == 600000000001
    assert sent(made("alibaba_products_detail", "AbC_1"))["offerId"] == "AbC_1"


@pytest.mark.parametrize("amount", [3600, Money(amount=Decimal(36))])
def test_money_is_sent_as_fen(amount: int | Money) -> None:
    request = made("alibaba_refunds_create", **REFUND | {"apply_payment": amount})

    assert sent(request)["applyPayment"] == 3600


@pytest.mark.parametrize("amount", [-1, 1.5, "x", Money(amount=Decimal(1), currency="USD")])
def test_an_amount_that_is_no_fen_is_refused(amount: Any) -> None:
    fields = {"purchase_amount": amount, "receiver": {"address": "a", "name": "n"}}

    assert "purchase_amount" in fault("taobao_orders_create", **fields, order_line_list=[LINE])


def test_what_a_page_wants_as_text_is_sent_so() -> None:
    request = made(
        "taobao_orders_create",
        purchase_amount=1,
        receiver={"address": "示例", "name": "n", "mobile_phone": "1"},
        order_line_list=[LINE],
    )

    body = sent(request)
    assert body["receiver"] == '{"address":"示例","mobile_phone":"1","name":"n"}'
    (line,) = json.loads(body["orderLineList"])
    assert line == {
        "itemId": "1",
        "orderLineNo": "1",
        "quantity": "1",
        "price": "1",
        "currency": "CNY",
        "skuId": "1",
    }


def test_a_time_is_sent_in_china_time() -> None:
    request = OrderListRequest(create_start_time=datetime(2018, 8, 2, 13, 11, 13, tzinfo=UTC))

    assert sent(request)["createStartTime"] == "20180802211113000+0800"


def test_nothing_is_sent_for_what_was_not_given() -> None:
    body = sent(
        made(
            "alibaba_orders_preview",
            address_param=AddressParam(full_name="n", mobile=None),
            cargo_param_list=[CargoParam(offer_map_id="A", quantity=1)],
        )
    )

    assert body == {
        "addressParam": {"fullName": "n"},
        "cargoParamList": [{"offerMapId": "A", "quantity": 1}],
    }


def test_a_part_may_be_given_under_the_platforms_names() -> None:
    given = {"offerMapId": "A", "specId": "s", "quantity": 1}

    body = sent(
        made("alibaba_orders_preview", address_param={"fullName": "n"}, cargo_param_list=[given])
    )

    assert body["cargoParamList"] == [given]


def test_parameters_that_no_page_names_are_sent_as_they_are() -> None:
    body = sent(made("warehouse_preview_freight", {"orderId": "1", "b": [1], "c": None}))

    assert body == {"orderId": "1", "b": [1]}


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: CargoParam(offer_map_id="A", quantity=0), "quantity"),
        (lambda: AddressParam(full_nam="n"), "full_nam"),  # type: ignore[call-arg]
    ],
)
def test_a_part_that_is_made_by_hand_is_checked_too(make: Callable[[], Any], name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        make()
