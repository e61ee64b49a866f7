"""The refund cases that the simulated platform knows. Amounts are fen.

Statuses: docs/platform/statuses.md#1688-refund-status,
docs/platform/statuses.md#taobao-refund-codes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from receiver.simulator.orders import Order

FIRST: Final = {"1688": "waitselleragree", "taobao": "10"}
"""The status of a new case."""
WITH_BUYER: Final = frozenset({"waitbuyersend", "20"})
"""The seller agreed, and the goods are to be sent back."""
CLOSED: Final = frozenset({"refundclose", "-20"})
DONE: Final = frozenset({"refundsuccess", "100"})


@dataclass(slots=True)
class Refund:
    """One case about some lines of an order; `status` is the platform's word of its channel.

    `with_goods`: the goods go back first. `asked` is what the buyer sent.
    """

    refund_id: str
    order: Order
    line_ids: tuple[str, ...]
    payment_fen: int
    carriage_fen: int
    with_goods: bool
    status: str
    created_at: datetime
    asked: dict[str, Any] = field(default_factory=dict)
    carrier: str | None = None
    waybill_no: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether the case goes on."""
        return self.status not in CLOSED | DONE


class RefundBook:
    """Opens cases and keeps them; an id of 1688 begins with TQ, one of Taobao has 12 digits."""

    def __init__(self) -> None:
        self.refunds: dict[str, Refund] = {}

    def open(
        self,
        order: Order,
        line_ids: tuple[str, ...],
        *,
        payment_fen: int,
        carriage_fen: int = 0,
        with_goods: bool = False,
        now: datetime,
        asked: dict[str, Any],
        chance: random.Random,
    ) -> Refund:
        """A new case that waits for the seller."""
        prefix, low = ("TQ", 10**17) if order.channel == "1688" else ("", 10**11)
        refund = Refund(
            refund_id=f"{prefix}{chance.randrange(low, 10 * low)}",
            order=order,
            line_ids=line_ids,
            payment_fen=payment_fen,
            carriage_fen=carriage_fen,
            with_goods=with_goods,
            status=FIRST[order.channel],
            created_at=now,
            asked=asked,
        )
        self.refunds[refund.refund_id] = refund
        return refund

    def of(self, order: Order) -> list[Refund]:
        """The cases of an order."""
        return [refund for refund in self.refunds.values() if refund.order is order]

    def find(self, channel: str, refund_id: str) -> Refund | None:
        """A channel's case by its id."""
        refund = self.refunds.get(refund_id)
        return refund if refund is not None and refund.order.channel == channel else None
