"""The life of an order: which callbacks follow which, and what changes between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from receiver.simulator import messages
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import Channel, Order, OrderBook, Step

Fate = Literal["completed", "cancelled", "refunded"]
FATES: Final[tuple[Fate, ...]] = ("completed", "completed", "completed", "cancelled", "refunded")
_WAY: Final = (
    ("CONSIGN", "包裹已发货"),
    ("ACCEPT", "快件已揽收"),
    ("TRANSPORT", "快件运输中"),
    ("DELIVERING", "快件派送中"),
    ("SIGN", "快件已签收"),
)


@dataclass(frozen=True, slots=True)
class Said:
    """One callback before it is put in an envelope; `ka` bodies travel as text."""

    message_type: str
    body: dict[str, Any]
    channel: Channel
    ka: bool


def live(book: OrderBook, channel: Channel, fate: Fate, names: TaobaoNames) -> Iterator[Said]:
    """One order's callbacks in the order of its life; each is made when it is asked for, so that
    the API and the pushes tell the same at any time."""
    order = book.place(channel)
    if channel == "1688":
        yield from _live_1688(book, order, fate)
    else:
        yield from _live_taobao(book, order, fate, names)


def _live_1688(book: OrderBook, order: Order, fate: Fate) -> Iterator[Said]:
    yield _ka("ORDER_CREATE", order)
    order.shipping_fen = max(0, order.shipping_fen - 100)
    if book.random.random() < 0.5:
        yield _ka("ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", order)
    else:
        detail = messages.order_detail(order, book)
        yield Said("1688_ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", detail, "1688", ka=False)
    if fate == "cancelled":
        order.status, order.close_reason = "CANCEL", "buyer_cancel"
        yield _ka("ORDER_CANCEL", order)
        return
    order.status, order.pay_status, order.paid_at = "WAITING_FOR_SENT", 2, book.now()
    yield _ka("ORDER_PAY_SUCCESS", order)
    book.ship(order)
    _travel(book, order, 0)
    if len(order.line_ids) > 1:
        yield _topic("PART_PART_SENDGOODS", order, book, "waitsellersend")
    order.status = "waitbuyerreceive"
    yield _topic("ANNOUNCE_SENDGOODS", order, book, "waitbuyerreceive")
    for number in range(1, len(_WAY)):
        _travel(book, order, number)
        yield Said("LOGISTICS_BUYER_VIEW_TRACE", messages.trace(order), "1688", ka=True)
    if fate == "refunded":
        order.refund_id = f"TQ{book.random.randrange(10**17, 10**18)}"
        yield Said("ORDER_BUYER_VIEW_ORDER_BUYER_REFUND", messages.refund(order), "1688", ka=True)
        return
    order.status = "confirm_goods"
    yield _topic("ORDER_COMFIRM_RECEIVEGOODS", order, book, "confirm_goods")
    order.status = "success"
    yield _topic("ORDER_SUCCESS", order, book, "success")


def _live_taobao(book: OrderBook, order: Order, fate: Fate, names: TaobaoNames) -> Iterator[Said]:
    order.shipping_fen = max(0, order.shipping_fen - 100)
    yield Said(names.price, messages.taobao_price(order), "taobao", ka=False)
    if fate == "cancelled":
        order.status = "TRADE_CLOSED"
        yield _status(order, names)
        return
    order.status, order.paid_at = "WAIT_SELLER_SEND_GOODS", book.now()
    yield _status(order, names)
    book.ship(order)
    for number in range(len(_WAY)):
        _travel(book, order, number)
    order.status = "WAIT_BUYER_CONFIRM_GOODS"
    yield _status(order, names)
    if fate == "refunded":
        order.refund_id = str(book.random.randrange(10**17, 10**18))
        yield Said(names.refund, messages.taobao_refund(order), "taobao", ka=False)


def _travel(book: OrderBook, order: Order, number: int) -> None:
    assert order.parcel is not None
    word, remark = _WAY[number]
    order.parcel.steps.append(Step(word, book.now(), remark))


def _ka(message_type: str, order: Order) -> Said:
    return Said(message_type, messages.ka_order(order), "1688", ka=True)


def _topic(name: str, order: Order, book: OrderBook, status: str) -> Said:
    body = messages.topic_order(order, book, status)
    return Said(f"ORDER_BUYER_VIEW_{name}", body, "1688", ka=True)


def _status(order: Order, names: TaobaoNames) -> Said:
    return Said(names.status, messages.taobao_status(order), "taobao", ka=False)
