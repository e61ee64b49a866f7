"""The orders that the simulated platform knows. Amounts are fen; everything comes from one seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from receiver.simulator.catalogue import Catalogue, Channel, Product, Sku

CHINA: Final = timezone(timedelta(hours=8))
_FIRST_ORDER: Final = 2_745_000_000_000_000_000
_STRIDE: Final = 1000
"""Between two orders' ids lies room for the ids of their lines, so that no two are the same."""
MAX_LINES: Final = 50
"""The SKUs that one order of 1688 may have (docs/platform/api.md#limits)."""
CARRIERS: Final = (("YTO", "圆通速递"), ("ZTO", "中通快递"), ("SF", "顺丰速运"))


@dataclass(slots=True)
class Step:
    """One step of a parcel's way; `word` is one of docs/platform/statuses.md#waybill-words."""

    word: str
    time: datetime
    remark: str


@dataclass(slots=True)
class Parcel:
    """One parcel and its way so far."""

    logistics_id: str
    carrier_code: str
    carrier: str
    waybill_no: str
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many pieces of a SKU; `number` is how the buyer counts the line."""

    product: Product
    sku: Sku
    quantity: int
    number: str = ""

    @property
    def fen(self) -> int:
        """What they cost."""
        return self.sku.price_fen * self.quantity


@dataclass(slots=True)
class Order:
    """One order; `status` is the platform's word of its channel, `wanted` is what each line holds.

    `address` is as the buyer sent it, `buyers_id` the buyer's own number. `by_calls`: calls decide
    what becomes of it, and it has no life of its own.
    """

    channel: Channel
    order_id: str
    order_no: str
    created_at: datetime
    shipping_fen: int
    status: str
    line_ids: tuple[str, ...]
    wanted: tuple[Wanted, ...]
    address: dict[str, Any] | None = None
    buyers_id: str | None = None
    by_calls: bool = False
    pay_status: int = 1
    paid_at: datetime | None = None
    close_reason: str | None = None
    refund_id: str | None = None
    refund_status: str | None = None
    refund_fen: int = 0
    parcel: Parcel | None = None

    @property
    def goods_fen(self) -> int:
        """What the goods cost."""
        return sum(wanted.fen for wanted in self.wanted)

    @property
    def total_fen(self) -> int:
        """Goods and shipping."""
        return self.goods_fen + self.shipping_fen

    @property
    def lines(self) -> tuple[tuple[str, Wanted], ...]:
        """Each line's id and what it holds."""
        return tuple(zip(self.line_ids, self.wanted, strict=True))


class OrderBook:
    """Makes orders and keeps them; the API answers from it what was pushed.

    The ids come from `seed` and from how many orders were placed before. `invent`, where it is set,
    may keep an order of an id that is looked for and was never placed.
    """

    def __init__(self, seed: int, *, now: datetime | None = None) -> None:
        self.catalogue = Catalogue()
        self.orders: dict[str, Order] = {}
        self._by_line: dict[str, Order] = {}
        self._now = now
        self.invent: Callable[[Channel, str], object] | None = None
        start = random.Random(seed).randrange(10**14)  # noqa: S311 - a simulation, not a secret
        self._first = _FIRST_ORDER + start * _STRIDE

    def now(self) -> datetime:
        """The platform's wall clock, in China."""
        return (self._now or datetime.now(UTC)).astimezone(CHINA)

    def place(self, channel: Channel, chance: random.Random) -> Order:
        """A new order that awaits its payment; what it holds is drawn from `chance`."""
        return self.add(channel, *self._goods(channel, chance), chance)

    def add(
        self, channel: Channel, wanted: Sequence[Wanted], shipping_fen: int, chance: random.Random
    ) -> Order:
        """A new order of these goods that awaits its payment."""
        slot = self._first + len(self.orders) * _STRIDE
        number = slot + chance.randrange(_STRIDE - MAX_LINES)
        order = self._made(channel, number, wanted, shipping_fen)
        self.keep(order)
        return order

    def imagined(self, channel: Channel, number: int, chance: random.Random) -> Order:
        """As `place`, with an id of its own, and not kept."""
        return self._made(channel, number, *self._goods(channel, chance))

    def keep(self, order: Order) -> None:
        """Take it in; one of its id that was there before is found no more, and lives on no more
        by itself.
        """
        if (before := self.orders.get(order.order_id)) is not None:
            before.by_calls = True
        self.orders[order.order_id] = order
        for line_id in order.line_ids:
            self._by_line[line_id] = order

    def _goods(self, channel: Channel, chance: random.Random) -> tuple[list[Wanted], int]:
        """What an order holds, and its carriage in fen."""
        products = self.catalogue.of(channel)
        wanted = [_drawn(chance.choice(products), chance) for _ in range(chance.randint(1, 2))]
        return wanted, chance.choice((0, 500, 800))

    def _made(
        self, channel: Channel, number: int, wanted: Sequence[Wanted], shipping_fen: int
    ) -> Order:
        return Order(
            channel=channel,
            order_id=str(number),
            order_no=f"XP{number % 10**12}",
            created_at=self.now(),
            shipping_fen=shipping_fen,
            status="WAITING_FOR_PAYMENT" if channel == "1688" else "WAIT_BUYER_PAY",
            line_ids=tuple(str(number + n) for n in range(1, len(wanted) + 1)),
            wanted=tuple(wanted),
        )

    def find(self, channel: Channel, order_id: str) -> Order | None:
        """A channel's order by its id."""
        if self.invent is not None and order_id not in self.orders:
            self.invent(channel, order_id)
        return _of_channel(self.orders.get(order_id), channel)

    def find_by_line(self, channel: Channel, line_id: str) -> Order | None:
        """A channel's order by the id of one of its lines."""
        return _of_channel(self._by_line.get(line_id), channel)

    def ship(self, order: Order, chance: random.Random) -> Parcel:
        """Give the order its parcel."""
        code, name = chance.choice(CARRIERS)
        waybill_no = f"{code}{chance.randrange(10**11, 10**12)}"
        logistics_id = f"LP{chance.randrange(10**13, 10**14)}"
        order.parcel = Parcel(logistics_id, code, name, waybill_no)
        return order.parcel


def _drawn(product: Product, chance: random.Random) -> Wanted:
    return Wanted(product, chance.choice(product.skus), product.least * chance.randint(1, 3))


def _of_channel(order: Order | None, channel: Channel) -> Order | None:
    return order if order is not None and order.channel == channel else None
