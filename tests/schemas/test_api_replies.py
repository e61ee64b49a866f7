"""The reply models: whatever the platform sends, a reply is read."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from receiver.messages.reading import read_leniently
from schemas.alibaba import OrderDetailMessage
from schemas.api.alibaba_logistics import AlibabaLogisticsTrace
from schemas.api.alibaba_order_detail import AlibabaOrderDetail
from schemas.api.reply import Envelope, Verdict
from schemas.api.taobao_logistics import TaobaoLogisticsDetail
from schemas.api.taobao_order_replies import TaobaoOrderDetail
from schemas.taobao import TaobaoOrderMessage

MODELS = [
    AlibabaLogisticsTrace,
    AlibabaOrderDetail,
    Envelope,
    TaobaoLogisticsDetail,
    TaobaoOrderDetail,
    Verdict,
]
NAMES = [
    *("baseInfo", "productItems", "tradeTerms", "id", "idOfStr", "totalAmount", "createTime"),
    *("logisticsSteps", "traceNodeList", "acceptTime", "orderId", "action", "remark"),
    *("pnmLogisticsDetails", "mailNo", "logisticsTraces", "time", "logisticsGoods", "quantity"),
    *("subOrders", "logistic_orders", "purchaseOrderPriceDTO", "purchaseTotalFee", "status"),
    *("code", "requestId", "developId", "msg", "data", "success", "errorCode", "errorInfo"),
]
ALPHABET = "aZ09 -:.+_²单\0"
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(ALPHABET, max_size=30)
    | st.sampled_from(["2024-01-31 08:00:00", "20180614101942000+0800", "12.50", "", "²" * 13])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(ALPHABET, max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)


ModelT = TypeVar("ModelT", bound=BaseModel)


def read(model: type[ModelT], value: dict[str, Any]) -> ModelT:
    return read_leniently(model, value, "data")[0]


@pytest.mark.parametrize("model", MODELS)
@given(value=OBJECTS)
def test_no_object_breaks_a_reply(model: type[BaseModel], value: dict[str, Any]) -> None:
    read(model, value)


def test_a_field_of_an_unexpected_type_is_absent_and_the_rest_is_read() -> None:
    order = read(
        AlibabaOrderDetail,
        {
            "baseInfo": {"idOfStr": 1.5, "id": 2019601741959504495, "totalAmount": "much"},
            "productItems": [
                {"subItemIDString": "7", "price": {}, "itemAmount": "3.50"},
                "x",
                None,
            ],
            "tradeTerms": {"payStatus": 2},
        },
    )

    assert order.order_id == "2019601741959504495"
    assert order.base_info is not None
    assert (order.base_info.id_of_str, order.base_info.total_amount) == (None, None)
    (item,) = order.product_items
    assert (item.sub_item_id, item.price) == ("7", None)
    assert item.item_amount is not None
    assert str(item.item_amount.amount) == "3.50"
    assert [term.pay_status for term in order.trade_terms] == ["2"]


def test_what_is_not_known_is_kept_at_every_depth() -> None:
    trace = read(
        AlibabaLogisticsTrace,
        {"logisticsId": "1", "new": 1, "logisticsSteps": [{"remark": "r", "newer": 2}]},
    )

    assert trace.model_extra == {"new": 1}
    assert trace.logistics_steps[0].model_extra == {"newer": 2}


def test_a_sub_order_with_a_bad_field_keeps_its_parcels() -> None:
    order = read(
        TaobaoOrderDetail,
        {
            "subOrders": [
                {
                    "sub_purchase_order_id": 200033789041,
                    "quantity": "many",
                    "pay_amount": 1250,
                    "logistic_orders": [{"logistic_number": 78753196186473, "rts_time": {}}],
                }
            ]
        },
    )

    (line,) = order.sub_orders
    assert (line.sub_purchase_order_id, line.quantity) == ("200033789041", None)
    assert line.pay_amount is not None
    assert str(line.pay_amount.amount) == "12.50"
    assert [parcel.logistic_number for parcel in line.logistic_orders] == ["78753196186473"]


def test_a_detail_is_also_the_callbacks_model_so_one_mapping_reads_both() -> None:
    assert isinstance(AlibabaOrderDetail(), OrderDetailMessage)
    assert isinstance(TaobaoOrderDetail(), TaobaoOrderMessage)


@pytest.mark.parametrize("value", [1023561483696472885, "1023561483696472885"], ids=repr)
def test_the_develop_id_is_text_from_a_number_or_text(value: object) -> None:
    assert read(Envelope, {"developId": value}).develop_id == "1023561483696472885"
