"""What happens to an order, and the callbacks that report it. Performs no I/O.

Each method changes the order and gives what the platform says then
(docs/platform/messages.md#messages).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from receiver.simulator import gateway, messages
from receiver.simulator.catalogue import Channel
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import Order, OrderBook, Step
from receiver.simulator.refunds import DONE, FIRST, Refund
from receiver.simulator.signing import DialectName

Fate = Literal["completed", "cancelled", "refunded"]
"""How an order's life ends."""
WAY: Final = (
    ("CONSIGN", "包裹已发货"),
    ("ACCEPT", "快件已揽收"),
    ("TRANSPORT", "快件运输中"),
    ("DELIVERING", "快件派送中"),
    ("SIGN", "快件已签收"),
)
"""The steps of a parcel (docs/platform/statuses.md#waybill-words)."""
_REFUND_ACTIONS: Final = {
    "waitbuyersend": ("SELLER_AGREE_REFUND", "seller"),
    "refundsuccess": ("SYSTEM_AGREE_REFUND", "system"),
}
"""What the topic says did it (docs/platform/messages.md#refund-part-of-a-topic)."""
_TOPICS: Final = {
    "ORDER_CREATE": "BUYER_MAKE",
    "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY": "ORDER_PRICE_MODIFY",
    "ORDER_PAY_SUCCESS": "ORDER_PAY",
    "ORDER_CANCEL": "ORDER_BUYER_CLOSE",
}
"""The message of a KA account to the topic that says the same."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One callback before it is put in an envelope; `ka` bodies travel as text, as a rule."""

    message_type: str
    body: dict[str, Any]
    channel: Channel
    ka: bool


@dataclass(frozen=True, slots=True)
class Trade:
    """What buyers, sellers and carriers do; what is free in a message is drawn from `chance`.

    `dialect` is whose messages report it: the purchasing platform's by KA messages of 1688 and by
    its three of Taobao, the 1688 open platform by topics, Taobao Global by its own.
    """

    book: OrderBook
    names: TaobaoNames
    chance: random.Random
    dialect: DialectName = "xport"

    def created(self, order: Order) -> list[Notice]:
        """The buyer ordered; no callback of Taobao is known that says so."""
        return [self._ka("ORDER_CREATE", order)] if order.channel == "1688" else []

    def price_changed(self, order: Order) -> list[Notice]:
        """The seller lowers the carriage, if there is any."""
        order.shipping_fen = max(0, order.shipping_fen - 100)
        if order.channel == "taobao":
            if self.dialect == "global":
                return [_taobao(gateway.PRICE, gateway.price(order))]
            return [_taobao(self.names.price, messages.taobao_price(order, self.chance))]
        if self.dialect == "aop" or self.chance.random() < 0.5:
            return [self._ka("ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", order)]
        detail = messages.order_detail(order, self.book.now())
        return [Notice("1688_ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", detail, "1688", ka=False)]

    def paid(self, order: Order) -> list[Notice]:
        """The buyer paid."""
        order.pay_status, order.paid_at = 2, self.book.now()
        if order.channel == "taobao":
            order.status = "WAIT_SELLER_SEND_GOODS"
            return [self._status(order)]
        order.status = "WAITING_FOR_SENT"
        return [self._ka("ORDER_PAY_SUCCESS", order)]

    def paid_together(self, orders: Sequence[Order]) -> list[Notice]:
        """The buyer paid several 1688 orders in one call."""
        notices = [part for order in orders for part in self.paid(order)]
        return [
            *notices,
            Notice("ORDER_BATCH_PAY", messages.batch_payment(orders), "1688", ka=True),
        ]

    def cancelled(self, order: Order) -> list[Notice]:
        """The buyer cancelled."""
        if order.channel == "taobao":
            order.status = "TRADE_CLOSED"
            return [self._status(order)]
        order.status, order.close_reason = "CANCEL", "buyer_cancel"
        return [self._ka("ORDER_CANCEL", order)]

    def shipped(self, order: Order) -> list[Notice]:
        """The seller sent everything; of several lines one seems to have gone before the rest."""
        self.book.ship(order, self.chance)
        self._travel(order)
        if order.channel == "taobao":
            order.status = "WAIT_BUYER_CONFIRM_GOODS"
            return [self._status(order)]
        order.status = "waitsellersend"
        first = [self.topic("PART_PART_SENDGOODS", order)] if len(order.line_ids) > 1 else []
        order.status = "waitbuyerreceive"
        return [*first, self.topic("ANNOUNCE_SENDGOODS", order)]

    def moved_on(self, order: Order) -> list[Notice]:
        """The parcel made its next step; of Taobao the API alone says so."""
        self._travel(order)
        if order.channel == "taobao":
            return []
        return [Notice("LOGISTICS_BUYER_VIEW_TRACE", messages.trace(order), "1688", ka=True)]

    def received(self, order: Order) -> list[Notice]:
        """The buyer of a 1688 order confirmed the receipt of all of it."""
        order.status = "confirm_goods"
        confirmed = self.topic("ORDER_COMFIRM_RECEIVEGOODS", order)
        order.status = "success"
        return [confirmed, self.topic("ORDER_SUCCESS", order)]

    def refund_changed(self, refund: Refund, status: str) -> list[Notice]:
        """A case stands at `status` now.

        The actions of a topic are known for an agreement and for money paid back alone: the rest is
        in the message of a KA account.
        """
        order = refund.order
        refund.status = status
        order.refund_id, order.refund_status = refund.refund_id, status
        if status in DONE:
            order.refund_fen += refund.payment_fen + refund.carriage_fen
        if order.channel == "taobao":
            if self.dialect == "global":
                return [_taobao(gateway.REFUND, gateway.refund(refund.refund_id))]
            body = messages.taobao_refund(order, refund.line_ids, self.chance)
            return [_taobao(self.names.refund, body)]
        if known := _REFUND_ACTIONS.get(status):
            return [self.refund_topic(order, *known)]
        if self.dialect == "aop":
            is_new = status == FIRST["1688"]
            return [self.refund_topic(order, "BUYER_APPLY_REFUND", "buyer")] if is_new else []
        body = messages.refund(order)
        return [Notice("ORDER_BUYER_VIEW_ORDER_BUYER_REFUND", body, "1688", ka=True)]

    def topic(self, name: str, order: Order) -> Notice:
        """A topic of the buyer's view, with the order as it stands."""
        body = messages.topic_order(order, self.book.now(), self.chance)
        return Notice(f"ORDER_BUYER_VIEW_{name}", body, "1688", ka=True)

    def refund_topic(self, order: Order, action: str, operator: str) -> Notice:
        """The topic of an order's case: before the trade is completed, or after."""
        name = "REFUND_AFTER_SALES" if order.status == "success" else "BUYER_REFUND_IN_SALES"
        body = messages.topic_refund(order, self.book.now(), action, operator, self.chance)
        return Notice(f"ORDER_BUYER_VIEW_ORDER_{name}", body, "1688", ka=True)

    def _travel(self, order: Order) -> None:
        assert order.parcel is not None
        word, remark = WAY[len(order.parcel.steps)]
        order.parcel.steps.append(Step(word, self.book.now(), remark))

    def _ka(self, message_type: str, order: Order) -> Notice:
        """A message of a KA account; in `aop` the topic that says the same."""
        if self.dialect == "aop":
            return self.topic(_TOPICS[message_type], order)
        return Notice(message_type, messages.ka_order(order), "1688", ka=True)

    def _status(self, order: Order) -> Notice:
        if self.dialect == "global":
            return _taobao(gateway.STATUS, gateway.status(order, self.book.now()))
        return _taobao(self.names.status, messages.taobao_status(order, self.chance))


def _taobao(message_type: str, body: dict[str, Any]) -> Notice:
    return Notice(message_type, body, "taobao", ka=False)
