"""The orders of the newest events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.console.desk import Desk
from receiver.console.screen import Asked, Screen
from receiver.operations.look.documents import event_document
from receiver.operations.look.event_words import facts
from receiver.operations.look.newest import newest
from receiver.operations.selecting import OF_EVENTS

_READ: Final = 200
_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Order:
    """An order by its newest event that is selected."""

    order_id: str
    channel: str | None
    at: datetime
    type: str | None
    text: str


@dataclass(frozen=True, slots=True)
class OrdersView:
    """The orders of the newest events, `read` of them, each order once; `words` are the filters."""

    title: str
    command: str
    words: dict[str, str]
    read: int
    orders: tuple[Order, ...]


async def read(desk: Desk, asked: Asked) -> OrdersView:
    """Of the events that the filters select."""
    chosen = selection.events(asked.filters, desk.subjects)
    return view(await newest(desk.archive.reader, chosen, _READ), asked)


def view(events: Sequence[StoredMessage], asked: Asked) -> OrdersView:
    """The page of events, newest first."""
    found: dict[str, Order] = {}
    for stored in events:
        event = event_document(stored, reveal=False)
        if (order_id := event["order_id"]) and order_id not in found:
            found[order_id] = Order(
                order_id, event["channel"], stored.stored_at, event["type"], facts(event["data"])
            )
    return OrdersView(
        title="Orders",
        command=asked.command("tail", *(() if "since" in asked.words else ("--since", "1h"))),
        words=dict(asked.words),
        read=len(events),
        orders=tuple(found.values())[:_SHOWN],
    )


SCREEN: Final = Screen(
    name="orders",
    path="/orders",
    template="orders.html",
    read=read,
    words=OF_EVENTS,
    menu="Orders",
    key="o",
)
