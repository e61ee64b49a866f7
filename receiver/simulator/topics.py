"""The life of a 1688 order in topics, as an account of the 1688 open platform gets them.

docs/platform/messages.md#1688-topics
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from receiver.simulator.messages import batch_payment, clock_text
from receiver.simulator.orders import Order
from receiver.simulator.refunds import RefundBook
from receiver.simulator.trade import WAY, Fate, Notice, Trade

_OTHERS: Final = ("SELLER", "BOPS")
"""Who closes an order that the buyer does not."""


def live_in_topics(trade: Trade, order: Order, fate: Fate, refunds: RefundBook) -> Iterator[Notice]:
    """Each topic of the page comes in some order's life."""
    yield from trade.created(order)
    for notice in trade.price_changed(order):
        yield notice
        yield replace(notice, message_type="ORDER_ORDER_PRICE_MODIFY")
    if fate == "cancelled":
        yield from _closed(trade, order)
        return
    yield from _paid(trade, order)
    yield from trade.shipped(order)
    yield _waybill_changed(trade, order)
    yield _package_changed(trade, order)
    for _ in WAY[1:]:
        yield from trade.moved_on(order)
    if fate == "refunded":
        yield from _refunded(trade, order, refunds)
    yield from trade.received(order)
    if fate == "refunded":
        yield from _refunded(trade, order, refunds)


def _closed(trade: Trade, order: Order) -> Iterator[Notice]:
    """By the buyer every other time."""
    by_the_buyer = trade.cancelled(order)
    if trade.chance.random() < 0.5:
        yield from by_the_buyer
    else:
        yield trade.topic(f"ORDER_{trade.chance.choice(_OTHERS)}_CLOSE", order)


def _paid(trade: Trade, order: Order) -> Iterator[Notice]:
    """Every other time in stages, and in a batch."""
    whole = trade.paid(order)
    if trade.chance.random() < 0.5:
        stage = trade.topic("ORDER_STEP_PAY", order)
        stage.body.pop("sellerMemberId")
        yield stage
        yield _topic("ORDER_BATCH_PAY", batch_payment([order]))
    yield from whole


def _refunded(trade: Trade, order: Order, refunds: RefundBook) -> Iterator[Notice]:
    """Half of the goods' price: applied for, and paid back."""
    refund = refunds.open(
        order,
        order.line_ids,
        payment_fen=order.goods_fen // 2,
        now=trade.book.now(),
        asked={},
        chance=trade.chance,
    )
    yield from trade.refund_changed(refund, refund.status)
    yield from trade.refund_changed(refund, "refundsuccess")


def _waybill_changed(trade: Trade, order: Order) -> Notice:
    """docs/platform/logistics.md#waybill-change-message."""
    parcel = order.parcel
    assert parcel is not None
    old = parcel.waybill_no
    parcel.waybill_no = f"{parcel.carrier_code}{trade.chance.randrange(10**11, 10**12)}"
    body = {
        "logisticsId": parcel.logistics_id,
        "oldCpCode": parcel.carrier_code,
        "newCpCode": parcel.carrier_code,
        "oldMailNo": old,
        "newMailNo": parcel.waybill_no,
        "eventTime": clock_text(trade.book.now()),
        "orderLogsItems": [
            {"orderId": int(order.order_id), "orderEntryId": int(line)} for line in order.line_ids
        ],
    }
    return _topic("LOGISTICS_MAIL_NO_CHANGE", body)


def _package_changed(trade: Trade, order: Order) -> Notice:
    """The words of its states are not known: they are absent.

    docs/platform/logistics.md#package-change-message
    """
    assert order.parcel is not None
    body = {
        "packageId": f"P{order.order_id}",
        "mailNo": order.parcel.waybill_no,
        "carrierPartnerCode": order.parcel.carrier_code,
        "actionTime": int(trade.book.now().timestamp() * 1000),
        "tradeOrderIds": [int(order.order_id)],
    }
    return _topic("LOGISTICS_GLOBAL_1688_PACKAGE_CHANGE", body)


def _topic(name: str, body: dict[str, Any]) -> Notice:
    return Notice(name, body, "1688", ka=True)
