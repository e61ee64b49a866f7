"""The life of an invented order: which acts follow which."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from receiver.simulator.catalogue import Channel
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import Order, OrderBook
from receiver.simulator.refunds import RefundBook
from receiver.simulator.signing import DialectName
from receiver.simulator.topics import live_in_topics
from receiver.simulator.trade import WAY, Fate, Notice, Trade

FATES: Final[tuple[Fate, ...]] = ("completed", "completed", "completed", "cancelled", "refunded")
CHANNELS: Final[Mapping[DialectName, tuple[Channel, ...]]] = {
    "xport": ("1688", "taobao"),
    "aop": ("1688",),
    "global": ("taobao",),
}
"""The channels whose orders each dialect reports."""


@dataclass(frozen=True, slots=True)
class Course:
    """What decides about one order's life."""

    channel: Channel
    fate: Fate
    dialect: DialectName = "xport"

    @classmethod
    def numbered(cls, number: int, dialect: DialectName = "xport") -> Course:
        """The channels take turns, and so do the fates: ten orders show each of them on each."""
        channels = CHANNELS[dialect]
        fate = FATES[(number // len(channels)) % len(FATES)]
        return cls(channels[number % len(channels)], fate, dialect)


def live(
    book: OrderBook,
    course: Course,
    names: TaobaoNames,
    chance: random.Random,
    refunds: RefundBook | None = None,
) -> Iterator[Notice]:
    """One order's callbacks in the order of its life; each is made when it is asked for, so that
    the API never knows less than what was pushed. Its refund is opened in `refunds`. A call that
    does something to the order ends this life."""
    order = book.place(course.channel, chance)
    trade = Trade(book, names, chance, course.dialect)
    cases = RefundBook() if refunds is None else refunds
    for notice in life_of(order, trade, course.fate, cases):
        yield notice
        if order.by_calls:
            return


def life_of(order: Order, trade: Trade, fate: Fate, refunds: RefundBook) -> Iterator[Notice]:
    """The same of an order that is there already, whatever calls do to it."""
    lived = live_in_topics if trade.dialect == "aop" else _live
    return lived(trade, order, fate, refunds)


def _live(trade: Trade, order: Order, fate: Fate, refunds: RefundBook) -> Iterator[Notice]:
    """The usual life, in the messages of the trade's dialect."""
    yield from trade.created(order)
    yield from trade.price_changed(order)
    if fate == "cancelled":
        yield from trade.cancelled(order)
        return
    yield from trade.paid(order)
    yield from trade.shipped(order)
    for _ in WAY[1:]:
        yield from trade.moved_on(order)
    if fate == "refunded":
        yield from _refunded(trade, order, refunds)
    elif order.channel == "1688":
        yield from trade.received(order)


def _refunded(trade: Trade, order: Order, refunds: RefundBook) -> list[Notice]:
    refund = refunds.open(
        order,
        order.line_ids,
        payment_fen=order.total_fen,
        now=trade.book.now(),
        asked={},
        chance=trade.chance,
    )
    return trade.refund_changed(refund, refund.status)
