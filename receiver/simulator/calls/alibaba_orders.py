"""Orders of 1688 (docs/platform/calls-orders.md#1688-orders-by-edition)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from receiver.simulator.asked import (
    Asked,
    NotFoundError,
    RefusedError,
    UnreadableError,
    refusal,
)
from receiver.simulator.calls import alibaba_creation as creation
from receiver.simulator.calls.answer import Answer
from receiver.simulator.catalogue import SHOPS
from receiver.simulator.messages import detail_status, read_compact
from receiver.simulator.orders import Order
from receiver.simulator.replies import alibaba_order, alibaba_traces
from receiver.simulator.world import World

_MAX_PAID_TOGETHER: Final = 100
_CHAT: Final = "https://amos.alicdn.com/getcid.aw?uid="
_CASHIER: Final = "https://trade.1688.com/order/cashier.htm?orderId="


def _site(asked: Asked) -> None:
    if asked.given("webSite") != "1688":
        raise UnreadableError("webSite must be 1688")


def _order(world: World, order_id: str) -> Order:
    order = world.book.find("1688", order_id)
    if order is None:
        raise NotFoundError("no such order")
    return order


def _preview(world: World, asked: Asked) -> Any:
    asked.part("addressParam")
    try:
        lines = creation.lines_of(world, asked)
        creation.one_seller(lines)
    except creation.OrderRefusedError as error:
        raise creation.preview_refused(error) from error
    return creation.preview(world, asked, lines)


def _preview_batch(world: World, asked: Asked) -> Any:
    asked.part("addressParam")
    try:
        lines = creation.lines_of(world, asked, highest=None)
    except creation.OrderRefusedError as error:
        raise creation.preview_refused(error) from error
    return creation.preview(world, asked, lines)


def _create(world: World, asked: Asked) -> dict[str, Any]:
    asked.text("flow")
    address = asked.part("addressParam")
    try:
        lines = creation.lines_of(world, asked)
        creation.one_seller(lines)
    except creation.OrderRefusedError as error:
        raise creation.not_created(error) from error
    return creation.created(world.buy("1688", lines, address))


def _create_batch(world: World, asked: Asked) -> dict[str, Any]:
    asked.text("flow")
    address = asked.part("addressParam")
    try:
        lines = creation.lines_of(world, asked, highest=None)
    except creation.OrderRefusedError as error:
        raise creation.not_created(error) from error
    orders = [world.buy("1688", part, address) for part in creation.by_seller(lines)]
    return creation.created_several(orders)


def _detail(world: World, asked: Asked) -> dict[str, Any]:
    _site(asked)
    return alibaba_order(_order(world, asked.text("orderId")), world.book.now())


def _list(world: World, asked: Asked) -> dict[str, Any]:
    """The newest first; of the filters those of status, ids and time of creation."""
    page = asked.page("page", required=False)
    ids = None if asked.given("orderIds") is None else asked.integers("orderIds")
    first, last = (_moment(asked, name) for name in ("createStartTime", "createEndTime"))
    status = asked.maybe_text("orderStatus")
    found = [
        order
        for order in reversed(list(world.book.orders.values()))
        if order.channel == "1688"
        and (ids is None or order.order_id in ids)
        and (status is None or detail_status(order) == status)
        and (first is None or order.created_at >= first)
        and (last is None or order.created_at <= last)
    ]
    details = (alibaba_order(order, world.book.now()) for order in found[page.part])
    return {
        "result": [detail | {"nativeLogistics": None} for detail in details],
        "totalRecord": len(found),
        "errorCode": None,
        "errorMessage": None,
    }


def _moment(asked: Asked, name: str) -> datetime | None:
    text = asked.maybe_text(name)
    try:
        return None if text is None else read_compact(text)
    except ValueError as error:
        raise UnreadableError(f"{name} must be as 20180802211113000+0800") from error


def _cancel(world: World, asked: Asked) -> bool:
    _site(asked)
    order_id = str(asked.integer("orderId"))
    if asked.edition == "v1":
        asked.text("cancelReason")
    order = world.book.find("1688", order_id)
    if order is None:
        raise refusal("ORDER_NOT_EXIST", "no such order")
    if not world.is_unpaid(order):
        raise refusal("ORDER_STATUS_ERROR", "the order's status does not allow it")
    if world.is_new(order):
        raise refusal("CLOSE_ORDER_TOO_FAST", "the order is too young")
    world.cancel(order)
    return True


def _payment_url(world: World, asked: Asked) -> dict[str, Any]:
    """The account pays by agreement: what can be paid is paid at once."""
    order = _order(world, asked.text("orderId"))
    reply: dict[str, Any] = {"orderId": order.order_id}
    if not world.is_unpaid(order):
        cannot = {"payUrl": None, "cantPayOrderList": [int(order.order_id)]}
        raise RefusedError(reply | {"protocolPaySuccess": False} | cannot)
    world.pay([order])
    paid = {"payUrl": f"{_CASHIER}{order.order_id}", "cantPayOrderList": []}
    return reply | {"protocolPaySuccess": True} | paid


def _pay_batch(world: World, asked: Asked) -> dict[str, Any]:
    """The reply is not known: it is the upstream's of such calls."""
    ids = dict.fromkeys(asked.texts("orderIds", highest=_MAX_PAID_TOGETHER))
    orders = [order for name in ids if (order := world.book.find("1688", name))]
    payable = [order for order in orders if world.is_unpaid(order)]
    paid = [order.order_id for order in payable]
    failed = {"payFailureOrderList": [name for name in ids if name not in paid]}
    if not paid:
        refused = refusal("ORDER_STATUS_ERROR", "no order can be paid", text_name="erroMsg")
        raise RefusedError({"payUrl": None} | refused.data | failed)
    world.pay(payable, together=True)
    url = f"{_CASHIER}{','.join(paid)}"
    return {"payUrl": url, "success": True, "errorCode": None, "erroMsg": None} | failed


def _confirm_receipt(world: World, asked: Asked) -> dict[str, Any]:
    """All lines together: what a part of them makes of an order is not known."""
    order = world.book.find("1688", str(asked.integer("orderId")))
    lines = asked.integers("orderEntryIds")
    if order is None or not set(lines) <= set(order.line_ids):
        raise refusal("4003", "订单信息不存在,请核对后重试", text_name="errorInfo")
    if order.status != "waitbuyerreceive":
        raise refusal("ORDER_STATUS_ERROR", "not shipped yet", text_name="errorInfo")
    world.receive(order)
    return {"success": True, "errorInfo": None, "errorCode": None}


def _logistics(world: World, asked: Asked) -> list[dict[str, Any]]:
    order = _order(world, asked.named("orderId"))
    return alibaba_traces(order, asked.maybe_text("logisticsId"))


def _decrypt_open_uid(world: World, asked: Asked) -> str:
    """A nickname in the menu of v2, a URL in that of v1."""
    open_uid = asked.text("openUid")
    shop = next((shop for shop in SHOPS if shop.open_id == open_uid), None)
    if shop is None:
        raise NotFoundError("no such openUid")
    return f"{_CHAT}{shop.nick}" if asked.edition == "v1" else shop.nick


ROWS: Final[Mapping[str, Answer]] = {
    "alibaba_orders_preview": _preview,
    "alibaba_orders_preview_batch": _preview_batch,
    "alibaba_orders_create": _create,
    "alibaba_orders_create_batch": _create_batch,
    "alibaba_orders_detail": _detail,
    "alibaba_orders_list": _list,
    "alibaba_orders_cancel": _cancel,
    "alibaba_orders_payment_url": _payment_url,
    "alibaba_orders_pay_batch": _pay_batch,
    "alibaba_orders_confirm_receipt": _confirm_receipt,
    "alibaba_orders_logistics": _logistics,
    "alibaba_orders_decrypt_open_uid": _decrypt_open_uid,
}
