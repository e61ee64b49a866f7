"""Every row of the menu, by the real client over a socket; replies have the keys of the samples."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from receiver.client.calls.registry import CALLS, ENDPOINTS
from receiver.contract.api_page import NOT_SIMULATED, WITHOUT_DATA
from receiver.simulator.calls.rows import ANSWERS
from receiver.simulator.catalogue import BAG_SHOP
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.routes import served_rows
from schemas.api.alibaba_orders import CargoParam
from schemas.api.taobao_orders import RenderItem
from schemas.api.taobao_products import CheckedItem
from schemas.api.warehouse import FreightReceiver
from schemas.statuses import OrderStatus, RefundStatus
from schemas.values import Money
from tests.simulator.calling import HOME, JPEG, RECEIVER, Caller, calling, cargo_of
from tests.simulator.conftest import receiving

SAMPLES = Path(__file__).parents[1] / "fixtures" / "api"
SAMPLE_OF = {
    "alibaba_cart_edit_quantity": "1688-cart-edit-quantity-v1",
    "alibaba_orders_cancel": "1688-order-cancel",
    "alibaba_orders_confirm_receipt": "1688-order-receivegoods",
    "alibaba_orders_create": "1688-order-create",
    "alibaba_orders_create_batch": "1688-order-batch-create",
    "alibaba_orders_decrypt_open_uid": "1688-openuid-decrypt",
    "alibaba_orders_detail": "1688-order-detail",
    "alibaba_orders_logistics": "1688-order-logistics-trace",
    "alibaba_orders_payment_url": "1688-order-pay-url",
    "alibaba_orders_preview": "1688-order-create-preview",
    "alibaba_products_category": "1688-category",
    "alibaba_products_detail": "1688-product-detail",
    "alibaba_products_recommend": "1688-product-recommend",
    "alibaba_products_related": "1688-product-related-recommend",
    "alibaba_products_search": "1688-product-keywords-query",
    "alibaba_products_search_store": "1688-product-query-selleroffer",
    "alibaba_refunds_carriers": "1688-logistics-companies",
    "alibaba_refunds_create": "1688-refund-create",
    "alibaba_refunds_reasons": "1688-refund-reason",
    "alibaba_refunds_submit_return": "1688-refund-goods-return",
    "alibaba_refunds_upload_voucher": "1688-refund-voucher",
    "taobao_orders_create": "taobao-order-create-v1",
    "taobao_orders_logistics": "taobao-order-logistics-detail",
    "taobao_orders_pay": "taobao-order-pay.upstream",
    "taobao_products_check_batch": "taobao-product-batch-check-v1",
    "taobao_products_recommend": "taobao-product-recommend-v1",
    "taobao_products_source": "taobao-product-source-get-v1",
    "taobao_refunds_cancel": "taobao-refund-cancel",
    "taobao_refunds_render": "taobao-refund-render",
}
"""The rows whose reply a sample of the platform shows."""

Step = Callable[[Caller], Awaitable[None]]
CALLED: dict[str, Step] = {}


@pytest.fixture(scope="module")
async def caller() -> AsyncIterator[Caller]:
    async with receiving() as receiver:
        config = receiver.config(sellers_act=False, cancel_after_s=0.0)
        async with SimulatedPlatform(config) as platform, calling(platform) as opened:
            yield opened


def calls(step: Step) -> Step:
    """A function calls the row of its name."""
    CALLED[step.__name__] = step
    return step


@pytest.mark.parametrize("row", CALLS)
async def test_a_row_is_answered(caller: Caller, row: str) -> None:
    await CALLED[row](caller)

    called = caller.platform.api.journal.calls[-1]
    assert (called.row, called.outcome) == (row, "done")
    assert (caller.recorder.data is None) == (row in WITHOUT_DATA)
    if row in SAMPLE_OF:
        sample = json.loads((SAMPLES / f"{SAMPLE_OF[row]}.json").read_text(encoding="utf-8"))
        assert lacking(sample["reply"]["data"], caller.recorder.data) == set()


def lacking(sample: Any, served: Any, place: str = "data") -> set[str]:
    """The keys of a sample, to every depth, that what was served has not."""
    if isinstance(sample, dict) and isinstance(served, dict):
        missing = {f"{place}.{name}" for name in sample.keys() - served.keys()}
        shared = [name for name in sample if name in served]
        return missing.union(*(lacking(sample[n], served[n], f"{place}.{n}") for n in shared))
    if isinstance(sample, list) and isinstance(served, list) and sample:
        return lacking(sample[0], served[0], f"{place}[]") if served else {f"{place}[]"}
    return set()


def test_every_sample_reply_is_compared() -> None:
    replies = {
        file.stem
        for file in SAMPLES.glob("*.json")
        if "reply" in json.loads(file.read_text(encoding="utf-8"))
    }
    assert replies - set(SAMPLE_OF.values()) == {"taobao-order-cancel.upstream"}


def test_the_page_of_the_api_says_which_rows_are_served() -> None:
    assert set(ANSWERS) == set(ENDPOINTS) - NOT_SIMULATED


async def test_a_row_is_served_under_every_path_of_every_edition(caller: Caller) -> None:
    paths = {(row.method, row.path) for row in served_rows()}
    stated = {
        (route.method, route.path) for row in ENDPOINTS.values() for route in row.routes.values()
    }
    assert paths == stated
    async with httpx2.AsyncClient(
        trust_env=False, verify=False, base_url=caller.platform.api_url
    ) as http:
        for method, path in sorted(paths):
            answer = await http.request(method, path.replace("{refundId}", "1"))
            assert answer.json()["code"] == 401, path


@calls
async def alibaba_products_detail(caller: Caller) -> None:
    product = caller.goods[0]
    detail = await caller.v2.alibaba.products.detail(product.opaque_id)
    assert detail.offer_id == product.opaque_id
    assert [sku.spec_id for sku in detail.product_sku_infos] == [s.spec_id for s in product.skus]
    assert detail.product_sku_infos[0].price == Money(amount=Decimal("25.00"))
    by_number = await caller.v1.alibaba.products.detail(product.product_id)
    assert by_number.offer_id == product.product_id
    by_number = await caller.ka.alibaba.products.detail(product.product_id)
    assert by_number.subject == product.title


@calls
async def alibaba_products_search(caller: Caller) -> None:
    for api in (caller.v1, caller.ka):
        page = await api.alibaba.products.search(keyword="杯", page_size=1)
        assert [offer.offer_id for offer in page.items] == [caller.goods[-20].product_id]
    page = await caller.v2.alibaba.products.search(
        keyword="杯", page_size=5, sort={"price": "desc"}, price_start="1"
    )
    prices = [offer.price_info.price.amount for offer in page.items if offer.price_info]  # type: ignore[union-attr] # a price is there
    assert (page.total_records, page.total_page, len(page.items)) == (20, 4, 5)
    assert prices == sorted(prices, reverse=True)


@calls
async def alibaba_products_search_image(caller: Caller) -> None:
    page = await caller.v2.alibaba.products.search_image(image_base64="AAAA", page_size=3)
    assert [offer.offer_map_id for offer in page.items] == [g.opaque_id for g in caller.goods[:3]]


@calls
async def alibaba_products_search_store(caller: Caller) -> None:
    page = await caller.v2.alibaba.products.search_store(
        keyword="包", begin_page=1, page_size=5, country="en", seller_open_id=BAG_SHOP
    )
    assert (page.total_records, page.total_page, page.page_size) == (323, 65, 5)
    first = page.items[0]
    assert (first.repurchase_rate, first.month_sold) == ("0%", 2065)
    assert first.price_info is not None
    assert first.price_info.price == Money(amount=Decimal("25.00"))
    assert first.price_info.jxhy_price is None
    assert first.price_info.consign_price == Money(amount=Decimal("29.00"))


async def test_the_example_search_walks_65_pages(caller: Caller) -> None:
    journal = caller.platform.api.journal
    journal.calls.clear()
    search = caller.v2.alibaba.products.search_store(
        keyword="包", begin_page=1, page_size=5, country="en", seller_open_id=BAG_SHOP
    )
    found = [offer.offer_map_id async for offer in search.all()]
    assert len(set(found)) == len(found) == 323
    assert len(journal.calls) == 65
    asked = json.loads(journal.calls[0].arguments)
    assert asked == {
        "keyword": "包",
        "beginPage": 1,
        "pageSize": 5,
        "country": "en",
        "sellerOpenId": BAG_SHOP,
    }


@calls
async def alibaba_products_category(caller: Caller) -> None:
    bags = await caller.v2.alibaba.products.category("1031910")
    assert (bags.translated_name, bags.leaf, bags.parent_cate_id) == ("Bags", False, "10166")
    assert [child.category_id for child in bags.children] == ["1031911"]


@calls
async def alibaba_products_recommend(caller: Caller) -> None:
    page = await caller.v2.alibaba.products.recommend(out_member_id="shop-1", page_size=7)
    assert [offer.offer_id for offer in page.items] == [g.product_id for g in caller.goods[:7]]


@calls
async def alibaba_products_related(caller: Caller) -> None:
    cup = caller.goods[-1]
    page = await caller.v2.alibaba.products.related(offer_id=cup.opaque_id)
    assert len(page.items) == 10
    assert cup.product_id not in [offer.offer_id for offer in page.items]
    assert page.items[0].subject_trans == "Example cup 324"


@calls
async def alibaba_products_search_global_selection(caller: Caller) -> None:
    page = await caller.v2.alibaba.products.search_global_selection(keyword="cup", page_size=5)
    assert page.total_records == 20


@calls
async def alibaba_products_search_selection(caller: Caller) -> None:
    page = await caller.v2.alibaba.products.search_selection(keyword="包", page_size=5)
    assert page.total_records == 323


@calls
async def alibaba_products_hot_list(caller: Caller) -> None:
    hot = await caller.v2.alibaba.products.hot_list(rank_id="1031910", limit=4)
    assert (hot.rank_id, hot.rank_type) == ("1031910", "complex")
    assert [place.sort for place in hot.rank_product_models] == [1, 2, 3, 4]
    assert hot.rank_product_models[0].sold_out == 2065


@calls
async def alibaba_orders_preview(caller: Caller) -> None:
    preview = await caller.v2.alibaba.orders.preview(
        address_param=HOME, cargo_param_list=[cargo_of(caller.goods[0], 2)]
    )
    (order,) = preview.orders
    assert order.sum_payment == Money(amount=Decimal("58.00"))
    assert order.cargo_list[0].amount == Money(amount=Decimal("50.00"))


async def test_a_ka_preview_is_a_list_with_amounts_in_fen(caller: Caller) -> None:
    product = caller.goods[0]
    line = CargoParam(offer_id=product.product_id, spec_id=product.skus[0].spec_id, quantity=2)
    preview = await caller.ka.alibaba.orders.preview(address_param=HOME, cargo_param_list=[line])
    assert caller.recorder.data[0]["orderItemTOList"][0]["amount"] == 5000
    assert preview.orders[0].order_item_to_list[0].amount == Money(amount=Decimal("50.00"))


@calls
async def alibaba_orders_preview_batch(caller: Caller) -> None:
    lines = [cargo_of(caller.goods[0], 1), cargo_of(caller.goods[-2], 1)]
    preview = await caller.v2.alibaba.orders.preview_batch(
        address_param=HOME, cargo_param_list=lines
    )
    assert [len(order.cargo_list) for order in preview.orders] == [1, 1]


@calls
async def alibaba_orders_create(caller: Caller) -> None:
    product = caller.goods[0]
    before = caller.platform.world.stock[product.skus[0].sku_id]
    order = await caller.bought(quantity=3)
    assert order.wanted[0].product is product
    assert order.total_fen == 3 * 2500 + 800
    assert caller.platform.world.stock[product.skus[0].sku_id] == before - 3


@calls
async def alibaba_orders_create_batch(caller: Caller) -> None:
    lines = [cargo_of(caller.goods[0], 1), cargo_of(caller.goods[-2], 1)]
    made = await caller.v2.alibaba.orders.create_batch(
        flow="general", address_param=HOME, cargo_param_list=lines
    )
    assert made.order_id is None
    assert [caller.order(name).goods_fen for name in made.order_ids] == [
        line.fen for name in made.order_ids for line in caller.order(name).wanted
    ]
    assert len(made.order_ids) == 2


@calls
async def alibaba_orders_detail(caller: Caller) -> None:
    order = await caller.paid()
    detail = await caller.v2.alibaba.orders.detail(order.order_id)
    assert detail.base_info is not None
    assert detail.base_info.our_status is OrderStatus.AWAITING_SHIPMENT
    assert detail.base_info.total_amount == Money(amount=Decimal("58.00"))
    assert detail.product_items[0].product_id == caller.goods[0].product_id
    assert detail.native_logistics is not None
    assert detail.native_logistics.city == "杭州市"


@calls
async def alibaba_orders_list(caller: Caller) -> None:
    first, second = await caller.bought(), await caller.bought()
    page = await caller.v2.alibaba.orders.list(
        order_ids=[first.order_id, second.order_id], order_status="waitbuyerpay"
    )
    assert [order.order_id for order in page.items] == [second.order_id, first.order_id]
    assert page.total_records == 2


@calls
async def alibaba_orders_cancel(caller: Caller) -> None:
    order = await caller.bought()
    before = caller.platform.world.stock[order.wanted[0].sku.sku_id]
    assert (await caller.v2.alibaba.orders.cancel(order.order_id)).success is True
    assert order.status == "CANCEL"
    assert caller.platform.world.stock[order.wanted[0].sku.sku_id] == before + 2


@calls
async def alibaba_orders_payment_url(caller: Caller) -> None:
    order = await caller.bought()
    paid = await caller.v2.alibaba.orders.payment_url(order.order_id)
    assert paid.protocol_pay_success is True
    assert paid.pay_url == f"https://trade.1688.com/order/cashier.htm?orderId={order.order_id}"
    assert order.paid_at is not None
    by_ka = await caller.ka.alibaba.orders.payment_url((await caller.bought()).order_id)
    assert by_ka.protocol_pay_success is True


@calls
async def alibaba_orders_pay_batch(caller: Caller) -> None:
    order, cancelled = await caller.bought(), await caller.bought()
    await caller.v2.alibaba.orders.cancel(cancelled.order_id)
    paid = await caller.v2.alibaba.orders.pay_batch([order.order_id, cancelled.order_id])
    assert paid.pay_failure_order_list == (cancelled.order_id,)
    assert order.pay_status == 2


@calls
async def alibaba_orders_confirm_receipt(caller: Caller) -> None:
    order = await caller.paid()
    caller.platform.world.act()
    received = await caller.v2.alibaba.orders.confirm_receipt(order.order_id, [order.line_ids[0]])
    assert received.success is True
    assert order.status == "success"


@calls
async def alibaba_orders_logistics(caller: Caller) -> None:
    order = await caller.paid()
    caller.platform.world.act()
    (trace,) = (await caller.v2.alibaba.orders.logistics(order.order_id)).traces
    assert order.parcel is not None
    assert trace.logistics_bill_no == order.parcel.waybill_no
    by_ka = await caller.ka.alibaba.orders.logistics(order.order_id)
    assert by_ka.traces == (trace,)


@calls
async def alibaba_orders_decrypt_open_uid(caller: Caller) -> None:
    by_v1 = await caller.v1.alibaba.orders.decrypt_open_uid(open_uid=BAG_SHOP)
    assert by_v1.url == "https://amos.alicdn.com/getcid.aw?uid=example-bags"
    by_v2 = await caller.v2.alibaba.orders.decrypt_open_uid(open_uid=BAG_SHOP)
    assert by_v2.nick == "example-bags"


async def alibaba_entry(caller: Caller) -> str:
    """A new entry of the cart of 1688."""
    product = caller.goods[0]
    await caller.v2.alibaba.cart.add(
        offer_map_id=product.opaque_id, spec_id=product.skus[1].spec_id, quantity=2
    )
    return list(caller.platform.world.carts["1688"])[-1]


@calls
async def alibaba_cart_add(caller: Caller) -> None:
    entry = await alibaba_entry(caller)
    held = caller.platform.world.carts["1688"][entry]
    assert (held.sku, held.quantity) == (caller.goods[0].skus[1], 2)


@calls
async def alibaba_cart_list(caller: Caller) -> None:
    entry = await alibaba_entry(caller)
    cart = await caller.v2.alibaba.cart.list()
    held = next(item for item in cart.items if item.id == entry)
    assert (held.offer_map_id, held.quantity) == (caller.goods[0].opaque_id, 2)
    assert cart.enable_list[0].seller_open_id == BAG_SHOP


@calls
async def alibaba_cart_edit_quantity(caller: Caller) -> None:
    entry = await alibaba_entry(caller)
    await caller.v2.alibaba.cart.edit_quantity(id=entry, quantity=7)
    assert caller.platform.world.carts["1688"][entry].quantity == 7


@calls
async def alibaba_cart_preview(caller: Caller) -> None:
    entry = await alibaba_entry(caller)
    preview = await caller.v2.alibaba.cart.preview(cart_ids=[entry])
    assert preview.orders[0].sum_payment == Money(amount=Decimal("60.00"))


@calls
async def alibaba_cart_create_order(caller: Caller) -> None:
    entry = await alibaba_entry(caller)
    made = await caller.v2.alibaba.cart.create_order(cart_ids=[entry], address_param=HOME)
    assert caller.order(made.order_ids[0]).total_fen == 6000
    assert entry not in caller.platform.world.carts["1688"]


@calls
async def alibaba_cart_delete(caller: Caller) -> None:
    entry = await alibaba_entry(caller)
    await caller.v2.alibaba.cart.delete([entry])
    assert entry not in caller.platform.world.carts["1688"]


async def alibaba_case(caller: Caller, request: str = "refund") -> str:
    """A new case about a shipped order of 1688."""
    order = await caller.paid()
    caller.platform.world.act()
    made = await caller.v2.alibaba.refunds.create(
        order_id=order.order_id,
        order_entry_ids=list(order.line_ids),
        dispute_request=request,
        apply_payment=order.goods_fen,
        apply_carriage=0,
        apply_reason_id="20022",
        description="不想要了",
        goods_status="refundBuyerReceived",
    )
    assert made.refund_id is not None
    return made.refund_id


@calls
async def alibaba_refunds_create(caller: Caller) -> None:
    refund_id = await alibaba_case(caller)
    refund = caller.platform.world.refunds.refunds[refund_id]
    assert refund_id.startswith("TQ")
    assert (refund.payment_fen, refund.status) == (5000, "waitselleragree")


@calls
async def alibaba_refunds_detail(caller: Caller) -> None:
    refund_id = await alibaba_case(caller)
    case = await caller.v2.alibaba.refunds.detail(refund_id)
    assert (case.refund_id, case.our_status) == (refund_id, RefundStatus.APPLIED)
    assert case.apply_payment == Money(amount=Decimal("50.00"))


@calls
async def alibaba_refunds_reasons(caller: Caller) -> None:
    order = await caller.paid()
    found = await caller.v2.alibaba.refunds.reasons(
        order_id=order.order_id,
        order_entry_ids=list(order.line_ids),
        goods_status="refundWaitSellerSend",
    )
    assert [(r.id, r.need_voucher) for r in found.reasons] == [("20021", True), ("20022", False)]


@calls
async def alibaba_refunds_upload_voucher(caller: Caller) -> None:
    voucher = await caller.v2.alibaba.refunds.upload_voucher(JPEG)
    assert voucher.url is not None
    assert voucher.url.startswith("https://cbu01.alicdn.com/img/ibank/")


@calls
async def alibaba_refunds_submit_return(caller: Caller) -> None:
    refund_id = await alibaba_case(caller, "returnRefund")
    caller.platform.world.act()
    sent = await caller.v2.alibaba.refunds.submit_return(
        refund_id=refund_id, logistics_company_no="ZTO", freight_bill="ZTO1"
    )
    assert sent.success is True
    assert caller.platform.world.refunds.refunds[refund_id].status == "waitsellerreceive"


@calls
async def alibaba_refunds_carriers(caller: Caller) -> None:
    carriers = await caller.v2.alibaba.refunds.carriers()
    assert [carrier.company_no for carrier in carriers] == ["YTO", "ZTO", "SF"]


@calls
async def alibaba_refunds_cancel(caller: Caller) -> None:
    refund_id = await alibaba_case(caller)
    await caller.ka.alibaba.refunds.cancel(refund_id)
    assert caller.platform.world.refunds.refunds[refund_id].status == "refundclose"


@calls
async def taobao_products_detail(caller: Caller) -> None:
    item = caller.items[0]
    product = await caller.v2.taobao.products.detail(item.opaque_id)
    assert (product.mp_id, product.item_id) == (item.mp_id, item.opaque_id)
    assert product.price == Money(amount=Decimal("25.00"))
    assert product.sku_list[0].mp_sku_id == item.skus[0].mp_sku_id
    by_number = await caller.v1.taobao.products.detail(item.product_id)
    assert by_number.item_id == item.product_id


@calls
async def taobao_products_source(caller: Caller) -> None:
    product = await caller.v1.taobao.products.source(caller.items[0].product_id, "vi")
    assert product.multi_language_info is not None
    assert product.multi_language_info.language == "vi"


@calls
async def taobao_products_check_batch(caller: Caller) -> None:
    known = caller.items[0].opaque_id
    items = [CheckedItem(item_id=known), CheckedItem(item_id="1")]
    checked = await caller.v2.taobao.products.check_batch(items)
    assert checked.no_mp_product_item_ids == ("1",)
    assert len(checked.mp_products) == 1


@calls
async def taobao_products_search(caller: Caller) -> None:
    page = await caller.v2.taobao.products.search(keyword="包", page_size=40)
    assert len(page.items) == 40
    found = [item async for item in caller.v2.taobao.products.search(keyword="包").all()]
    assert len(found) == 45
    assert found[0].price == Money(amount=Decimal("25.00"))


@calls
async def taobao_products_search_image(caller: Caller) -> None:
    found = await caller.v2.taobao.products.search_image(image_base64="AAAA")
    assert found[0].item_id == caller.items[0].opaque_id


@calls
async def taobao_products_search_shop(caller: Caller) -> None:
    shop = str(caller.items[-1].shop.shop_id)
    page = await caller.v1.taobao.products.search_shop(shop_id=shop)
    assert {item.shop_name for item in page.items} == {"示例杯具"}
    assert len(page.items) == 15


@calls
async def taobao_products_recommend(caller: Caller) -> None:
    page = await caller.v1.taobao.products.recommend(page_size=3)
    assert [item.item_id for item in page.items] == [i.product_id for i in caller.items[:3]]


@calls
async def taobao_orders_create(caller: Caller) -> None:
    order = await caller.purchased()
    assert (order.status, order.buyers_id) == ("WAIT_BUYER_PAY", "SO-1")
    assert order.wanted[0].product is caller.items[0]


@calls
async def taobao_orders_list(caller: Caller) -> None:
    order = await caller.purchased()
    for api in (caller.v1, caller.v2):
        page = await api.taobao.orders.list(purchase_ids=[order.order_id])
        assert [found.sales_order_id for found in page.items] == [order.order_id]
        assert page.total_records == 1


@calls
async def taobao_orders_list_purchases(caller: Caller) -> None:
    order = await caller.purchased()
    page = await caller.v1.taobao.orders.list_purchases(page_size=1, status="WAIT_BUYER_PAY")
    assert page.items[0].sales_order_id == order.order_id


@calls
async def taobao_orders_upload_payment_voucher(caller: Caller) -> None:
    done = await caller.v1.taobao.orders.upload_payment_voucher({"orderId": "1"})
    assert done.success is True


@calls
async def taobao_orders_cancel(caller: Caller) -> None:
    order = await caller.purchased()
    await caller.v2.taobao.orders.cancel(purchase_id=order.order_id, cancel_reason="不想要了")
    assert order.status == "TRADE_CLOSED"


@calls
async def taobao_orders_pay(caller: Caller) -> None:
    order, cancelled = await caller.purchased(), await caller.purchased()
    await caller.v2.taobao.orders.cancel(purchase_id=cancelled.order_id, cancel_reason="x")
    paid = await caller.v2.taobao.orders.pay([order.order_id, cancelled.order_id])
    assert paid.will_pay == (order.order_id,)
    assert [failure.order_id for failure in paid.failures] == [cancelled.order_id]


@calls
async def taobao_orders_update_warehouse(caller: Caller) -> None:
    order = await caller.purchased()
    done = await caller.v2.taobao.orders.update_warehouse(
        order_id=order.order_id, warehouse_name="W", warehouse_address="A"
    )
    assert done.success is None
    assert caller.recorder.data == {}


@calls
async def taobao_orders_im_link(caller: Caller) -> None:
    link = await caller.v2.taobao.orders.im_link(biz_id="7")
    assert link.url == "https://im.example.com/?id=7"


@calls
async def taobao_orders_detail(caller: Caller) -> None:
    order = await caller.purchase_paid()
    detail = await caller.v2.taobao.orders.detail(order.order_id)
    assert detail.our_status is OrderStatus.AWAITING_SHIPMENT
    assert detail.purchase_amount == Money(amount=Decimal("58.00"))
    assert detail.sub_orders[0].sub_purchase_order_id == order.line_ids[0]


@calls
async def taobao_orders_logistics(caller: Caller) -> None:
    order = await caller.purchase_paid()
    caller.platform.world.act()
    (parcel,) = (await caller.v2.taobao.orders.logistics(order.line_ids[0])).parcels
    assert order.parcel is not None
    assert parcel.mail_no == order.parcel.waybill_no
    assert parcel.goods[0].quantity == 2
    assert parcel.receiver is not None
    assert parcel.receiver.city == "杭州市"


@calls
async def taobao_orders_render(caller: Caller) -> None:
    item = caller.items[0]
    lines = [
        RenderItem(item_id=item.mp_id, quantity=1, sku_id=item.skus[0].mp_sku_id),
        RenderItem(item_id="1", quantity=1, sku_id="1"),
    ]
    rendered = await caller.v1.taobao.orders.render(
        receiver_address=RECEIVER, render_item_list=lines
    )
    assert rendered.total_real_pay_price is not None
    assert rendered.total_real_pay_price.amount == Money(amount=Decimal("33.00"))
    assert [sku.item_id for sku in rendered.unavailable_sku_list] == ["1"]


async def taobao_entry(caller: Caller) -> str:
    """A new entry of the cart of Taobao."""
    item = caller.items[0]
    await caller.v2.taobao.cart.add(mp_id=item.mp_id, mp_sku_id=item.skus[1].mp_sku_id, quantity=2)
    return list(caller.platform.world.carts["taobao"])[-1]


@calls
async def taobao_cart_add(caller: Caller) -> None:
    entry = await taobao_entry(caller)
    assert caller.platform.world.carts["taobao"][entry].sku is caller.items[0].skus[1]


@calls
async def taobao_cart_list(caller: Caller) -> None:
    entry = await taobao_entry(caller)
    cart = await caller.v2.taobao.cart.list()
    assert entry in [item.id for item in cart.items]


@calls
async def taobao_cart_preview(caller: Caller) -> None:
    entry = await taobao_entry(caller)
    rendered = await caller.v2.taobao.cart.preview(cart_ids=[entry])
    assert rendered.total_real_pay_price is not None
    assert rendered.total_real_pay_price.amount == Money(amount=Decimal("60.00"))


@calls
async def taobao_cart_create_order(caller: Caller) -> None:
    entry = await taobao_entry(caller)
    made = await caller.v2.taobao.cart.create_order(cart_ids=[entry])
    assert caller.order(made.order_ids[0]).total_fen == 6000
    assert entry not in caller.platform.world.carts["taobao"]


@calls
async def taobao_cart_edit_quantity(caller: Caller) -> None:
    entry = await taobao_entry(caller)
    await caller.v2.taobao.cart.edit_quantity(id=entry, quantity=7)
    assert caller.platform.world.carts["taobao"][entry].quantity == 7


@calls
async def taobao_cart_delete(caller: Caller) -> None:
    entry = await taobao_entry(caller)
    await caller.v2.taobao.cart.delete([entry])
    assert entry not in caller.platform.world.carts["taobao"]


async def taobao_case(caller: Caller, refund_type: int = 1) -> str:
    """A new case about a paid order of Taobao."""
    order = await caller.purchase_paid()
    made = await caller.v2.taobao.refunds.submit(
        sub_order_id=order.line_ids[0],
        refund_type=refund_type,
        goods_status=1,
        reason_id=403769,
        refund_fee=400,
    )
    assert made.refund_id is not None
    return made.refund_id


@calls
async def taobao_refunds_submit(caller: Caller) -> None:
    refund_id = await taobao_case(caller)
    refund = caller.platform.world.refunds.refunds[refund_id]
    assert (len(refund_id), refund.status, refund.payment_fen) == (12, "10", 400)


@calls
async def taobao_refunds_render(caller: Caller) -> None:
    order = await caller.purchase_paid()
    rendered = await caller.v2.taobao.refunds.render(
        sub_order_id=order.line_ids[0], refund_type=1, goods_status=3
    )
    template = rendered.refund_order_template
    assert template is not None
    assert template.refund_reasons[0].reason_id == "403769"
    assert template.max_refund_fee is not None
    assert template.max_refund_fee.refund_fee == Money(amount=Decimal("50.00"))


@calls
async def taobao_refunds_list(caller: Caller) -> None:
    refund_id = await taobao_case(caller)
    page = await caller.v2.taobao.refunds.list(page_size=1)
    assert [case.refund_id for case in page.items] == [refund_id]


@calls
async def taobao_refunds_detail(caller: Caller) -> None:
    refund_id = await taobao_case(caller)
    for api in (caller.v1, caller.v2):
        read = await api.taobao.refunds.detail(refund_id)
        assert read.case is not None
        assert (read.refund_id, read.case.our_status) == (refund_id, RefundStatus.APPLIED)
        assert read.logistics is not None
        assert read.logistics.receiver_address is not None
        assert read.logistics.receiver_address.detail_address == "示例路2号"


@calls
async def taobao_refunds_cancel(caller: Caller) -> None:
    refund_id = await taobao_case(caller)
    closed = await caller.v2.taobao.refunds.cancel(refund_id)
    assert closed.cancel_success is True
    assert closed.case is not None
    assert closed.case.our_status is RefundStatus.CLOSED


@calls
async def taobao_refunds_modify(caller: Caller) -> None:
    refund_id = await taobao_case(caller)
    await caller.v2.taobao.refunds.modify(refund_id=refund_id, refund_fee=300)
    assert caller.platform.world.refunds.refunds[refund_id].payment_fen == 300


@calls
async def taobao_refunds_submit_message(caller: Caller) -> None:
    refund_id = await taobao_case(caller)
    await caller.v2.taobao.refunds.submit_message(refund_id=refund_id, refund_message="请处理")
    refund = caller.platform.world.refunds.refunds[refund_id]
    assert refund.messages[0]["refundMessage"] == "请处理"


@calls
async def taobao_refunds_messages(caller: Caller) -> None:
    refund_id = await taobao_case(caller)
    await caller.v2.taobao.refunds.submit_message(refund_id=refund_id, refund_message="请处理")
    page = await caller.v2.taobao.refunds.messages(refund_id=refund_id)
    assert [(m.model_extra or {})["refundMessage"] for m in page.items] == ["请处理"]


@calls
async def taobao_refunds_render_return(caller: Caller) -> None:
    refund_id = await taobao_case(caller, refund_type=2)
    rendered = await caller.v2.taobao.refunds.render_return(refund_id)
    assert [carrier.code for carrier in rendered.carriers] == ["YTO", "ZTO", "SF"]


@calls
async def taobao_refunds_submit_return(caller: Caller) -> None:
    refund_id = await taobao_case(caller, refund_type=2)
    caller.platform.world.act()
    await caller.v2.taobao.refunds.submit_return(
        refund_id=refund_id, logistics_company_code="SF", logistics_no="SF1"
    )
    assert caller.platform.world.refunds.refunds[refund_id].status == "30"


@calls
async def addresses_save(caller: Caller) -> None:
    await caller.v2.addresses.save(name="测试", city="杭州市")
    stored = list(caller.platform.world.addresses)[-1]
    await caller.v1.addresses.save(id=stored, city="北京市")
    assert caller.platform.world.addresses[stored]["city"] == "北京市"


@calls
async def addresses_read(caller: Caller) -> None:
    await caller.v2.addresses.save(name="测试", city="杭州市")
    stored = list(caller.platform.world.addresses)[-1]
    (read,) = await caller.v2.addresses.read(stored)
    assert (read.id, read.name, read.city) == (stored, "测试", "杭州市")


@calls
async def warehouse_estimate_freight(caller: Caller) -> None:
    receiver = FreightReceiver(
        name="Test", address="1 Example St", country="US", city="E", zip="90000", state="C"
    )
    reply = await caller.v2.warehouse.estimate_freight(
        item_id="1", sku_id="2", receiver_address=receiver, quantity=1, currency="CNY", price="1"
    )
    assert reply.value is None


@calls
async def warehouse_preview_freight(caller: Caller) -> None:
    assert (await caller.v2.warehouse.preview_freight({"a": 1})).value is None


@calls
async def warehouse_book_freight(caller: Caller) -> None:
    assert (await caller.v2.warehouse.book_freight({"a": 1})).value is None


@calls
async def warehouse_update_logistics(caller: Caller) -> None:
    assert (await caller.ka.warehouse.update_logistics(order_id="31")).value is None


async def test_a_reply_that_no_page_shows_can_be_given(caller: Caller) -> None:
    replies = caller.platform.api.replies
    replies["warehouse_book_freight"] = {"value": 7}
    try:
        booked = await caller.v2.warehouse.book_freight({"a": 1})
    finally:
        replies.clear()
    assert booked.value == 7


@calls
async def warehouse_report_inbound(caller: Caller) -> None:
    reply = await caller.ka.warehouse.report_inbound(
        out_order_id="1", logistics_tracking_number="SF1"
    )
    assert reply.value is None
