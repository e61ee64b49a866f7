"""The simulated platform, with orders and cases to change, and with faults in a mix of its own.

Of a hundred calls thirty are answered 500, ten come too late (and are carried out all the same),
five are answered by garbage; of changes ten more are carried out and their connection is cut. Every
now and then a row of calls gets 429.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from receiver.simulator.api import SimulatedAPI
from receiver.simulator.catalogue import Product, Sku
from receiver.simulator.faults import Fault, Faults
from receiver.simulator.journal import Called
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import OrderBook, Wanted
from receiver.simulator.routes import served_rows
from receiver.simulator.signing import Account
from receiver.simulator.world import World

KEY: Final = "chaos"
_LATE_S: Final = 0.8
_BURST_EVERY, _BURST = 500, 20
_OF_READS: Final = 50
_CHANGES: Final = frozenset(row.name for row in served_rows() if row.changes_state)


@dataclass(frozen=True)
class Change:
    """One change that is to be made: `name` is in its parameters and in those of no other."""

    kind: str
    name: str
    product: Product
    sku: Sku


class _Mix(Faults):
    """The shares above, each of all calls; and every 500 calls a row of 20 that are limited."""

    def __init__(self, seed: int) -> None:
        shares = [Fault("500", 0.30), Fault("slow", 0.10, delay_s=_LATE_S), Fault("garbage", 0.05)]
        left = 1.0
        for fault in shares:  # a later one is drawn only where those before it were not
            fault.rate, left = fault.rate / left, left - fault.rate
        super().__init__([*shares, Fault("outcome-unknown", 0.10 / left, rows=_CHANGES)], seed=seed)
        self._asked = 0

    def drawn(self, row: str) -> Fault | None:
        """See `Faults.drawn`."""
        self._asked += 1
        if self._asked % _BURST_EVERY < _BURST:
            # Every fourth burst with the wish to wait a second, the others without any.
            return Fault("429", retry_after_s=int(self._asked // _BURST_EVERY % 4 == 0))
        return super().drawn(row)


class ChaoticPlatform:
    """A platform with `reads` to ask for and `changes` to make, of an account with `KEY`."""

    def __init__(self, *, reads: int, changes: int, seed: int = 1) -> None:
        chance = random.Random(seed)
        self._world = World(OrderBook(seed), names=TaobaoNames(), chance=chance, cancel_after_s=0.0)
        self.api = SimulatedAPI(self._world, Account(KEY, KEY), faults=_Mix(seed))
        self._goods = [
            (each, sku) for each in self._world.catalogue.of("1688") for sku in each.skus
        ]
        known = [self._order(number) for number in range(_OF_READS)]
        self.reads = [known[number % _OF_READS] for number in range(reads)]
        self.changes = [self._change(number) for number in range(changes)]

    def made(self) -> Counter[tuple[str, str]]:
        """How often each change was carried out, by row and name."""
        return Counter(
            (call.row, _name(call)) for call in self.api.journal.calls if _is_write(call, "done")
        )

    def arrived(self) -> Counter[tuple[str, str]]:
        """How often each change arrived and may have been carried out."""
        return Counter(
            (call.row, _name(call))
            for call in self.api.journal.calls
            if _is_write(call) and call.fault != "429"
        )

    def faults(self) -> Counter[str]:
        """How often each fault struck."""
        return Counter(call.fault or "none" for call in self.api.journal.calls)

    def _order(self, number: int) -> str:
        """An order of 1688 that was made yesterday."""
        product, sku = self._goods[number % len(self._goods)]
        self._world.stock[sku.sku_id] += product.least
        order = self._world.buy("1688", [Wanted(product, sku, product.least)], {})
        order.created_at -= timedelta(days=1)
        return order.order_id

    def _change(self, number: int) -> Change:
        product, sku = self._goods[number // 10 % len(self._goods)]
        if number % 10 == 0:
            return Change("alibaba_orders_create", f"new {number}", product, sku)
        if number % 3 == 0:
            return Change("taobao_refunds_cancel", self._case(), product, sku)
        kind = ("alibaba_orders_cancel", "alibaba_orders_payment_url")[number % 2]
        return Change(kind, self._order(number), product, sku)

    def _case(self) -> str:
        product = self._world.catalogue.of("taobao")[0]
        self._world.stock[product.skus[0].sku_id] += 1
        order = self._world.buy("taobao", [Wanted(product, product.skus[0], 1)], {})
        asked: dict[str, Any] = {"refundType": 1, "goodsStatus": 1}
        return self._world.refund(order, order.line_ids, payment_fen=1, asked=asked).refund_id


def _is_write(call: Called, outcome: str = "") -> bool:
    return call.changes_state and (not outcome or call.outcome == outcome)


def _name(call: Called) -> str:
    asked = json.loads(call.arguments)
    return str(asked.get("message") or asked.get("refundId") or asked["orderId"])
