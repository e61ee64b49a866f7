"""Orders of Taobao (docs/platform/calls-orders.md#taobao-orders-by-edition).

Where the platform's spelling of a reply is not known, it is the upstream's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from receiver.simulator.asked import Asked, NotFoundError, RefusedError
from receiver.simulator.calls.answer import Answer
from receiver.simulator.catalogue import find_sku
from receiver.simulator.orders import Order, Wanted
from receiver.simulator.replies import taobao_order, taobao_trace
from receiver.simulator.world import SHIPPING_FEN, World

ORDER_NAMES: Final = ("orderId", "purchaseOrderId", "salesOrderId", "purchaseId")
"""How a call names the order is not documented: any of these will do."""
_MAX_PAID_TOGETHER: Final = 10
_NOT_THERE: Final = "NOT_FOUND"
_STATE: Final = "ORDER_STATUS_ERROR"
_STOCK: Final = "OUT_OF_STOCK"
"""No page lists the upstream's codes: these three are made up."""


def taobao_refused(code: str, text: str) -> RefusedError:
    """A refusal with the upstream's names."""
    return RefusedError({"success": False, "error_code": code, "error_msg": text})


def check_stock(world: World, lines: Sequence[Wanted]) -> None:
    """Raise `RefusedError` for more than is there."""
    for line in lines:
        wanted = sum(other.quantity for other in lines if other.sku is line.sku)
        if wanted > world.stock[line.sku.sku_id]:
            raise taobao_refused(_STOCK, "not enough in stock")


def created(order: Order) -> dict[str, Any]:
    """The reply of a create that made an order."""
    return {
        "payment_url": None,
        "outer_purchase_id": order.buyers_id,
        "success": True,
        "error_code": None,
        "error_message": None,
        "order_list": [_purchase(order)],
    }


def _purchase(order: Order) -> dict[str, Any]:
    nick = order.wanted[0].product.shop.nick
    return {
        "purchase_id": int(order.order_id),
        "supplier_nick": nick,
        "estimate_amount": order.goods_fen,
        "estimate_currency": "CNY",
        "source_market": "TAOBAO",
        "order_line_list": [
            {
                "item_id": wanted.product.mp_id,
                "order_line_no": wanted.number,
                "quantity": wanted.quantity,
                "estimate_amount": wanted.fen,
                "estimate_currency": "CNY",
                "sub_purchase_order_id": int(line),
                "sku_id": int(wanted.sku.mp_sku_id),
                "supplier_nick": nick,
            }
            for line, wanted in order.lines
        ],
    }


def rendered(lines: Sequence[Wanted], missing: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """What lines would cost, an order a shop; `missing` cannot be ordered."""
    shops = dict.fromkeys(line.product.shop for line in lines)
    orders = [
        {
            "seller_id": shop.shop_id,
            "nick": shop.nick,
            "item_price_infos": [],
            "mainland_shipping_fee": _amount(SHIPPING_FEN),
            "order_fee": _amount(sum(line.fen for line in lines if line.product.shop is shop)),
        }
        for shop in shops
    ]
    total = sum(line.fen for line in lines) + SHIPPING_FEN * len(shops)
    return {
        "render_item_list": orders,
        "unavailable_sku_list": list(missing),
        "total_real_pay_price": _amount(total),
    }


def _amount(fen: int) -> dict[str, Any]:
    return {"amount": fen, "currency": "CNY"}


def _line(world: World, part: Asked) -> Wanted | dict[str, Any]:
    """A line that can be ordered, else why it cannot; all values come as text in a create."""
    item, sku_name = part.named("itemId"), part.named("skuId")
    quantity = Asked(part.edition, part.parameters, in_query=True).integer("quantity", lowest=1)
    product = world.catalogue.find("taobao", item)
    sku = find_sku(product, sku_name) if product else None
    if product is None or sku is None:
        return _unavailable(item, sku_name, _NOT_THERE, "no such item or SKU")
    if quantity > world.stock[sku.sku_id]:
        return _unavailable(item, sku_name, _STOCK, "not enough in stock")
    return Wanted(product, sku, quantity, str(part.given("orderLineNo") or ""))


def _unavailable(item: str, sku: str, code: str, text: str) -> dict[str, Any]:
    return {"item_id": item, "sku_id": sku, "reason": text, "error_code": code, "error_msg": text}


def _lines(world: World, asked: Asked, name: str) -> tuple[list[Wanted], list[dict[str, Any]]]:
    parts = [_line(world, part) for part in asked.from_json(name).parts(name)]
    wanted = [part for part in parts if isinstance(part, Wanted)]
    return wanted, [part for part in parts if isinstance(part, dict)]


def _create(world: World, asked: Asked) -> dict[str, Any]:
    asked.integer("purchaseAmount")
    receiver = asked.from_json("receiver").part("receiver")
    lines, missing = _lines(world, asked, "orderLineList")
    if missing:
        raise taobao_refused(missing[0]["error_code"], missing[0]["reason"])
    check_stock(world, lines)
    order = world.buy("taobao", lines, receiver)
    order.buyers_id = asked.maybe_text("sellerOrderNumber")
    return created(order)


def _render(world: World, asked: Asked) -> dict[str, Any]:
    asked.from_json("receiverAddress").part("receiverAddress")
    lines, missing = _lines(world, asked, "renderItemList")
    return rendered(lines, missing)


def _order(world: World, asked: Asked) -> Order:
    order = world.book.find("taobao", asked.named(*ORDER_NAMES))
    if order is None:
        raise NotFoundError("no such order")
    return order


def _detail(world: World, asked: Asked) -> dict[str, Any]:
    return taobao_order(_order(world, asked))


def _list(world: World, asked: Asked) -> dict[str, Any]:
    """The newest first; of the filters those of status, ids and the buyer's number."""
    page = asked.page("pageNo", required=False)
    status, outer = asked.maybe_text("status"), asked.maybe_text("outerPurchaseId")
    ids = asked.given("purchaseIds")
    if isinstance(ids, str):
        ids = ids.split(",")
    elif ids is not None:
        ids = asked.integers("purchaseIds")
    found = [
        order
        for order in reversed(list(world.book.orders.values()))
        if order.channel == "taobao"
        and status in {None, order.status}
        and outer in {None, order.buyers_id}
        and (ids is None or order.order_id in ids)
    ]
    return {
        "results_total": len(found),
        "page_no": page.number,
        "page_size": page.size,
        "purchase_orders": [taobao_order(order) for order in found[page.part]],
    }


def _cancel(world: World, asked: Asked) -> dict[str, Any]:
    """The whole order: what is left of one whose lines are cancelled in part is not known."""
    asked.text("cancelReason")
    order = world.book.find("taobao", asked.named(*ORDER_NAMES))
    if order is None:
        raise taobao_refused(_NOT_THERE, "no such order")
    if not world.is_unpaid(order):
        raise taobao_refused(_STATE, "the order's status does not allow it")
    world.cancel(order)
    return {"success": True, "error_code": None, "error_msg": None}


def _pay(world: World, asked: Asked) -> dict[str, Any]:
    ids = dict.fromkeys(asked.integers("purchaseOrderIdList", highest=_MAX_PAID_TOGETHER))
    orders = [order for name in ids if (order := world.book.find("taobao", name))]
    payable = [order for order in orders if world.is_unpaid(order)]
    paid = [order.order_id for order in payable]
    failed = [name for name in ids if name not in paid]
    reply = {
        "pay_failure_purchase_order_ids": failed,
        "will_pay_purchase_order_ids": paid,
        "pay_failed_results": [
            {"gspOrderId": int(name), "errorCode": _STATE, "errorMessage": "cannot be paid"}
            for name in failed
        ],
    }
    if not payable:
        raise RefusedError(reply)
    world.pay(payable)
    return reply


def _upload_payment_voucher(_world: World, _asked: Asked) -> bool:
    """Neither the request nor the reply is known."""
    return True


def _update_warehouse(world: World, asked: Asked) -> dict[str, Any]:
    """The reply is an object, whose fields are not known."""
    _order(world, asked)
    asked.text("warehouseName")
    asked.text("warehouseAddress")
    return {}


def _im_link(_world: World, asked: Asked) -> str:
    """The page contradicts itself about the request: any of it will do."""
    named = asked.given("bizId", "pageName", "loginName")
    return f"https://im.example.com/?id={named or ''}"


def _logistics(world: World, asked: Asked) -> dict[str, Any]:
    order = world.book.find_by_line("taobao", asked.text("subPurchaseOrderId"))
    if order is None:
        raise NotFoundError("no such order")
    return taobao_trace(order)


ROWS: Final[Mapping[str, Answer]] = {
    "taobao_orders_create": _create,
    "taobao_orders_list": _list,
    "taobao_orders_list_purchases": _list,
    "taobao_orders_upload_payment_voucher": _upload_payment_voucher,
    "taobao_orders_cancel": _cancel,
    "taobao_orders_pay": _pay,
    "taobao_orders_update_warehouse": _update_warehouse,
    "taobao_orders_im_link": _im_link,
    "taobao_orders_detail": _detail,
    "taobao_orders_logistics": _logistics,
    "taobao_orders_render": _render,
}
