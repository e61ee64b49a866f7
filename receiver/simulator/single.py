"""One message about one order: what the platform says once the order's life has come so far."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from receiver.simulator.catalogue import Channel
from receiver.simulator.envelope import Form, envelope, envelope_of_global, message_of_aop
from receiver.simulator.life import FATES, life_of
from receiver.simulator.messages import TaobaoNames, topic_order
from receiver.simulator.orders import OrderBook
from receiver.simulator.refunds import RefundBook
from receiver.simulator.signing import DialectName
from receiver.simulator.trade import Fate, Notice, Trade

_LIVES: Final[Mapping[DialectName, tuple[tuple[DialectName, Channel], ...]]] = {
    # A topic of the open platform may come in the feed of the purchasing platform, too.
    "xport": (("xport", "1688"), ("xport", "taobao"), ("aop", "1688")),
    "aop": (("aop", "1688"),),
    "global": (("global", "taobao"),),
}
_FATES: Final[tuple[Fate, ...]] = tuple(dict.fromkeys(FATES))
_SHIPPED: Final = "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS"
_ID: Final = re.compile("[1-9][0-9]{0,18}")
_DRAWS: Final = 16
"""What comes in every other life comes in one of so many."""


@dataclass(frozen=True, slots=True)
class Singles:
    """Makes messages about orders that `book` then holds as the message has them, their cases in
    `refunds`: an API over both says the same. An order's id decides what is drawn, so that two
    messages about one order agree.
    """

    book: OrderBook
    refunds: RefundBook = field(default_factory=RefundBook)
    names: TaobaoNames = field(default_factory=TaobaoNames)

    def message(
        self, dialect: DialectName, message_type: str, number: int, *, now_ms: int
    ) -> bytes:
        """The body that is pushed: an envelope in its usual form, about the order of this id. A
        type that comes in no order's life is known by its name alone; what it holds is made up.
        """
        notice = self._lived(dialect, message_type, number)
        if notice is None:
            notice = self._named_only(dialect, message_type, number)
        if dialect == "aop":
            return message_of_aop(notice, now_ms, born_at_ms=now_ms)
        if dialect == "global":
            return envelope_of_global(notice, pushed_at_ms=now_ms)
        return envelope(notice, Form(), pushed_at_ms=now_ms)

    def invent(self, channel: Channel, order_id: str) -> None:
        """Hold an order of this id as a message says it that is sent once it is shipped; of a text
        that is no id, hold none.
        """
        if _ID.fullmatch(order_id):
            shipped = self.names.status if channel == "taobao" else _SHIPPED
            self._lived("xport", shipped, int(order_id))

    def _lived(self, dialect: DialectName, message_type: str, number: int) -> Notice | None:
        for draw in range(_DRAWS):
            for feed, channel in _LIVES[dialect]:
                for fate in _FATES:
                    chance = random.Random(f"{number} {draw}")  # noqa: S311 - a simulation
                    order = self.book.imagined(channel, number, chance)
                    trade, cases = Trade(self.book, self.names, chance, feed), RefundBook()
                    life = life_of(order, trade, fate, cases)
                    if (found := _first(life, message_type)) is not None:
                        self.book.keep(order)
                        self.refunds.refunds.update(cases.refunds)
                        return found
        return None

    def _named_only(self, dialect: DialectName, message_type: str, number: int) -> Notice:
        channel = _LIVES[dialect][0][1]
        chance = random.Random(number)  # noqa: S311 - a simulation
        order = self.book.imagined(channel, number, chance)
        of_order = message_type.startswith("ORDER_")
        body = topic_order(order, self.book.now(), chance) if of_order else {}
        return Notice(message_type, body, channel, ka=True)


def _first(life: Iterator[Notice], message_type: str) -> Notice | None:
    return next((notice for notice in life if notice.message_type == message_type), None)
