"""The life of an order: which callbacks follow which, and what changes between them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from receiver.simulator import messages
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import Channel, Order, OrderBook, Step

Fate = Literal["completed", "cancelled", "refunded"]
FATES: Final[tuple[Fate, ...]] = ("completed", "completed", "completed", "cancelled", "refunded")
CHANNELS: Final[tuple[Channel, ...]] = ("1688", "taobao")
_WAY: Final = (
    ("CONSIGN", "包裹已发货"),
    ("ACCEPT", "快件已揽收"),
    ("TRANSPORT", "快件运输中"),
    ("DELIVERING", "快件派送中"),
    ("SIGN", "快件已签收"),
)


@dataclass(frozen=True, slots=True)
class Said:
    """One callback before it is put in an envelope; `ka` bodies travel as text, as a rule."""

    message_type: str
    body: dict[str, Any]
    channel: Channel
    ka: bool


@dataclass(frozen=True, slots=True)
class Course:
    """What decides about one order's life."""

    channel: Channel
    fate: Fate

    @classmethod
    def numbered(cls, number: int) -> Course:
        """The channels take turns, and so do the fates: ten orders show each of them on each."""
        fate = FATES[(number // len(CHANNELS)) % len(FATES)]
        return cls(CHANNELS[number % len(CHANNELS)], fate)


def live(
    book: OrderBook, course: Course, names: TaobaoNames, chance: random.Random
) -> Iterator[Said]:
    """One order's callbacks in the order of its life; each is made when it is asked for, so that
    the API never knows less than the pushes told."""
    order = book.place(course.channel, chance)
    if course.channel == "1688":
        yield from _live_1688(book, order, course.fate, chance)
    else:
        yield from _live_taobao(book, order, course.fate, names, chance)


def _live_1688(book: OrderBook, order: Order, fate: Fate, chance: random.Random) -> Iterator[Said]:
    yield _ka("ORDER_CREATE", order)
    order.shipping_fen = max(0, order.shipping_fen - 100)
    if chance.random() < 0.5:
        yield _ka("ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", order)
    else:
        detail = messages.order_detail(order, book.now())
        yield Said("1688_ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", detail, "1688", ka=False)
    if fate == "cancelled":
        order.status, order.close_reason = "CANCEL", "buyer_cancel"
        yield _ka("ORDER_CANCEL", order)
        return
    order.status, order.pay_status, order.paid_at = "WAITING_FOR_SENT", 2, book.now()
    yield _ka("ORDER_PAY_SUCCESS", order)
    yield from _way_1688(book, order, chance)
    if fate == "refunded":
        order.refund_id = f"TQ{chance.randrange(10**17, 10**18)}"
        order.refund_status = "waitselleragree"
        yield Said("ORDER_BUYER_VIEW_ORDER_BUYER_REFUND", messages.refund(order), "1688", ka=True)
        return
    order.status = "confirm_goods"
    yield _topic("ORDER_COMFIRM_RECEIVEGOODS", order, book, chance)
    order.status = "success"
    yield _topic("ORDER_SUCCESS", order, book, chance)


def _way_1688(book: OrderBook, order: Order, chance: random.Random) -> Iterator[Said]:
    """From the seller to the buyer: shipped, perhaps partly at first, and every step after that."""
    book.ship(order, chance)
    _travel(book, order, 0)
    order.status = "waitsellersend"
    if len(order.line_ids) > 1:
        yield _topic("PART_PART_SENDGOODS", order, book, chance)
    order.status = "waitbuyerreceive"
    yield _topic("ANNOUNCE_SENDGOODS", order, book, chance)
    for number in range(1, len(_WAY)):
        _travel(book, order, number)
        yield Said("LOGISTICS_BUYER_VIEW_TRACE", messages.trace(order), "1688", ka=True)


def _live_taobao(
    book: OrderBook, order: Order, fate: Fate, names: TaobaoNames, chance: random.Random
) -> Iterator[Said]:
    order.shipping_fen = max(0, order.shipping_fen - 100)
    yield Said(names.price, messages.taobao_price(order, chance), "taobao", ka=False)
    if fate == "cancelled":
        order.status = "TRADE_CLOSED"
        yield _status(order, names, chance)
        return
    order.status, order.paid_at = "WAIT_SELLER_SEND_GOODS", book.now()
    yield _status(order, names, chance)
    book.ship(order, chance)
    _travel(book, order, 0)
    order.status = "WAIT_BUYER_CONFIRM_GOODS"
    yield _status(order, names, chance)
    for number in range(1, len(_WAY)):
        _travel(book, order, number)  # no Taobao callback tells of it: the API alone does
    if fate == "refunded":
        order.refund_id, order.refund_status = str(chance.randrange(10**17, 10**18)), "10"
        yield Said(names.refund, messages.taobao_refund(order, chance), "taobao", ka=False)


def _travel(book: OrderBook, order: Order, number: int) -> None:
    assert order.parcel is not None
    word, remark = _WAY[number]
    order.parcel.steps.append(Step(word, book.now(), remark))


def _ka(message_type: str, order: Order) -> Said:
    return Said(message_type, messages.ka_order(order), "1688", ka=True)


def _topic(name: str, order: Order, book: OrderBook, chance: random.Random) -> Said:
    body = messages.topic_order(order, book.now(), chance)
    return Said(f"ORDER_BUYER_VIEW_{name}", body, "1688", ka=True)


def _status(order: Order, names: TaobaoNames, chance: random.Random) -> Said:
    return Said(names.status, messages.taobao_status(order, chance), "taobao", ka=False)
