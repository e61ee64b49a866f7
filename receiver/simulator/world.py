"""What the simulated platform holds for one account, and what its calls do to it.

In memory; the same calls in the same order give the same ids. Performs no I/O: callbacks are handed
to `notify`.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from receiver.simulator.catalogue import STOCK, Channel, Product, Sku
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import Order, OrderBook, Wanted
from receiver.simulator.refunds import CLOSED, Refund, RefundBook
from receiver.simulator.signing import DialectName
from receiver.simulator.trade import WAY, Notice, Trade

SHIPPING_FEN: Final = 800
_UNPAID: Final = frozenset({"WAITING_FOR_PAYMENT", "WAIT_BUYER_PAY"})
_PAID: Final = frozenset({"WAITING_FOR_SENT", "WAIT_SELLER_SEND_GOODS"})
_FIRST_CART_ID: Final = 12_345


@dataclass(slots=True)
class CartEntry:
    """One entry of a cart."""

    entry_id: str
    product: Product
    sku: Sku
    quantity: int


class World:
    """Goods, carts, orders, refunds and addresses of one account.

    `cancel_after_s` is how old an order of 1688 must be to be cancelled; `dialect` is whose
    messages report what calls did.
    """

    def __init__(
        self,
        book: OrderBook,
        *,
        names: TaobaoNames,
        chance: random.Random,
        notify: Callable[[Notice], None] = lambda _: None,
        cancel_after_s: float = 10.0,
        dialect: DialectName = "xport",
    ) -> None:
        self.book = book
        self.catalogue = book.catalogue
        self.refunds = RefundBook()
        self.carts: dict[Channel, dict[str, CartEntry]] = {"1688": {}, "taobao": {}}
        self.addresses: dict[str, dict[str, Any]] = {}
        self.stock: defaultdict[str, int] = defaultdict(lambda: STOCK)
        self.cancel_after_s = cancel_after_s
        self._under_way: dict[str, Order] = {}
        self._ids = itertools.count(_FIRST_CART_ID)
        self._trade = Trade(book, names, chance, dialect)
        self._notify = notify

    def next_id(self) -> str:
        """A new id of a cart's entry or of an address."""
        return str(next(self._ids))

    def buy(self, channel: Channel, wanted: Sequence[Wanted], address: Any) -> Order:
        """A new order, its goods taken from the stock."""
        order = self.book.add(channel, wanted, SHIPPING_FEN, self._trade.chance)
        order.address = address
        for part in wanted:
            self.stock[part.sku.sku_id] -= part.quantity
        self._take(order)
        self._report(self._trade.created(order))
        return order

    def is_unpaid(self, order: Order) -> bool:
        """Whether it can be paid or cancelled."""
        return order.status in _UNPAID

    def is_new(self, order: Order) -> bool:
        """Whether it is too young to be cancelled."""
        return (self.book.now() - order.created_at).total_seconds() < self.cancel_after_s

    def pay(self, orders: Sequence[Order], *, together: bool = False) -> None:
        """The buyer pays; `together`: 1688 orders in one call."""
        for order in orders:
            self._take(order)
        if together:
            self._report(self._trade.paid_together(orders))
            return
        for order in orders:
            self._report(self._trade.paid(order))

    def cancel(self, order: Order) -> None:
        """The buyer cancels; the goods are in stock again."""
        for part in order.wanted:
            self.stock[part.sku.sku_id] += part.quantity
        self._take(order)
        self._report(self._trade.cancelled(order))

    def receive(self, order: Order) -> None:
        """The buyer confirms the receipt."""
        self._take(order)
        self._report(self._trade.received(order))

    def refund(self, order: Order, line_ids: tuple[str, ...], **case: Any) -> Refund:
        """A new case about lines of an order; `case` as for `RefundBook.open`."""
        self._take(order)
        refund = self.refunds.open(
            order, line_ids, now=self.book.now(), chance=self._trade.chance, **case
        )
        self.refund_at(refund, refund.status)
        return refund

    def refund_at(self, refund: Refund, status: str) -> None:
        """The case stands at `status` from now on."""
        self._report(self._trade.refund_changed(refund, status))

    def act(self) -> None:
        """One step of all sellers and carriers, for what calls have to do with.

        What is paid is shipped, what is shipped moves on, and a case is agreed to, or refunded.
        """
        for refund in self.refunds.refunds.values():
            if refund.order.by_calls and (status := _agreed(refund)):
                self.refund_at(refund, status)
        for order in list(self._under_way.values()):
            if order.status in _PAID and not self._in_refund(order):
                self._report(self._trade.shipped(order))
            elif order.parcel is not None and len(order.parcel.steps) < len(WAY):
                self._report(self._trade.moved_on(order))
            elif order.status not in _UNPAID | _PAID:
                del self._under_way[order.order_id]

    def _take(self, order: Order) -> None:
        """From now on calls decide what becomes of it."""
        order.by_calls = True
        self._under_way[order.order_id] = order

    def _in_refund(self, order: Order) -> bool:
        """Whether a case holds: what was not sent yet is not sent then."""
        return any(refund.status not in CLOSED for refund in self.refunds.of(order))

    def _report(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self._notify(notice)


def _agreed(refund: Refund) -> str | None:
    """The next status that the seller's side sets; None while the buyer is to act, or at the end.

    docs/platform/statuses.md#1688-refund-status, docs/platform/statuses.md#taobao-refund-codes
    """
    is_1688 = refund.order.channel == "1688"
    waiting, sent, done = (
        ("waitselleragree", "waitsellerreceive", "refundsuccess")
        if is_1688
        else ("10", "30", "100")
    )
    if refund.status == sent or (refund.status == waiting and not refund.with_goods):
        return done
    if refund.status == waiting:
        return "waitbuyersend" if is_1688 else "20"
    return None
