"""What the simulated API refuses, with the codes of the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from receiver.errors import APIRejectedError
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.signing import Account
from schemas.api.alibaba_orders import CargoParam
from tests.simulator.calling import HOME, Caller, calling, cargo_of
from tests.simulator.conftest import receiving
from tests.simulator.test_api import signed

Wrong = Callable[[Caller], Awaitable[Any]]


@pytest.fixture(scope="module")
async def caller() -> AsyncIterator[Caller]:
    async with receiving() as receiver:
        config = receiver.config(sellers_act=False, cancel_after_s=0.0)
        async with SimulatedPlatform(config) as platform, calling(platform) as opened:
            yield opened


async def create(caller: Caller, *lines: CargoParam) -> Any:
    return await caller.v2.alibaba.orders.create(
        flow="general", address_param=HOME, cargo_param_list=list(lines)
    )


async def preview(caller: Caller, *lines: CargoParam) -> Any:
    return await caller.v2.alibaba.orders.preview(address_param=HOME, cargo_param_list=list(lines))


async def refund(caller: Caller, **changes: Any) -> Any:
    """A refund of a paid order that is not shipped, wrong in one respect."""
    order = await caller.paid()
    asked: dict[str, Any] = {
        "order_id": order.order_id,
        "order_entry_ids": list(order.line_ids),
        "dispute_request": "refund",
        "apply_payment": order.goods_fen,
        "apply_carriage": 0,
        "apply_reason_id": "20022",
        "description": "不想要了",
        "goods_status": "refundWaitSellerSend",
    }
    return await caller.v2.alibaba.refunds.create(**(asked | changes))


async def refund_unpaid(caller: Caller) -> Any:
    order = await caller.bought()
    return await refund(caller, order_id=order.order_id, order_entry_ids=list(order.line_ids))


async def cancel_paid(caller: Caller) -> Any:
    return await caller.v2.alibaba.orders.cancel((await caller.paid()).order_id)


async def send_back(caller: Caller, refund_id: str = "TQ1", carrier: str = "SF") -> Any:
    return await caller.v2.alibaba.refunds.submit_return(
        refund_id=refund_id, logistics_company_no=carrier, freight_bill="SF1"
    )


async def send_back_unagreed(caller: Caller, carrier: str = "SF") -> Any:
    return await send_back(caller, (await refund(caller)).refund_id, carrier)


async def order_more_than_there_is(caller: Caller) -> Any:
    half = cargo_of(caller.goods[0], 60_000)
    return await create(caller, half, half)


async def fill_the_cart(caller: Caller) -> Any:
    item = caller.items[0]
    await caller.v2.taobao.cart.add(
        mp_id=item.mp_id, mp_sku_id=item.skus[0].mp_sku_id, quantity=10**6
    )
    entry = list(caller.platform.world.carts["taobao"])[-1]
    return await caller.v2.taobao.cart.create_order(cart_ids=[entry])


def of_another(caller: Caller) -> CargoParam:
    spec = caller.goods[1].skus[0].spec_id
    return replace(cargo_of(caller.goods[0], 1), spec_id=spec)


WRONG: dict[str, tuple[str, Wrong]] = {
    "not sold online": (
        "500_001",
        lambda c: create(c, replace(cargo_of(c.goods[0], 1), offer_map_id="none")),
    ),
    "several sellers": (
        "500_002",
        lambda c: create(c, cargo_of(c.goods[0], 1), cargo_of(c.goods[-2], 1)),
    ),
    "no spec": ("500_002", lambda c: create(c, replace(cargo_of(c.goods[0], 1), spec_id=None))),
    "spec of another product": ("500_003", lambda c: preview(c, of_another(c))),
    "not in stock": ("500_004", order_more_than_there_is),
    "too few": ("500_005", lambda c: preview(c, cargo_of(c.goods[4], 1))),
    "cancel an unknown order": (
        "ORDER_NOT_EXIST",
        lambda c: c.v2.alibaba.orders.cancel("2700000000000000017"),
    ),
    "cancel a paid order": ("ORDER_STATUS_ERROR", cancel_paid),
    "confirm an unknown order": (
        "4003",
        lambda c: c.v2.alibaba.orders.confirm_receipt("2700000000000000017", ["1"]),
    ),
    "refund an unknown order": ("5001", lambda c: refund(c, order_id="27", order_entry_ids=None)),
    "goods that were not received": (
        "5003",
        lambda c: refund(c, goods_status="refundBuyerReceived"),
    ),
    "unknown reason": ("5004", lambda c: refund(c, apply_reason_id="1")),
    "no voucher": ("5005", lambda c: refund(c, apply_reason_id="20021")),
    "carriage": ("5006", lambda c: refund(c, apply_carriage=100)),
    "unpaid": ("5010", refund_unpaid),
    "amount": ("5011", lambda c: refund(c, apply_payment=1)),
    "line of another order": ("5013", lambda c: refund(c, order_entry_ids=["1"])),
    "more of Taobao than there is": ("OUT_OF_STOCK", fill_the_cart),
    "unknown refund": ("4005", send_back),
    "unknown carrier": ("4004", lambda c: send_back_unagreed(c, "NONE")),
    "seller has not agreed": ("4007", send_back_unagreed),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_refusal_has_the_code_of_its_page(caller: Caller, what: str) -> None:
    code, call = WRONG[what]
    with pytest.raises(APIRejectedError) as refused:
        await call(caller)
    assert str(refused.value.code) == code
    assert caller.platform.api.journal.calls[-1].outcome == "refused"


async def test_an_order_is_not_cancelled_in_its_first_ten_seconds(caller: Caller) -> None:
    order = await caller.bought()
    caller.platform.world.cancel_after_s = 10.0
    try:
        with pytest.raises(APIRejectedError, match="CLOSE_ORDER_TOO_FAST"):
            await caller.v2.alibaba.orders.cancel(order.order_id)
    finally:
        caller.platform.world.cancel_after_s = 0.0
    assert order.status == "WAITING_FOR_PAYMENT"


async def test_what_is_paid_is_not_paid_again(caller: Caller) -> None:
    order = await caller.paid()
    with pytest.raises(APIRejectedError):
        await caller.v2.alibaba.orders.payment_url(order.order_id)


async def test_what_is_refunded_before_its_shipment_is_not_shipped(caller: Caller) -> None:
    made = await refund(caller)
    case = caller.platform.world.refunds.refunds[made.refund_id]
    caller.platform.world.act()
    caller.platform.world.act()
    assert (case.status, case.order.parcel) == ("refundsuccess", None)
    assert case.order.refund_fen == case.order.goods_fen


async def test_no_more_is_paid_back_than_was_paid(caller: Caller) -> None:
    order = await caller.paid()
    await refund(caller, order_id=order.order_id, order_entry_ids=list(order.line_ids))
    caller.platform.world.act()
    with pytest.raises(APIRejectedError) as refused:
        await refund(caller, order_id=order.order_id, order_entry_ids=list(order.line_ids))
    assert refused.value.code == 5011


async def test_what_is_in_no_case_any_more_is_shipped(caller: Caller) -> None:
    made = await refund(caller)
    await caller.ka.alibaba.refunds.cancel(made.refund_id)
    caller.platform.world.act()
    assert caller.platform.world.refunds.refunds[made.refund_id].order.parcel is not None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/alibaba/product/keywords/query", {"keyword": "包"}),
        ("/v2/alibaba/product/keywords/query", {"keyword": "包", "beginPage": 0, "pageSize": 5}),
        ("/v2/taobao/product/item/search", {"pageNo": 1, "pageSize": 41}),
        ("/v2/alibaba/product/productRelatedRecommendQuery", {"offerId": "1", "pageSize": 11}),
        ("/v2/alibaba/order/cancel", {"webSite": "1688", "orderId": "2700000000000000017"}),
        ("/alibaba/order/cancel", {"webSite": "1688", "orderId": 2700000000000000017}),
        ("/v2/alibaba/order/create", {"flow": "general", "addressParam": {}}),
        ("/v2/alibaba/order/batch/submit/to/pay", {"orderIds": ["1"] * 101}),
        ("/v2/taobao/order/pay", {"purchaseOrderIdList": list(range(1, 12))}),
        ("/v2/taobao/order", {"purchaseAmount": "400"}),
        ("/v2/taobao/order", {"purchaseAmount": 400, "receiver": {"name": "x"}}),
        ("/v2/taobao/product/batch/check", {"params": "["}),
        ("/v2/open/address/addOrUpdate", {"name": 7}),
    ],
)
async def test_a_request_against_the_rules_of_its_page_is_refused(
    caller: Caller, path: str, body: dict[str, Any]
) -> None:
    async with httpx2.AsyncClient(
        trust_env=False, verify=False, base_url=caller.platform.api_url
    ) as http:
        headers = signed_as_the_account()
        answer = await http.post(path, json={"country": "en"} | body, headers=headers)
    assert answer.json()["code"] == 400


@pytest.mark.parametrize(
    ("path", "most"), [("/v2/taobao/product/item/search", 20), ("/v2/alibaba/order/page", 20)]
)
async def test_a_page_is_the_first_where_its_number_may_be_left_out(
    caller: Caller, path: str, most: int
) -> None:
    async with httpx2.AsyncClient(
        trust_env=False, verify=False, base_url=caller.platform.api_url
    ) as http:
        answer = await http.post(path, json={"pageNo": None}, headers=signed_as_the_account())
    data = answer.json()["data"]
    assert 0 < len(data.get("data") or data["result"]) <= most


async def test_a_warehouse_call_is_signed_in_its_query(caller: Caller) -> None:
    path = "/v2/open/pp/logistics/orderRenderFreight"
    headers = signed_as_the_account()
    async with httpx2.AsyncClient(
        trust_env=False, verify=False, base_url=caller.platform.api_url
    ) as http:
        by_headers = await http.post(path, json={}, headers=headers)
        query = {"timestamp": headers["timestamp"], "sign": headers["signature"]}
        nonce = {"nonce-str": headers["nonce-str"]}
        by_query = await http.post(path, json={}, headers=nonce, params=query)
    assert by_headers.json()["code"] == 401
    assert by_query.json()["code"] == 200


def signed_as_the_account() -> dict[str, str]:
    return signed(Account("key", "secret"))
