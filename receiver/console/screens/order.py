"""One order: its state, and its whole life on one timeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from receiver.console.desk import Desk
from receiver.console.following import AFTER, follow, followed
from receiver.console.path_text import TEXT
from receiver.console.rendering import query, segment
from receiver.console.screen import Asked, ElsewhereError, GoneError, Screen
from receiver.console.timeline import KINDS, Entry, entries_of
from receiver.operations.look.order_life import order_life
from receiver.operations.selecting import past_time

_SHOW: Final = "show"


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order: `states` are what all its events say together, one a channel; `counts` is how many
    entries of each kind there are, of which those of `show`, or all, are on the timeline.
    """

    title: str
    command: str
    order_id: str
    order_no: str | None
    channels: tuple[str, ...]
    at: str | None
    states: tuple[dict[str, Any], ...]
    events_count: int
    events_shown: int
    counts: dict[str, int]
    show: str
    words: dict[str, str]
    entries: tuple[Entry, ...]
    missing: tuple[str, ...]
    is_simulated: bool
    is_revealed: bool
    live: str
    """The path of what comes meanwhile; empty where it is looked back at."""


async def read(desk: Desk, asked: Asked) -> OrderView:
    """By its subjects, however old it is; raises `ElsewhereError` to the search for another number,
    and `GoneError` where the filters leave nothing.
    """
    order_id = asked.path["order_id"]
    page = f"/orders/{segment(order_id)}"
    at = asked.others.get("at")
    until = None if at is None else past_time("at", at, asked.now)
    live = "" if until is not None else await followed(desk, page, order_id)
    filters = replace(asked.filters, order_id=order_id, until=until)
    life = await order_life(desk.archive, filters, reveal=asked.reveal)
    if life is not None:
        return view(life, asked, live)
    if not asked.words and at is None:
        raise ElsewhereError("/search" + query({"q": order_id}))
    raise GoneError(f"No event of {order_id} is selected: take a filter away.")


def view(life: Mapping[str, Any], asked: Asked, live: str = "") -> OrderView:
    """The page of the document of `yizhan order`."""
    every = entries_of(life)
    counted = Counter(entry.kind for entry in every)
    show = asked.others.get(_SHOW, "")
    at = {"at": asked.others["at"]} if "at" in asked.others else {}
    options = [part for word, text in at.items() for part in (f"--{word}", text)]
    return OrderView(
        title=f"Order {life['order_id']}",
        command=asked.command("order", life["order_id"], *options),
        order_id=life["order_id"],
        order_no=life["order_no"],
        channels=tuple(life["channels"]),
        at=life["at"],
        states=tuple(life["states"]),
        events_count=life["events_count"],
        events_shown=len(life["events"]),
        counts={kind: counted[kind] for kind in KINDS if counted[kind]},
        show=show if show in KINDS else "",
        words={**asked.words, **at},
        entries=tuple(one for one in every if show not in KINDS or one.kind == show),
        missing=tuple(life["missing"]),
        is_simulated=any(event["simulated"] for event in life["events"]),
        is_revealed=asked.reveal,
        live=live,
    )


async def follow_order(desk: Desk, asked: Asked) -> AsyncIterator[bytes]:
    """See `receiver.console.following.follow`."""
    return await follow(desk, asked, asked.path["order_id"])


SCREEN: Final = Screen(
    name="order",
    path=f"/orders/{{order_id:{TEXT}}}",
    template="order.html",
    read=read,
    words=("since", "type", "channel", "limit"),
    others=("at", _SHOW, AFTER),
    live=follow_order,
)
