"""One callback of each kind, for tests that need bodies and no platform. Performs no I/O."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from receiver.simulator.envelope import Form, envelope
from receiver.simulator.life import Course, live
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import OrderBook
from receiver.simulator.trade import Notice

_NOW: Final = datetime(2026, 1, 31, tzinfo=UTC)
_MAX_ORDERS: Final = 100
"""Every kind is met within the first few dozens of orders, whatever the seed."""


def sample_callbacks(
    seed: int, *, now: datetime = _NOW, names: TaobaoNames | None = None
) -> list[tuple[str, bytes]]:
    """The first callback of each message type, as (type, body); the same seed gives the same bytes.

    Each is in its usual form: see `receiver.simulator.envelope.Form` for the others.
    """
    pushed_at_ms = int(now.timestamp() * 1000)
    found: dict[str, bytes] = {}
    for notice in _all_notices(OrderBook(seed, now=now), seed, names or TaobaoNames()):
        if notice.message_type not in found:
            found[notice.message_type] = envelope(notice, Form(), pushed_at_ms=pushed_at_ms)
    return list(found.items())


def _all_notices(book: OrderBook, seed: int, names: TaobaoNames) -> Iterator[Notice]:
    return itertools.chain.from_iterable(
        live(book, Course.numbered(number), names, random.Random(f"{seed} {number}"))  # noqa: S311 - a simulation, not a secret
        for number in range(_MAX_ORDERS)
    )
