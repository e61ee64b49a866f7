"""What became of a change whose outcome is unknown: which call shows it, and the verdict."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from receiver.client.calls.registry import CALLS
from receiver.client.platform import PlatformAPI
from receiver.client.settlement import Settled, settle
from receiver.errors import OutcomeUnknownError
from schemas.api.alibaba_orders import AddressParam, CargoParam
from schemas.api.taobao_orders import PurchaseLine, TaobaoAddress
from tests.client.conftest import Platform, settings_of

Change = Callable[[PlatformAPI], Awaitable[Any]]
MOBILE = "13900000000"
ADDRESS = AddressParam(full_name="A private person", mobile=MOBILE)
LINES = [
    CargoParam(offer_map_id="m1", spec_id="s1", quantity=2),
    CargoParam(offer_map_id="m2", spec_id="s2", quantity=1),
]


def timed(shown: Any) -> Any:
    """With each `@7` as the time seven seconds ago."""

    def written(found: re.Match[str]) -> str:
        made = datetime.now(UTC) - timedelta(seconds=int(found[1]))
        return made.strftime("%Y%m%d%H%M%S000+0000")

    return json.loads(re.sub(r"@(-?\d+)", written, json.dumps(shown)))


def order(status: str = "waitbuyerpay", **head: Any) -> dict[str, Any]:
    """A 1688 order."""
    return {"baseInfo": {"idOfStr": "27", "status": status, **head}}


def bought(*lines: tuple[str, int], seconds_ago: int = -1, order_id: str = "27") -> dict[str, Any]:
    """A 1688 order of these specifications."""
    items = [{"specId": spec, "quantity": quantity} for spec, quantity in lines]
    return {
        "baseInfo": {"idOfStr": order_id, "createTime": f"@{seconds_ago}"},
        "productItems": items,
    }


def of_line(status: str = "", refund: str | None = None, **more: Any) -> dict[str, Any]:
    """A 1688 order with one line."""
    line = {"subItemIDString": "5", "status": status, "refundStatus": refund, **more}
    return order("waitbuyerreceive") | {"productItems": [line]}


def page(*rows: Any) -> dict[str, Any]:
    """One page of a list."""
    return {"totalRecord": len(rows), "result": list(rows)}


def case(status: int, **more: Any) -> dict[str, Any]:
    """A Taobao case."""
    return {
        "refundOrderAggregate": {"refundOrder": {"refundId": "9", "refundStatus": status}}
    } | more


def cart(*items: dict[str, Any]) -> dict[str, Any]:
    """A cart of one seller."""
    return {"enableList": [{"sellerOpenId": "x", "cartItemInfos": list(items)}]}


def purchases(*orders: dict[str, Any]) -> dict[str, Any]:
    """A page of Taobao orders."""
    return {"results_total": len(orders), "purchase_orders": list(orders)}


MADE = [("s1", 2), ("s2", 1)]
HALF = [("s1", 2)]


async def create(api: PlatformAPI) -> Any:
    return await api.alibaba.orders.create(
        flow="general", address_param=ADDRESS, cargo_param_list=LINES
    )


async def create_batch(api: PlatformAPI) -> Any:
    return await api.alibaba.orders.create_batch(
        flow="general", address_param=ADDRESS, cargo_param_list=LINES
    )


async def refund(api: PlatformAPI) -> Any:
    return await api.alibaba.refunds.create(
        order_id="27",
        order_entry_ids=["5"],
        dispute_request="refund",
        apply_payment=100,
        apply_carriage=0,
        apply_reason_id="1",
        description="broken",
        goods_status="refundWaitSellerSend",
    )


async def purchase(api: PlatformAPI) -> Any:
    line = PurchaseLine(item_id="1", order_line_no="1", quantity=1, price=100, sku_id="2")
    return await api.taobao.orders.create(
        purchase_amount=100,
        receiver=TaobaoAddress(address="A private place", name="A private person"),
        order_line_list=[line],
        seller_order_number="N1",
    )


async def submit(api: PlatformAPI) -> Any:
    return await api.taobao.refunds.submit(
        sub_order_id="5", refund_type=1, goods_status=1, reason_id=1, refund_fee=100
    )


def returned(api: PlatformAPI) -> Awaitable[Any]:
    return api.alibaba.refunds.submit_return(
        refund_id="TQ1", logistics_company_no="SF", freight_bill="W1"
    )


def sent_back(api: PlatformAPI) -> Awaitable[Any]:
    return api.taobao.refunds.submit_return(
        refund_id="9", logistics_company_code="SF", logistics_no="W1"
    )


CHANGES: dict[str, Change] = {
    "create": create,
    "create_batch": create_batch,
    "cancel": lambda api: api.alibaba.orders.cancel("27"),
    "pay": lambda api: api.alibaba.orders.payment_url("27"),
    "pay_batch": lambda api: api.alibaba.orders.pay_batch(["27", "28"]),
    "receipt": lambda api: api.alibaba.orders.confirm_receipt("27", ["5"]),
    "refund": refund,
    "returned": returned,
    "purchase": purchase,
    "cancel purchase": lambda api: api.taobao.orders.cancel(purchase_id="7", cancel_reason="x"),
    "pay purchase": lambda api: api.taobao.orders.pay(["7"]),
    "withdraw": lambda api: api.taobao.refunds.cancel("9"),
    "submit": submit,
    "modify": lambda api: api.taobao.refunds.modify(refund_id="9", refund_fee=100),
    "say": lambda api: api.taobao.refunds.submit_message(refund_id="9", refund_message="hello"),
    "sent back": sent_back,
    "order the cart": lambda api: api.alibaba.cart.create_order(cart_ids=["3"]),
    "add": lambda api: api.alibaba.cart.add(spec_id="s1", quantity=1),
    "delete": lambda api: api.alibaba.cart.delete(["3", "4"]),
    "count": lambda api: api.taobao.cart.edit_quantity(quantity=2, id="3"),
    "save": lambda api: api.addresses.save(name="A", city="B"),
    "change": lambda api: api.addresses.save(id="3", city="B"),
}
SHOWN: list[tuple[str, Any, str]] = [
    ("create", page(bought(*MADE)), "done"),
    ("create", page(bought(*MADE), bought(*HALF, order_id="28")), "done"),
    ("create", page(), "not done"),
    ("create", page(bought(*HALF)), "not done"),
    ("create", page(order()), "unknown"),
    ("create", page(bought(*MADE, seconds_ago=40)), "unknown"),
    ("create", page(bought(*MADE), bought(*MADE, order_id="28")), "unknown"),
    ("create_batch", page(bought(*HALF), bought(("s2", 1), order_id="28")), "done"),
    ("create_batch", page(bought(("s9", 1))), "not done"),
    ("create_batch", page(bought(*HALF)), "unknown"),
    ("cancel", order("cancel"), "done"),
    ("cancel", order("waitbuyerpay"), "not done"),
    ("cancel", order("a new word"), "unknown"),
    ("pay", order("waitsellersend"), "done"),
    ("pay", order("waitbuyerpay"), "not done"),
    ("pay", order("cancel"), "unknown"),
    ("pay_batch", page(order("success"), order("success", idOfStr="28")), "done"),
    ("pay_batch", page(order(), order(idOfStr="28")), "not done"),
    ("pay_batch", page(order("success"), order(idOfStr="28")), "unknown"),
    ("pay_batch", page(order("success")), "unknown"),
    ("receipt", of_line("success"), "done"),
    ("receipt", of_line("waitbuyerreceive"), "not done"),
    ("receipt", order("success"), "done"),
    ("receipt", order("waitbuyerreceive"), "unknown"),
    ("refund", of_line(refund="WAIT_SELLER_AGREE", refundId="TQ1"), "done"),
    ("refund", of_line(), "not done"),
    ("refund", of_line(refund="refundclose", refundId="TQ0"), "unknown"),
    ("refund", order(), "unknown"),
    ("returned", {"refundId": "TQ1", "freightBill": "W1"}, "done"),
    ("returned", {"refundId": "TQ1"}, "not done"),
    ("returned", {"refundId": "TQ1", "freightBill": "W0"}, "unknown"),
    ("purchase", purchases({"purchase_id": 7, "seller_order_number": "N1"}), "done"),
    ("purchase", purchases({"purchase_id": 7, "seller_order_number": "N0"}), "not done"),
    ("purchase", purchases({"purchase_id": 7}), "unknown"),
    ("purchase", purchases(), "not done"),
    ("cancel purchase", {"purchase_id": 7, "status": "TRADE_CLOSED"}, "done"),
    ("cancel purchase", {"purchase_id": 7, "status": "WAIT_BUYER_PAY"}, "unknown"),
    ("pay purchase", purchases({"purchase_id": 7, "status": 10}), "done"),
    ("pay purchase", purchases({"purchase_id": 7, "status": 0}), "unknown"),
    ("withdraw", case(-20), "done"),
    ("withdraw", case(10), "not done"),
    ("withdraw", case(77), "unknown"),
    ("submit", page(case(10, purchaseOrderLine={"purchaseOrderLineId": "5"})), "done"),
    ("submit", page(case(-20, purchaseOrderLine={"purchaseOrderLineId": "5"})), "unknown"),
    ("submit", page(case(10, purchaseOrderLine={"purchaseOrderLineId": "6"})), "not done"),
    ("submit", page(case(10)), "unknown"),
    ("modify", {"refundOrder": {"refundId": "9", "refundFee": 100}}, "done"),
    ("modify", {"refundOrder": {"refundId": "9", "refundFee": 90}}, "not done"),
    ("modify", {"refundOrder": {"refundId": "9"}}, "unknown"),
    ("say", page({"content": "hello"}), "done"),
    ("say", page({"content": "bye"}), "unknown"),
    ("sent back", case(20, logistics={"logisticsNo": "W1"}), "done"),
    ("sent back", case(20), "not done"),
    ("order the cart", page(), "not done"),
    ("order the cart", page(bought(*MADE)), "unknown"),
    ("add", cart({"id": 3, "specId": "s1"}), "unknown"),
    ("add", cart({"id": 3, "specId": "s2"}), "not done"),
    ("delete", cart({"id": 5}), "done"),
    ("delete", cart({"id": 3}, {"id": 4}), "not done"),
    ("delete", cart({"id": 3}), "unknown"),
    ("count", cart({"id": 3, "quantity": 2}), "done"),
    ("count", cart({"id": 3, "quantity": 1}), "not done"),
    ("count", cart(), "unknown"),
    ("save", [{"id": 9, "name": "A", "city": "B"}], "done"),
    ("save", [{"id": 9, "name": "A", "city": "C"}], "not done"),
    ("change", [{"id": 3, "city": "B"}], "done"),
    ("change", [{"id": 3, "city": "C"}], "not done"),
    ("change", [], "unknown"),
]


@pytest.fixture
async def api(platform: Platform) -> AsyncIterator[PlatformAPI]:
    """A client that believes "not done" at once."""
    async with PlatformAPI.open(settings_of(platform.url, settle_s=0)) as opened:
        yield opened


async def unknown(platform: Platform, api: PlatformAPI, change: Change) -> OutcomeUnknownError:
    """The error of a change that the platform answers with 500."""
    platform.send("", 500)
    with pytest.raises(OutcomeUnknownError) as caught:
        await change(api)
    platform.asked.clear()
    return caught.value


@pytest.mark.parametrize(
    ("change", "shown", "verdict"),
    SHOWN,
    ids=[f"{change}-{number}-{verdict}" for number, (change, _, verdict) in enumerate(SHOWN)],
)
async def test_the_read_call_shows_what_became_of_it(
    platform: Platform, api: PlatformAPI, change: str, shown: Any, verdict: str
) -> None:
    error = await unknown(platform, api, CHANGES[change])
    platform.reply(timed(shown))

    settled = await api.alibaba.orders.settle(error)

    assert (settled.verdict, settled.error) == (verdict, None)
    assert (settled.is_done, settled.may_repeat) == (verdict == "done", verdict == "not done")
    assert settled.result is not None
    assert error.asking is not None
    assert not any("private" in part or MOBILE in part for part in (str(error), repr(error)))


def test_every_change_says_which_call_shows_it_or_is_known_to_have_none() -> None:
    asked = {name: call.settled_by.row for name, call in CALLS.items() if call.settled_by}
    changes = {name for name, call in CALLS.items() if call.endpoint.changes_state}

    assert changes - asked.keys() == {
        "alibaba_refunds_upload_voucher",
        "taobao_orders_upload_payment_voucher",
        "taobao_orders_update_warehouse",
        "warehouse_book_freight",
        "warehouse_update_logistics",
        "warehouse_report_inbound",
    }
    assert asked.keys() <= changes
    rows = {call.place: call for call in CALLS.values()}
    assert not any(rows[row.place].endpoint.changes_state for row in asked.values())


async def test_the_call_and_its_arguments_are_named(platform: Platform, api: PlatformAPI) -> None:
    error = await unknown(platform, api, CHANGES["pay_batch"])

    assert error.asking is not None
    assert error.asking.name == "alibaba.orders.list"
    assert error.asking.arguments == {"order_ids": ["27", "28"]}
    assert str(error).endswith(
        "it may have been carried out: alibaba.orders.list(order_ids=['27', '28']) shows it"
    )


async def test_a_create_is_looked_for_from_shortly_before_it(
    platform: Platform, api: PlatformAPI
) -> None:
    before = datetime.now(UTC)
    error = await unknown(platform, api, create)
    platform.reply(page())

    await api.alibaba.orders.settle(error)

    since = json.loads(platform.asked[0].body)["createStartTime"]
    asked_for = datetime.strptime(since[:14] + since[17:], "%Y%m%d%H%M%S%z")
    assert before - asked_for <= timedelta(seconds=61)
    assert asked_for <= datetime.now(UTC) - timedelta(seconds=60)


async def test_what_no_call_shows_stays_unknown(platform: Platform, api: PlatformAPI) -> None:
    error = await unknown(platform, api, lambda api: api.warehouse.book_freight({"orderId": "1"}))

    assert await api.warehouse.settle(error) == Settled("unknown")
    assert platform.asked == []
    assert error.asking is None
    assert str(error).endswith("see what was done before trying again")


async def test_a_read_call_that_fails_shows_nothing(platform: Platform, api: PlatformAPI) -> None:
    error = await unknown(platform, api, CHANGES["cancel"])

    settled = await api.alibaba.orders.settle(error)

    assert settled.verdict == "unknown"
    assert settled.error is not None


async def test_not_done_is_believed_only_after_a_while(platform: Platform) -> None:
    answers = [order("waitbuyerpay"), order("waitbuyerpay"), order("cancel")]

    async def later(_: Request) -> Response:
        return JSONResponse({"code": 200, "data": answers.pop(0)})

    async with PlatformAPI.open(settings_of(platform.url, settle_s=600)) as api:
        error = await unknown(platform, api, CHANGES["cancel"])
        platform.answering = later
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        settled = await settle(error, api._sender, sleep=sleep)

    assert settled.verdict == "done"
    assert slept == [1.0, 2.0]
    assert len(platform.asked) == 3
