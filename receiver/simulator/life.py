"""The life of an order that nobody asked for: which acts follow which."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from receiver.simulator.catalogue import Channel
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import Order, OrderBook
from receiver.simulator.refunds import RefundBook
from receiver.simulator.trade import WAY, Said, Trade

Fate = Literal["completed", "cancelled", "refunded"]
FATES: Final[tuple[Fate, ...]] = ("completed", "completed", "completed", "cancelled", "refunded")
CHANNELS: Final[tuple[Channel, ...]] = ("1688", "taobao")


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
    book: OrderBook,
    course: Course,
    names: TaobaoNames,
    chance: random.Random,
    refunds: RefundBook | None = None,
) -> Iterator[Said]:
    """One order's callbacks in the order of its life; each is made when it is asked for, so that
    the API never knows less than the pushes told. Its refund is opened in `refunds`."""
    order = book.place(course.channel, chance)
    trade = Trade(book, names, chance)
    yield from trade.created(order)
    yield from trade.price_changed(order)
    if course.fate == "cancelled":
        yield from trade.cancelled(order)
        return
    yield from trade.paid(order)
    yield from trade.shipped(order)
    for _ in WAY[1:]:
        yield from trade.moved_on(order)
    if course.fate == "refunded":
        yield from _refunded(trade, order, RefundBook() if refunds is None else refunds)
    elif course.channel == "1688":
        yield from trade.received(order)


def _refunded(trade: Trade, order: Order, refunds: RefundBook) -> list[Said]:
    refund = refunds.open(
        order,
        order.line_ids,
        payment_fen=order.total_fen,
        now=trade.book.now(),
        asked={},
        chance=trade.chance,
    )
    return trade.refund_changed(refund, refund.status)
