"""The orders that the simulated platform knows. Amounts are fen; everything comes from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Literal

Channel = Literal["1688", "taobao"]
CHINA: Final = timezone(timedelta(hours=8))
_FIRST_ORDER: Final = 2_745_000_000_000_000_000
_CARRIERS: Final = (("YTO", "圆通速递"), ("ZTO", "中通快递"), ("SF", "顺丰速运"))


@dataclass(slots=True)
class Step:
    """One step of a parcel's way; `word` is one of callbacks.md 4.4."""

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


@dataclass(slots=True)
class Order:
    """One order; `status` is the platform's word of its channel."""

    channel: Channel
    order_id: str
    order_no: str
    created_at: datetime
    goods_fen: int
    shipping_fen: int
    status: str
    line_ids: tuple[str, ...]
    pay_status: int = 1
    paid_at: datetime | None = None
    close_reason: str | None = None
    refund_id: str | None = None
    refund_fen: int = 0
    parcel: Parcel | None = None

    @property
    def total_fen(self) -> int:
        """Goods and shipping."""
        return self.goods_fen + self.shipping_fen


class OrderBook:
    """Makes orders and keeps them; the API answers from it what the pushes told."""

    def __init__(self, seed: int, *, now: datetime | None = None) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self._now = now
        self._number = self.random.randrange(10**15)
        self.orders: dict[str, Order] = {}
        self._by_line: dict[str, Order] = {}

    def now(self) -> datetime:
        """The platform's wall clock, in China."""
        return (self._now or datetime.now(UTC)).astimezone(CHINA)

    def place(self, channel: Channel) -> Order:
        """A new order that awaits its payment."""
        self._number += self.random.randrange(1, 1000)
        number = _FIRST_ORDER + self._number
        lines = tuple(str(number + n) for n in range(1, self.random.choice((2, 3))))
        order = Order(
            channel=channel,
            order_id=str(number),
            order_no=f"XP{number % 10**12}",
            created_at=self.now(),
            goods_fen=self.random.randrange(500, 50_000),
            shipping_fen=self.random.choice((0, 500, 800)),
            status="WAITING_FOR_PAYMENT" if channel == "1688" else "WAIT_BUYER_PAY",
            line_ids=lines,
        )
        self.orders[order.order_id] = order
        for line_id in lines:
            self._by_line[line_id] = order
        return order

    def find(self, order_id: str) -> Order | None:
        """An order by its id or by the id of one of its lines."""
        return self.orders.get(order_id) or self._by_line.get(order_id)

    def ship(self, order: Order) -> Parcel:
        """Give the order its parcel."""
        code, name = self.random.choice(_CARRIERS)
        waybill_no = f"{code}{self.random.randrange(10**11, 10**12)}"
        logistics_id = f"LP{self.random.randrange(10**13, 10**14)}"
        order.parcel = Parcel(logistics_id, code, name, waybill_no)
        return order.parcel
