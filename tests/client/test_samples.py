"""Every sample reply of the platform, read by the call it belongs to, field by field."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from receiver.client.platform import PlatformAPI
from receiver.errors import APIRejectedError
from schemas.api.alibaba_orders import AddressParam, CargoParam
from schemas.api.alibaba_refunds import LineCount
from schemas.api.taobao_orders import PurchaseLine, TaobaoAddress
from schemas.api.taobao_products import CheckedItem
from schemas.api.warehouse import (
    DomesticLogistic,
    FreightReceiver,
    LogisticInfo,
    LogisticLineItem,
)
from schemas.statuses import OrderStatus, PaymentStatus, Progress, RefundStatus
from schemas.times import CHINA
from schemas.values import Money
from tests.client.conftest import Platform, settings_of

FOLDER = Path(__file__).parents[1] / "fixtures" / "api"
SAMPLES = sorted(file.stem for file in FOLDER.glob("*.json"))
ORDER_ID = "2700000000000000017"
LINE_ID = "2700000000000000018"
OPAQUE = "AbCdEf-GhIj01234567_Kw"
SPEC = "0123456789abcdef0123456789abcdef"
SELLER = "BBBexampleSellerOpenId0001"
HOME = AddressParam(
    full_name="测试",
    mobile="13800000000",
    phone="",
    post_code="310000",
    city_text="杭州市",
    province_text="浙江省",
    area_text="滨江区",
    town_text="",
    address="示例路1号",
    district_code="330108",
)


def yuan(amount: str) -> Money:
    return Money(amount=Decimal(amount))


def sample(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return read


def serve(platform: Platform, name: str) -> dict[str, Any]:
    """Answer with the reply of a sample, and give the request that belongs to it."""
    read = sample(name)
    platform.send(json.dumps(read["reply"], ensure_ascii=False))
    request: dict[str, Any] = read.get("request", {})
    return request


def asked(platform: Platform) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(platform.asked[-1].body)
    return read


def given(request: dict[str, Any]) -> dict[str, Any]:
    """What of a sample's request is sent: all but the nulls."""
    return {name: value for name, value in request.items() if value is not None}


READ: dict[str, Callable[[Platform, PlatformAPI], Awaitable[None]]] = {}


def reads(name: str) -> Callable[[Any], Any]:
    def register(test: Callable[[Platform, PlatformAPI], Awaitable[None]]) -> Any:
        READ[name] = test
        return test

    return register


@pytest.mark.parametrize("name", SAMPLES)
async def test_a_sample_is_read_field_by_field(
    platform: Platform, api: PlatformAPI, name: str
) -> None:
    await READ[name](platform, api)


@reads("1688-cart-edit-quantity-v1")
async def cart_quantity(platform: Platform, _: PlatformAPI) -> None:
    request = serve(platform, "1688-cart-edit-quantity-v1")
    async with PlatformAPI.open(settings_of(platform.url, edition="v1")) as api:
        done = await api.alibaba.cart.edit_quantity(quantity=3, id="12345")
    assert platform.asked[-1].path == "/alibaba/cart/edit-quantity"
    assert asked(platform) == given(request)
    assert done.success is True


@reads("1688-cart-preview-order")
async def cart_preview(platform: Platform, api: PlatformAPI) -> None:
    request = sample("1688-cart-preview-order")["request"]
    platform.send(json.dumps(sample("1688-order-create-preview")["reply"]))
    preview = await api.alibaba.cart.preview(address_param=HOME, cart_ids=["12345"])
    assert platform.asked[-1].path == "/v2/alibaba/cart/preview/order"
    assert asked(platform) == request
    assert preview.orders[0].sum_payment == yuan("44.00")


@reads("1688-category")
async def category(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-category")
    read = await api.alibaba.products.category("0", language="en")
    assert asked(platform) == given(request)
    assert (read.category_id, read.parent_cate_id, read.level) == ("1031910", "10166", "2")
    assert (read.chinese_name, read.translated_name, read.language) == ("连衣裙", "Dress", "en")
    assert (read.leaf, read.from_cache) == (False, True)
    (child,) = read.children
    assert (child.category_id, child.leaf, child.level) == ("1031911", True, "3")
    assert (child.parent_cate_id, child.children) == ("1031910", ())


@reads("1688-logistics-companies")
async def carriers(platform: Platform, api: PlatformAPI) -> None:
    serve(platform, "1688-logistics-companies")
    (carrier,) = await api.alibaba.refunds.carriers()
    assert (platform.asked[-1].method, platform.asked[-1].query) == ("GET", {})
    assert (carrier.id, carrier.company_name, carrier.company_no) == ("352", "示例快递", "HTKY")
    assert (carrier.company_phone, carrier.support_print) == (None, True)
    assert carrier.spelling == "shilikuaidi"


@reads("1688-openuid-decrypt")
async def open_uid(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-openuid-decrypt")
    contact = await api.alibaba.orders.decrypt_open_uid(offer_id="600000000001", open_uid=SELLER)
    assert asked(platform) == request
    assert (contact.nick, contact.url) == ("wangwang-nick", None)


@reads("1688-order-batch-create")
async def batch_create(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-order-batch-create")
    cargo = CargoParam(offer_map_id=OPAQUE, spec_id=SPEC, quantity=1, seller_open_id=SELLER)
    made = await api.alibaba.orders.create_batch(
        flow="general", address_param=HOME, cargo_param_list=[cargo]
    )
    assert asked(platform) == request
    assert list(asked(platform)) == list(request)
    assert made.order_ids == (ORDER_ID, "2700000000000000025")
    assert (made.order_id, made.success) == (None, True)
    first = made.order_list[0]
    assert (first.order_amount, first.post_fee) == (yuan("44.00"), yuan("8.00"))
    assert (first.success, first.result_code, first.message) == (True, "200", None)
    assert first.pay_channel == "alipay"


@reads("1688-order-cancel")
async def cancel(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-order-cancel")
    done = await api.alibaba.orders.cancel(ORDER_ID, cancel_reason="buyerCancel", remark="")
    assert asked(platform) == request
    assert done.success is True


@reads("1688-order-create-preview")
async def preview(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-order-create-preview")
    cargo = CargoParam(offer_map_id=OPAQUE, spec_id=SPEC, quantity=2)
    read = await api.alibaba.orders.preview(address_param=HOME, cargo_param_list=[cargo])
    assert asked(platform) == request
    assert (read.success, read.error_code, read.error_msg) == (True, None, None)
    assert read.post_fee_by_desc_offer_list == read.consign_offer_list == ()
    (order,) = read.orders
    assert (order.sum_payment, order.sum_carriage) == (yuan("44.00"), yuan("8.00"))
    assert (order.sum_payment_no_carriage, order.discount_fee) == (yuan("36.00"), yuan("0.00"))
    assert order.additional_fee is None
    assert (order.flow_flag, order.trade_mode_name_list) == ("general", ("assureTrade",))
    assert (order.status, order.tao_sample_single_promotion) == (True, False)
    (line,) = order.cargo_list
    assert (line.amount, line.final_unit_price) == (yuan("36.00"), yuan("18.00"))
    assert (line.spec_id, line.sku_id) == (SPEC, "5000000000001")
    assert (line.offer_id, line.open_offer_id) == ("600000000001", "b3Blbk9mZmVySWQ=")
    (model,) = order.trade_model_list
    assert (model.name, model.trade_type, model.op_support) == ("担保交易", "assureTrade", True)
    (channel,) = order.pay_channel_infos
    assert (channel.name, channel.amount_limit) == ("alipay", None)


@reads("1688-order-create")
async def create(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-order-create")
    made = await api.alibaba.orders.create(
        flow="general",
        message="",
        shop_promotion_id="",
        trade_type="assureTrade",
        address_param=HOME,
        cargo_param_list=[CargoParam(offer_map_id=OPAQUE, spec_id=SPEC, quantity=2)],
    )
    assert asked(platform) == request
    assert list(asked(platform)) == list(request)
    assert (made.order_id, made.order_ids) == (ORDER_ID, (ORDER_ID,))
    assert (made.total_success_amount, made.post_fee) == (yuan("44.00"), yuan("8.00"))
    assert (made.account_period, made.failed_offer_list, made.order_list) == (None, (), ())


@reads("1688-order-detail")
async def order_detail(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-order-detail")
    order = await api.alibaba.orders.detail(ORDER_ID)
    assert asked(platform) == request
    assert list(asked(platform)) == list(request)
    head = order.base_info
    assert head is not None
    assert (order.order_id, head.id, head.id_of_str) == (ORDER_ID, ORDER_ID, ORDER_ID)
    assert (head.status, head.our_status) == ("waitsellersend", OrderStatus.AWAITING_SHIPMENT)
    assert (head.total_amount, head.shipping_fee) == (yuan("44.00"), yuan("8.00"))
    assert (head.sum_product_payment, head.discount) == (yuan("36.00"), yuan("0.00"))
    assert head.create_time == datetime(2026, 5, 20, 15, 40, tzinfo=CHINA)
    assert (head.pay_timeout, head.trade_type, head.trade_type_code) == (
        432000,
        "50060",
        "assureTrade",
    )
    assert (head.close_reason, head.close_operate_type, head.closed_by) == (None, None, "unknown")
    assert (head.buyer_login_id, head.seller_login_id) == ("buyer", "seller")
    assert head.receiver_info is not None
    assert (head.receiver_info.to_post, head.receiver_info.to_division_code) == ("310000", "330108")
    (stage,) = order.trade_terms
    assert (stage.pay_status, stage.pay_way, stage.pay_way_desc) == ("2", "1", "支付宝")
    assert stage.our_pay_status is PaymentStatus.PAID
    assert (stage.phas_amount, stage.phase) == (yuan("44.00"), "2988886630900001")
    (line,) = order.product_items
    assert (line.sub_item_id, line.product_id) == (LINE_ID, "600000000001")
    assert (line.sku_id, line.spec_id) == ("5000000000001", SPEC)
    assert (line.price, line.item_amount, line.refund) == (
        yuan("18.00"),
        yuan("36.00"),
        yuan("0.00"),
    )
    assert (line.quantity, line.unit, line.logistics_status) == (Decimal(2), "件", "1")
    assert line.our_status is OrderStatus.AWAITING_SHIPMENT
    assert [(info.name, info.value) for info in line.sku_infos] == [("颜色", "黑色")]
    assert line.product_img_url == ("https://cbu01.alicdn.com/img/ibank/example.jpg",)
    assert order.native_logistics is not None
    assert (order.native_logistics.city, order.native_logistics.zip) == ("杭州市", "310000")
    assert order.order_rate_info == {"buyerRateStatus": 5, "sellerRateStatus": 5}


@reads("1688-order-logistics-trace")
async def traces(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-order-logistics-trace")
    (trace,) = (await api.alibaba.orders.logistics(ORDER_ID, "LP00100000000001")).traces
    assert platform.asked[-1].query == {"webSite": "1688"} | request
    assert (trace.logistics_id, trace.order_id) == ("LP00100000000001", ORDER_ID)
    assert trace.logistics_bill_no == "7000000000001"
    assert [(step.accept_time, step.remark) for step in trace.logistics_steps] == [
        (datetime(2026, 5, 21, 21, 55, 33, tzinfo=CHINA), "在浙江杭州进行揽件扫描"),
        (datetime(2026, 5, 23, 13, 33, 11, tzinfo=CHINA), "快件已签收"),
    ]


@reads("1688-order-pay-url")
async def pay_url(platform: Platform, api: PlatformAPI) -> None:
    serve(platform, "1688-order-pay-url")
    paid = await api.alibaba.orders.payment_url(ORDER_ID)
    assert platform.asked[-1].query == {"orderId": ORDER_ID}
    assert (paid.order_id, paid.protocol_pay_success) == (ORDER_ID, False)
    assert paid.pay_url == f"https://trade.1688.com/order/cashier.htm?orderId={ORDER_ID}"
    assert paid.cant_pay_order_list == ()


@reads("1688-order-receivegoods")
async def receipt(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-order-receivegoods")
    with pytest.raises(APIRejectedError) as caught:
        await api.alibaba.orders.confirm_receipt(ORDER_ID, [LINE_ID])
    assert asked(platform) == request
    error = caught.value
    assert (error.code, error.outer_code, error.meaning) == (4003, 200, "no such order")
    assert error.reason == "订单信息不存在,请核对后重试"
    assert error.request_id == "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


@reads("1688-product-detail")
async def product_detail(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-product-detail")
    product = await api.alibaba.products.detail(OPAQUE, out_member_id="")
    assert asked(platform) == request
    assert (product.offer_id, product.category_id) == ("600000000001", "1031910")
    assert (product.subject, product.subject_trans) == ("示例商品", "Example item")
    assert product.product_image is not None
    assert product.product_image.images == ("https://cbu01.alicdn.com/img/ibank/example-0-cib.jpg",)
    (attribute,) = product.product_attribute
    assert (attribute.attribute_id, attribute.value_trans) == ("287", "Cotton")
    (sku,) = product.product_sku_infos
    assert (sku.sku_id, sku.spec_id, sku.cargo_number) == ("5000000000001", SPEC, "A-1")
    assert (sku.price, sku.consign_price, sku.promotion_price) == (
        yuan("16.98"),
        yuan("23.90"),
        None,
    )
    assert sku.fenxiao_price_info is not None
    assert sku.fenxiao_price_info.one_piece_price == yuan("23.90")
    assert (sku.sku_attributes[0].attribute_id, sku.sku_attributes[0].value_trans) == (
        "3216",
        "Black",
    )
    sale = product.product_sale_info
    assert sale is not None
    assert sale.unit_info is not None
    assert sale.fenxiao_sale_info is not None
    assert (sale.amount_on_sale, sale.quote_type, sale.unit_info.trans_unit) == (500, 1, "Piece")
    assert (sale.price_range_list[0].start_quantity, sale.price_range_list[0].price) == (
        2,
        yuan("16.98"),
    )
    assert sale.fenxiao_sale_info.one_piece_free_postage is True
    shipping = product.product_shipping_info
    assert shipping is not None
    assert (shipping.weight, shipping.width) == (Decimal("0.3"), Decimal("20.0"))
    assert shipping.sku_shipping_details[0].sku_id == "5000000000001"
    assert (product.is_jxhy, product.min_order_quantity, product.batch_number) == (True, 2, None)
    assert (product.status, product.sold_out) == ("published", "1200")
    assert [(tag.key, tag.value) for tag in product.tag_info_list] == [("isOnePsale", True)]
    assert product.seller_mix_setting is not None
    assert product.seller_mix_setting.mix_amount == 100
    assert product.seller_data_info == {"tradeMedalLevel": "4", "compositeServiceScore": "4.0"}
    assert not product.model_extra


def check_offer(offer: Any) -> None:
    assert (offer.offer_map_id, offer.offer_id) == (OPAQUE, None)
    assert (offer.subject, offer.subject_trans) == ("示例商品", "Example item")
    assert (offer.is_jxhy, offer.is_one_psale) == (True, True)
    assert (offer.repurchase_rate, offer.month_sold) == ("7%", 120)
    assert offer.price_info is not None
    assert (offer.price_info.price, offer.price_info.consign_price) == (
        yuan("16.98"),
        yuan("23.90"),
    )
    assert (offer.price_info.jxhy_price, offer.price_info.pf_jxhy_price) == (None, None)
    assert offer.image_url == "https://cbu01.alicdn.com/img/ibank/example-0-cib.jpg"


@reads("1688-product-keywords-query")
async def keyword_query(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-product-keywords-query")
    page = await api.alibaba.products.search(
        keyword="包",
        page_size=10,
        filter="shipInToday,ksCiphertext",
        sort={"price": "desc"},
        out_member_id="",
        price_start="1",
        price_end="100",
        category_id="1031910",
    )
    assert asked(platform) == request
    assert list(asked(platform)) == list(request)
    assert (page.total_records, page.total_page, page.page_size, page.current_page) == (
        41,
        5,
        10,
        1,
    )
    (offer,) = page.items
    check_offer(offer)


@reads("1688-product-query-selleroffer")
async def store_search(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-product-query-selleroffer")
    page = await api.alibaba.products.search_store(keyword="包", page_size=5, seller_open_id=SELLER)
    assert asked(platform) == request
    (offer,) = page.items
    check_offer(offer)


@reads("1688-product-recommend")
async def recommendation(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-product-recommend")
    page = await api.alibaba.products.recommend(out_member_id="shop-1")
    assert asked(platform) == request
    (offer,) = page.items
    assert (offer.offer_id, offer.month_sold, offer.is_select) == ("600000000001", 200, True)
    assert offer.price_info is not None
    assert (offer.price_info.price, offer.price_info.consign_price) == (
        yuan("178.00"),
        yuan("199.00"),
    )
    assert (offer.repurchase_rate, offer.trace_info) == ("20%", "…")


@reads("1688-product-related-recommend")
async def related(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-product-related-recommend")
    page = await api.alibaba.products.related(offer_id=OPAQUE)
    assert asked(platform) == request
    (offer,) = page.items
    assert (offer.offer_id, offer.month_sold) == ("600000000002", 98)
    assert (offer.seller_identities, offer.offer_identities) == (("super_factory",), ("yx",))
    assert (offer.top_category_id, offer.second_category_id, offer.third_category_id) == (
        "1",
        "2",
        "3",
    )


@reads("1688-refund-create")
async def refund_create(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-refund-create")
    made = await api.alibaba.refunds.create(
        order_id=ORDER_ID,
        order_entry_ids=[LINE_ID],
        dispute_request="returnRefund",
        apply_payment=yuan("36.00"),
        apply_carriage=0,
        apply_reason_id="20021",
        description="颜色不对",
        goods_status="refundBuyerReceived",
        vouchers=["https://cbu01.alicdn.com/img/ibank/2026/901/930/example.jpg"],
        order_entry_count_list=[LineCount(id=LINE_ID, count=2)],
    )
    assert asked(platform) == request
    assert made.refund_id == "TQ8600000000000001"


@reads("1688-refund-goods-return")
async def goods_return(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-refund-goods-return")
    with pytest.raises(APIRejectedError) as caught:
        await api.alibaba.refunds.submit_return(
            refund_id="TQ8600000000000001",
            logistics_company_no="ZTO",
            freight_bill="7000000000009",
            description="",
            vouchers=[],
        )
    assert asked(platform) == request
    assert (caught.value.code, caught.value.reason) == (4004, "物流公司编号和运单号校验不通过")
    assert caught.value.meaning == "the number does not fit the carrier"


@reads("1688-refund-reason")
async def refund_reason(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "1688-refund-reason")
    read = await api.alibaba.refunds.reasons(
        order_id=ORDER_ID, order_entry_ids=[LINE_ID], goods_status="refundWaitSellerSend"
    )
    assert asked(platform) == request
    (reason,) = read.reasons
    assert (reason.id, reason.name) == ("20021", "颜色/图案/款式不符")
    assert (reason.need_voucher, reason.no_refund_carriage, reason.tip) == (True, False, None)


@reads("1688-refund-voucher")
async def voucher(platform: Platform, api: PlatformAPI) -> None:
    serve(platform, "1688-refund-voucher")
    stored = await api.alibaba.refunds.upload_voucher(b"\xff\xd8\xffbytes")
    sent = platform.asked[-1]
    assert sent.headers["content-type"].startswith("multipart/form-data")
    assert b'name="imageData"' in sent.body
    assert b"\xff\xd8\xffbytes" in sent.body
    assert stored.url == "https://cbu01.alicdn.com/img/ibank/2026/901/930/example.jpg"


@reads("taobao-order-cancel.upstream")
async def taobao_cancel(platform: Platform, api: PlatformAPI) -> None:
    reply = sample("taobao-order-cancel.upstream")["reply"]
    platform.reply(reply)
    done = await api.taobao.orders.cancel(
        purchase_id="200000000001",
        sub_purchase_order_id_list=["200000000002"],
        cancel_reason="不想要了",
        cancel_remark="",
    )
    assert done.success is True
    assert asked(platform) == {
        "purchaseId": "200000000001",
        "subPurchaseOrderIdList": ["200000000002"],
        "cancelReason": "不想要了",
        "cancelRemark": "",
    }


@reads("taobao-order-create-v1")
async def taobao_create(platform: Platform, _: PlatformAPI) -> None:
    request = serve(platform, "taobao-order-create-v1")
    async with PlatformAPI.open(settings_of(platform.url, edition="v1")) as api:
        made = await api.taobao.orders.create(
            purchase_amount=400,
            receiver=TaobaoAddress(
                zip="310000",
                country="中国",
                state="浙江省",
                city="杭州市",
                district="滨江区",
                address="示例路1号",
                phone="",
                mobile_phone="13800000000",
                name="测试",
            ),
            order_line_list=[
                PurchaseLine(
                    item_id="600100000000000001",
                    order_line_no="1",
                    quantity=2,
                    price=yuan("2.00"),
                    sku_id="5010000000001",
                )
            ],
            order_source="lazada",
            seller_order_number="SO-1",
        )
    assert platform.asked[-1].path == "/open/order"
    assert asked(platform) == request
    assert (made.success, made.outer_purchase_id, made.payment_url) == (True, "SO-1", None)
    assert made.order_ids == ("200000000001",)
    (order,) = made.order_list
    assert (order.estimate_amount, order.estimate_currency) == (yuan("4.00"), "CNY")
    assert (order.supplier_nick, order.source_market) == ("seller", "TAOBAO")
    (line,) = order.order_line_list
    assert (line.item_id, line.sku_id) == ("600100000000000001", "5010000000001")
    assert (line.sub_purchase_order_id, line.quantity) == ("200000000002", 2)
    assert line.estimate_amount == yuan("4.00")


@reads("taobao-order-logistics-detail")
async def taobao_logistics(platform: Platform, api: PlatformAPI) -> None:
    serve(platform, "taobao-order-logistics-detail")
    detail = await api.taobao.orders.logistics("200000000002")
    assert platform.asked[-1].query == {"subPurchaseOrderId": "200000000002"}
    assert detail.purchase_order_outer_id == "3600000000000000002"
    (parcel,) = detail.parcels
    (step,) = parcel.traces
    assert step.time == datetime(2026, 5, 22, 21, 39, 11, tzinfo=CHINA)
    assert (step.status, step.action, step.progress) == (
        "TRANSPORT",
        "TMS_STATION_OUT",
        Progress.IN_TRANSIT,
    )
    assert (step.city, step.district, step.facility_name) == ("北京市", "朝阳区", "北京")
    assert step.standard_desc == "【北京市】 快件已发往 广州中心"
    assert (parcel.mail_no, parcel.partners[0].company) == ("SF0000000000001", "示例快递")
    assert parcel.receiver is not None
    assert (parcel.receiver.zip_code, parcel.receiver.city) == ("310000", "杭州市")
    assert (parcel.goods[0].title, parcel.goods[0].quantity) == ("示例商品", 2)


@reads("taobao-order-pay.upstream")
async def taobao_pay(platform: Platform, api: PlatformAPI) -> None:
    read = sample("taobao-order-pay.upstream")
    platform.reply(read["reply"])
    payment = await api.taobao.orders.pay(["200000000001"])
    assert asked(platform) == read["request"]
    assert (payment.will_pay, payment.will_not_pay) == (("200000000001",), ("200000000009",))
    (failure,) = payment.failures
    assert (failure.order_id, failure.error_code, failure.error_message) == (
        "200000000009",
        "…",
        "…",
    )


@reads("taobao-product-batch-check-v1")
async def batch_check(platform: Platform, _: PlatformAPI) -> None:
    request = serve(platform, "taobao-product-batch-check-v1")
    item = CheckedItem(item_id="600000000001", sku_ids=["5000000000001"])
    async with PlatformAPI.open(settings_of(platform.url, edition="v1")) as api:
        check = await api.taobao.products.check_batch([item])
    assert asked(platform) == request
    assert (check.mp_products, check.no_mp_reason_list) == ((), ())
    assert check.no_mp_product_item_ids == ("600000000001",)


@reads("taobao-product-item-search-v2")
async def item_search(platform: Platform, api: PlatformAPI) -> None:
    read = sample("taobao-product-item-search-v2")
    platform.reply(sample("taobao-product-recommend-v1")["reply"]["data"])
    page = await api.taobao.products.search(keyword="包", sort="tk_rate_desc")
    assert asked(platform) == read["request"]
    assert list(asked(platform)) == list(read["request"])
    assert page.items[0].item_id == "670000000001"


@reads("taobao-product-recommend-v1")
async def item_recommendation(platform: Platform, _: PlatformAPI) -> None:
    request = serve(platform, "taobao-product-recommend-v1")
    async with PlatformAPI.open(settings_of(platform.url, edition="v1")) as api:
        page = await api.taobao.products.recommend(page_size=10)
    assert asked(platform) == request
    (item,) = page.items
    assert (item.item_id, item.title, item.shop_name) == ("670000000001", "示例商品", "示例店")
    assert (item.price, item.coupon_price, item.quantity) == (yuan("19.80"), yuan("16.80"), 20)
    assert item.multi_language_info is not None
    assert item.multi_language_info.title == "Example"
    assert (page.current_page, page.page_size) == (1, 10)


@reads("taobao-product-source-get-v1")
async def source_product(platform: Platform, _: PlatformAPI) -> None:
    request = serve(platform, "taobao-product-source-get-v1")
    async with PlatformAPI.open(settings_of(platform.url, edition="v1")) as api:
        product = await api.taobao.products.source("40000000001", "vi")
    assert asked(platform) == request
    assert (product.item_id, product.item_resource) == ("40000000001", "taobao")
    assert (product.shop_id, product.shop_name) == ("260000001", "示例店")
    assert (product.price, product.promotion_price, product.coupon_price) == (
        yuan("19.80"),
        yuan("17.80"),
        yuan("16.80"),
    )
    (sku,) = product.sku_list
    assert (sku.sku_id, sku.quantity, sku.coupon_price) == ("3450000000001", 200, yuan("16.80"))
    assert product.multi_language_info is not None
    assert product.multi_language_info.language == "vi"


@reads("taobao-refund-cancel")
async def taobao_refund_cancel(platform: Platform, api: PlatformAPI) -> None:
    read = sample("taobao-refund-cancel")
    serve(platform, "taobao-refund-cancel")
    refund = await api.taobao.refunds.cancel("110000000001")
    assert (platform.asked[-1].method, platform.asked[-1].path) == ("GET", read["path"])
    assert platform.asked[-1].query == {}
    assert (refund.cancel_success, refund.currency) == (True, "CNY")
    assert (refund.refund_id, refund.distributor_id) == ("110000000001", "2100000000001")
    case, held = refund.case, refund.refund_order_aggregate
    assert case is not None
    assert held is not None
    assert (case.refund_fee, case.refund_status, case.our_status) == (
        yuan("4.00"),
        "-20",
        RefundStatus.CLOSED,
    )
    assert (case.refund_type, case.goods_status, case.reason_id) == ("2", "4", "403769")
    assert (case.can_edit_fee, case.reason_desc) == (False, "不喜欢")
    assert held.logistics is not None
    assert held.logistics.logistics_company is not None
    assert (held.logistics.logistics_company.code, held.logistics.logistics_no) == (
        "SF",
        "SF0000000000002",
    )
    assert held.logistics.receiver_address is not None
    assert held.logistics.receiver_address.receiver == "卖家"
    line = held.purchase_order_line
    assert line is not None
    assert line.create_time is not None
    assert line.create_time.utcoffset() == timedelta(hours=8)
    assert (line.create_time.timestamp(), line.post_fee) == (1779263200, yuan("0.00"))


@reads("taobao-refund-render")
async def taobao_refund_render(platform: Platform, api: PlatformAPI) -> None:
    request = serve(platform, "taobao-refund-render")
    render = await api.taobao.refunds.render(
        sub_order_id="200000000002", refund_type=1, goods_status=3
    )
    assert asked(platform) == request
    assert (render.sale_flag, render.currency) == (True, "CNY")
    template = render.refund_order_template
    assert template is not None
    assert [(r.reason_id, r.reason_desc) for r in template.refund_reasons] == [("403769", "不喜欢")]
    assert template.goods_status_list == ("3", "4")
    assert template.max_refund_fee is not None
    assert template.max_refund_fee.refund_fee == yuan("4.00")
    assert template.max_refund_fee.min_refund_fee == yuan("0.00")
    assert template.refund_order is not None
    assert template.refund_order.refund_status is None


@reads("taobao-refund-submit-logistics")
async def taobao_return(platform: Platform, api: PlatformAPI) -> None:
    read = sample("taobao-refund-submit-logistics")
    platform.reply(None)
    done = await api.taobao.refunds.submit_return(
        refund_id="110000000001",
        logistics_company_code="SF",
        logistics_no="SF0000000000002",
        buyer_phone="13800000000",
        return_goods_desc="",
    )
    assert (platform.asked[-1].path, asked(platform)) == (read["path"], read["request"])
    assert done.success is None


@reads("taobao-refund-submit-message")
async def taobao_message(platform: Platform, _: PlatformAPI) -> None:
    read = sample("taobao-refund-submit-message")
    platform.reply(None)
    async with PlatformAPI.open(settings_of(platform.url, edition="v1")) as api:
        await api.taobao.refunds.submit_message(
            refund_id="110000000001", refund_message="请处理", refund_images=""
        )
    assert (platform.asked[-1].path, asked(platform)) == (read["path"], read["request"])


@reads("taobao-refund-submit")
async def taobao_submit(platform: Platform, api: PlatformAPI) -> None:
    read = sample("taobao-refund-submit")
    platform.reply({"refundId": 110000000001})
    made = await api.taobao.refunds.submit(
        sub_order_id="200000000002",
        refund_type=1,
        goods_status=3,
        reason_id=403769,
        refund_fee=400,
        refund_desc="",
        refund_images=[],
    )
    line = read["request"].pop("purchaseOrderLineId")
    assert (platform.asked[-1].path, asked(platform)) == (
        read["path"],
        {"subOrderId": line} | read["request"],
    )
    assert made.refund_id == "110000000001"


@reads("warehouse-freight-estimate")
async def freight(platform: Platform, api: PlatformAPI) -> None:
    request = sample("warehouse-freight-estimate")["request"]
    platform.reply({"anything": 7})
    reply = await api.warehouse.estimate_freight(
        item_id="2048000000000001",
        sku_id="4970000000001",
        quantity=1,
        receiver_address=FreightReceiver(
            country="US",
            state="California",
            city="Example City",
            zip="90000",
            address="1 Example St",
            name="Test",
            phone="0000000000",
            mobile_phone="0000000000",
            email="test@example.com",
        ),
        currency="CNY",
        price="100",
    )
    del request["receiverAddress"]["taxId"]
    sent = platform.asked[-1]
    assert (sent.path, asked(platform)) == ("/v2/open/pp/logistics/itemLogisticsPrice", request)
    assert set(sent.query) == {"timestamp", "sign"}
    assert not {"access-key", "user-id", "signature"} & sent.headers.keys()
    assert reply.model_extra == {"anything": 7}


@reads("warehouse-update-domestic-logistics")
async def domestic(platform: Platform, _: PlatformAPI) -> None:
    request = sample("warehouse-update-domestic-logistics")["request"]
    platform.reply(None)
    info = LogisticInfo(
        line_item=LogisticLineItem(
            item_id="2048000000000001",
            sku_id="4970000000001",
            quantity=1,
            title="示例商品",
            image_url="",
        ),
        logistic_number="EX0000000001",
        domestic_logistic_info=[
            DomesticLogistic(
                logistic_number="SF0000000000001",
                logistic_company_name="顺丰",
                rts_time="1750000000",
            )
        ],
    )
    async with PlatformAPI.open(settings_of(platform.url, edition="v1")) as api:
        await api.warehouse.update_logistics(
            order_id="31", tmall_order_id="70000001", logistic_infos=[info]
        )
    assert platform.asked[-1].path == "/open/pp/logistics/updateLogisticInfo"
    assert asked(platform) == request
