"""A reply says the same in whatever shape it comes: every sample, written as others write it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from pydantic import BaseModel

from receiver.client.calls.registry import CALLS
from receiver.client.replies import Reply
from receiver.errors import APIError, APIRejectedError
from receiver.messages.json_text import read_json
from schemas.api.reply import Page
from tests.every import every

FOLDER = Path(__file__).parents[1] / "fixtures" / "api"
CALL_OF = {
    "1688-cart-edit-quantity-v1": "alibaba_cart_edit_quantity",
    "1688-category": "alibaba_products_category",
    "1688-logistics-companies": "alibaba_refunds_carriers",
    "1688-openuid-decrypt": "alibaba_orders_decrypt_open_uid",
    "1688-order-batch-create": "alibaba_orders_create_batch",
    "1688-order-cancel": "alibaba_orders_cancel",
    "1688-order-create": "alibaba_orders_create",
    "1688-order-create-preview": "alibaba_orders_preview",
    "1688-order-detail": "alibaba_orders_detail",
    "1688-order-logistics-trace": "alibaba_orders_logistics",
    "1688-order-pay-url": "alibaba_orders_payment_url",
    "1688-product-detail": "alibaba_products_detail",
    "1688-product-keywords-query": "alibaba_products_search",
    "1688-product-query-selleroffer": "alibaba_products_search_store",
    "1688-product-recommend": "alibaba_products_recommend",
    "1688-product-related-recommend": "alibaba_products_related",
    "1688-refund-create": "alibaba_refunds_create",
    "1688-refund-reason": "alibaba_refunds_reasons",
    "1688-refund-voucher": "alibaba_refunds_upload_voucher",
    "taobao-order-create-v1": "taobao_orders_create",
    "taobao-order-logistics-detail": "taobao_orders_logistics",
    "taobao-order-pay.upstream": "taobao_orders_pay",
    "taobao-product-batch-check-v1": "taobao_products_check_batch",
    "taobao-product-recommend-v1": "taobao_products_recommend",
    "taobao-product-source-get-v1": "taobao_products_source",
    "taobao-refund-cancel": "taobao_refunds_cancel",
    "taobao-refund-render": "taobao_refunds_render",
}
SAME_AS_THEIR_ENTRIES = {"1688-category", "1688-order-create"}
"""Their bare list is one of entries that look like the whole."""
NAMES = [
    *("result", "data", "success", "errorCode", "list", "records", "totalRecords", "order_list"),
    *("baseInfo", "productItems", "refundId", "orderId", "logisticsTrace", "logisticsSteps"),
    *("pnmLogisticsDetails", "skuList", "priceInfo", "price", "children", "status", "payUrl"),
    *("cantPayOrderList", "orderPreviewResuslt", "cargoList", "amount", "receiverAddress"),
]
Change = Callable[[Any], Any]


def data_of(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["reply"]["data"]


def read(name: str, data: Any) -> Any:
    call = CALLS[CALL_OF[name]]
    return call.read(Reply(call.endpoint, data))


UNTYPED = (
    *("order_biz_info", "order_rate_info", "ext_attributes", "guarantees_terms", "customs"),
    *("order_invoice_info", "overseas_extra_address", "seller_data_info"),
)
"""Fields that are kept as they came."""


def said(read: Any) -> Any:
    """What a model says in its own fields, at every depth."""
    if isinstance(read, list | tuple):
        return [said(part) for part in read]
    if not isinstance(read, BaseModel):
        return read
    names = [name for name in type(read).model_fields if name not in UNTYPED]
    return {name: said(getattr(read, name)) for name in names}


def within(data: Any, change: Change) -> Any:
    """`data` with every value in it changed, the inner ones first."""
    if isinstance(data, dict):
        return change({key: within(part, change) for key, part in data.items()})
    return change([within(part, change) for part in data] if isinstance(data, list) else data)


def numbers_as_text(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if number else value


def text_as_numbers(value: Any) -> Any:
    digits = isinstance(value, str) and value.isdigit() and value[0] != "0"
    return int(value) if digits else value


def flags_as_text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def with_more(value: Any) -> Any:
    return (
        value | {"brandNew": {"a": [1]}, "another_one": None} if isinstance(value, dict) else value
    )


def without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: part for key, part in value.items() if part is not None}


def nulls_as_blanks(value: Any) -> Any:
    return "" if value is None else value


def snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def in_snake_case(value: Any) -> Any:
    return {snake(k): part for k, part in value.items()} if isinstance(value, dict) else value


def in_camel_case(value: Any) -> Any:
    return {camel(k): part for k, part in value.items()} if isinstance(value, dict) else value


def lists_as_text(value: Any) -> Any:
    held = isinstance(value, list) and any(isinstance(part, dict) for part in value)
    return json.dumps(value) if held else value


def lone_entries_alone(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: alone(part) for key, part in value.items()}


def alone(value: Any) -> Any:
    lone = isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict)
    return value[0] if lone else value


def lists_as_objects(value: Any) -> Any:
    held = isinstance(value, list) and value and all(isinstance(part, dict) for part in value)
    return {str(number): part for number, part in enumerate(value)} if held else value


def objects_as_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: [part] if isinstance(part, dict) else part for k, part in value.items()}


INSIDE: dict[str, Change] = {
    change.__name__: change
    for change in (
        numbers_as_text,
        text_as_numbers,
        flags_as_text,
        with_more,
        without_nulls,
        nulls_as_blanks,
        in_snake_case,
        in_camel_case,
        lists_as_text,
        lone_entries_alone,
        lists_as_objects,
        objects_as_lists,
    )
}
AROUND: dict[str, Change] = {
    "result": lambda data: {"result": data},
    "success and result": lambda data: {"success": True, "code": "200", "result": data},
    "two wrappers": lambda data: {"result": {"success": "true", "result": data}},
    "the upstream's envelope": lambda data: {"code": "0", "request_id": "x", "data": data},
    "text": json.dumps,
}


@pytest.mark.parametrize("change", INSIDE)
@every(CALL_OF)
def test_what_is_inside_may_be_written_otherwise(name: str, change: str) -> None:
    data = data_of(name)
    written = within(data, INSIDE[change])
    if isinstance(data, list):  # of the outermost list the shapes are those of AROUND
        written = [within(row, INSIDE[change]) for row in data]

    assert said(read(name, written)) == said(read(name, data))


OBJECTS = [name for name in CALL_OF if isinstance(data_of(name), dict)]
LISTS = [name for name in CALL_OF if isinstance(data_of(name), list)]


@pytest.mark.parametrize("wrapper", AROUND)
@every(OBJECTS + LISTS)
def test_a_wrapper_is_seen_through(name: str, wrapper: str) -> None:
    data = data_of(name)

    assert said(read(name, AROUND[wrapper](data))) == said(read(name, data))


@every({*OBJECTS} - SAME_AS_THEIR_ENTRIES)
def test_a_list_of_the_one_object_is_that_object(name: str) -> None:
    data = data_of(name)

    assert said(read(name, [data])) == said(read(name, data))


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = data.items() if isinstance(data, dict) else enumerate(data)
    for key, part in parts:
        yield (*path, key)
        if isinstance(part, dict | list):
            yield from places(part, (*path, key))


def replaced(data: Any, by: Any, key: Any, *path: Any) -> Any:
    copy = data.copy()
    copy[key] = replaced(copy[key], by, *path) if path else by
    return copy


HOSTILE: list[Any] = [
    *(None, "", "x", "²", 7, -1, 1e300, True, [], {}, [[]], [None], {"a": 1}, [{"a": 1}]),
    *(2**70, "9" * 400, "null", "2026-99-99", [1, "x", None, {}], {"0": {}, "1": []}),
]


def refused(name: str, data: Any) -> bool:
    """Whether a reply is a refusal; anything but a refusal is read."""
    try:
        read(name, data)
    except APIRejectedError:
        return True
    return False


@pytest.mark.parametrize("name", OBJECTS + LISTS)
def test_no_value_of_any_field_makes_the_rest_unreadable(name: str) -> None:
    data = data_of(name)
    for place in places(data):
        for value in HOSTILE:
            # That something was refused may be what a changed field says.
            verdict = CALLS[CALL_OF[name]].endpoint.changes_state or "success" in str(place).lower()
            verdict = verdict or "error" in str(place).lower()
            assert not refused(name, replaced(data, value, *place)) or verdict, (place, value)


@every(OBJECTS)
def test_a_field_beside_a_faulty_one_is_read_as_before(name: str) -> None:
    data = data_of(name)
    whole = said(read(name, data))
    for key in data:
        left = said(read(name, replaced(data, {"no": ["such", {"shape": 1}]}, key)))
        different = {field for field in whole if left[field] != whole[field]}
        assert len(different) <= 1, (key, different)


def test_no_digit_of_an_id_is_lost_on_any_way() -> None:
    text = (FOLDER / "1688-order-detail.json").read_bytes()
    data = read_json(text)["reply"]["data"]

    order = read("1688-order-detail", data)

    assert order.base_info.id == order.order_id == "2700000000000000017"
    assert order.product_items[0].sub_item_id == "2700000000000000018"


def test_a_rounded_id_is_never_read_as_one() -> None:
    data = data_of("1688-order-detail")
    data["baseInfo"] |= {"id": 2.7e18, "idOfStr": None}

    assert read("1688-order-detail", data).order_id is None


@pytest.mark.parametrize("name", ["result", "data", "list", "records"])
@pytest.mark.parametrize("total", ["totalRecord", "totalRecords", "total", "total_record"])
def test_a_page_of_orders_is_read_by_any_of_its_names(name: str, total: str) -> None:
    call = CALLS["alibaba_orders_list"]
    page = call.read(
        Reply(
            call.endpoint, {name: [{"baseInfo": {"idOfStr": "27"}}], total: "41", "errorCode": None}
        )
    )

    assert isinstance(page, Page)
    assert (page.total_records, [order.order_id for order in page.items]) == (41, ["27"])


def test_taobao_orders_are_read_from_the_upstreams_names() -> None:
    call = CALLS["taobao_orders_list"]
    line = {"sub_purchase_order_id": 12, "status": "WAIT_SELLER_SEND_GOODS", "purchase_amount": 400}
    order = {
        "purchase_id": 200000000001,
        "status": 10,
        "purchase_amount": "400",
        "pay_amount": "400",
        "created_time": 1779263200000,
        "sub_purchase_orders": [line],
    }
    page = call.read(Reply(call.endpoint, {"results_total": 1, "purchase_orders": [order]}))

    (read_order,) = page.items
    assert (page.total_records, read_order.purchase_order_id) == (1, "200000000001")
    assert (read_order.our_status, str(read_order.purchase_amount)) == (
        "awaiting_shipment",
        "4.00 CNY",
    )
    assert read_order.created_time.timestamp() == 1779263200
    (read_line,) = read_order.sub_orders
    assert (read_line.sub_purchase_order_id, read_line.our_status) == ("12", "awaiting_shipment")
    assert str(read_line.purchase_amount) == "4.00 CNY"


def test_one_taobao_order_is_read_from_the_answer_to_a_query() -> None:
    call = CALLS["taobao_orders_detail"]
    data = {
        "results_total": 1,
        "purchase_orders": [{"purchase_id": 27, "seller_order_number": "S"}],
    }
    order = call.read(Reply(call.endpoint, data))

    assert (order.purchase_order_id, order.seller_order_number) == ("27", "S")


def test_an_order_that_has_an_error_code_is_an_order() -> None:
    call = CALLS["taobao_orders_detail"]
    order = call.read(Reply(call.endpoint, {"purchase_id": 27, "error_code": "PAY_LATE"}))

    assert (order.purchase_order_id, order.model_extra) == ("27", {"error_code": "PAY_LATE"})


def test_a_preview_of_ka_is_a_list_in_fen() -> None:
    call = CALLS["alibaba_orders_preview"]
    item = {"amount": 5800, "finalUnitPrice": 2900, "specId": "s", "offerId": 6}
    rows = [{"sumPayment": 5800, "sumCarriage": 0, "orderItemTOList": [item]}]
    preview = call.read(Reply(call.endpoint, rows))

    (order,) = preview.orders
    (line,) = order.order_item_to_list
    assert (str(order.sum_payment), str(line.amount), str(line.final_unit_price)) == (
        "58.00 CNY",
        "58.00 CNY",
        "29.00 CNY",
    )


@pytest.mark.parametrize("address", ["x 1", {"detailAddress": "x 1"}, [{"detail_address": "x 1"}]])
def test_where_goods_go_back_to_is_text_or_an_object(address: Any) -> None:
    call = CALLS["taobao_refunds_detail"]
    data = {"logistics": {"receiverAddress": address}, "refundOrder": {"refundId": 11}}
    refund = call.read(Reply(call.endpoint, data))

    assert refund.logistics.receiver_address.detail_address == "x 1"
    assert (refund.refund_id, refund.case.our_status) == ("11", "unknown")


@pytest.mark.parametrize(
    "entry",
    [
        {"refundId": 11, "refundStatus": 20},
        {"refund_id": "11", "refund_status": "20"},
        {"refundOrder": {"refundId": "11", "refundStatus": 20}},
        {"refund_order_aggregate": {"refund_order": {"refund_id": "11", "refund_status": 20}}},
    ],
    ids=str,
)
@pytest.mark.parametrize("wrapper", ["list", "records", "", "one"])
def test_a_case_of_taobao_is_read_alone_and_within(entry: dict[str, Any], wrapper: str) -> None:
    call = CALLS["taobao_refunds_detail" if wrapper == "one" else "taobao_refunds_list"]
    data = entry if wrapper == "one" else {"total": 1, wrapper: [entry]} if wrapper else [entry]
    read = call.read(Reply(call.endpoint, data))

    refund = read if wrapper == "one" else read.items[0]
    assert (refund.refund_id, refund.case.refund_status, refund.case.our_status) == (
        "11",
        "20",
        "agreed",
    )


@pytest.mark.parametrize(
    "data",
    [
        {"order_id": "27"},
        {"data": {"orderId": 27}},
        [{"orderId": 27}],
        {"orderList": [{"orderId": 27}]},
    ],
    ids=repr,
)
def test_an_order_that_was_made_is_known_in_whatever_shape(data: Any) -> None:
    call = CALLS["alibaba_orders_create"]

    assert call.read(Reply(call.endpoint, data)).order_ids == ("27",)


@pytest.mark.parametrize("name", ["status", "refundStatus", "refund_status"])
def test_the_state_of_a_case_is_read_by_either_name(name: str) -> None:
    call = CALLS["alibaba_refunds_detail"]
    data = {"opOrderRefundModelDetail": {"refundId": "TQ1", name: "waitselleragree"}}
    refund = call.read(Reply(call.endpoint, {"result": data}))

    assert (refund.refund_id, refund.status, refund.our_status) == (
        "TQ1",
        "waitselleragree",
        "applied",
    )


def test_what_is_not_known_is_kept_at_every_depth() -> None:
    call = CALLS["alibaba_products_detail"]
    data = {"offerId": 6, "new": 1, "productSkuInfos": [{"skuId": 7, "newer": {"a": 2}}]}
    product = call.read(Reply(call.endpoint, data))

    assert product.model_extra == {"new": 1}
    assert product.product_sku_infos[0].model_extra == {"newer": {"a": 2}}


def test_a_long_list_that_is_wrong_in_every_entry_is_read() -> None:
    call = CALLS["alibaba_products_detail"]
    skus = [
        {"skuId": n + 1, "price": "dear", "amountOnSale": {}, "specId": []} for n in range(1500)
    ]
    product = call.read(Reply(call.endpoint, {"offerId": 6, "productSkuInfos": skus}))

    assert [sku.sku_id for sku in product.product_sku_infos] == [str(n + 1) for n in range(1500)]
    assert {sku.price for sku in product.product_sku_infos} == {None}


def test_of_two_spellings_the_one_with_a_value_is_read() -> None:
    call = CALLS["alibaba_products_detail"]
    data = {"sellerOpenId": None, "seller_open_id": "S", "offer_map_id": "", "offerId": 6}
    product = call.read(Reply(call.endpoint, data))

    assert (product.seller_open_id, product.offer_id) == ("S", "6")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(name=st.sampled_from(sorted(CALLS)), data=JSON)
def test_any_data_is_a_reply_or_an_error_of_ours(name: str, data: Any) -> None:
    call = CALLS[name]
    try:
        read = call.read(Reply(call.endpoint, data))
    except APIError as error:
        event(type(error).__name__)
        return
    assert isinstance(read, list if call.is_list else call.reply)
