"""Events, the newest first, and those that come meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.reader import Reader
from receiver.console.desk import Desk
from receiver.console.rendering import absolute, query, segment, zoned
from receiver.console.screen import Asked, Screen, is_sequence
from receiver.console.sent_events import PATIENCE_S, beating, message
from receiver.errors import ConfigurationError
from receiver.operations.look.documents import event_document
from receiver.operations.look.event_words import facts
from receiver.operations.look.live import Batch, live
from receiver.operations.look.paging import StoredPage, page_after, page_before
from receiver.operations.selecting import OF_EVENTS

_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Event:
    """An event in a list; `text` is what says most of it."""

    seq: int
    at: datetime
    type: str
    order_id: str | None
    channel: str | None
    source: str | None
    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class EventsView:
    """Events, the newest first. `newer` is the sequence behind which more may come, `older` that
    before which there are more; of `looked` events these were selected. `words` are the filters.
    """

    title: str
    command: str
    words: dict[str, str]
    events: tuple[Event, ...]
    newer: int
    older: int | None
    looked: int
    live: str
    """The path of what comes meanwhile; empty on a page that is not the newest."""


async def read(desk: Desk, asked: Asked) -> EventsView:
    """The newest, or those `before` a sequence, or `after` one."""
    chosen = selection.events(asked.filters, desk.subjects)
    reader = desk.archive.reader
    after, before = number(asked, "after"), number(asked, "before")
    if after is not None:
        return view(asked, await page_after(reader, chosen, _SHOWN, after))
    return view(asked, await page_before(reader, chosen, _SHOWN, before), newest=before is None)


def view(asked: Asked, page: StoredPage, *, newest: bool = False) -> EventsView:
    """The page of events."""
    words = dict(asked.words)
    following = newest and "until" not in words
    since = () if "since" in words else ("--since", "1h")
    return EventsView(
        title="Events",
        command=asked.command("tail", *since),
        words=words,
        events=tuple(map(event_of, page.messages)),
        newer=page.newer,
        older=page.older,
        looked=page.looked,
        live="/events/live" + query({**words, "after": str(page.newer)}) if following else "",
    )


def event_of(stored: StoredMessage) -> Event:
    """An event in a list."""
    document = event_document(stored, reveal=False)
    return Event(
        seq=stored.stream_seq,
        at=stored.stored_at,
        type=document["type"] or "no known type",
        order_id=document["order_id"],
        channel=document["channel"],
        source=document["source"],
        text=facts(document["data"]),
        origin=document["origin"],
    )


def number(asked: Asked, name: str) -> int | None:
    """A sequence of the query; raises `ConfigurationError` for what is none."""
    text = asked.others.get(name)
    if text is None:
        return None
    if not is_sequence(text):
        raise ConfigurationError(f"{name} {text}: write a sequence of the stream")
    return int(text)


async def follow(desk: Desk, asked: Asked) -> AsyncIterator[bytes]:
    """Server-sent events: each event with its sequence as id, so that a viewer that comes back
    goes on there, and how many were `skipped`, or that NATS is `away`.
    """
    chosen = selection.events(asked.filters, desk.subjects)
    after = number(asked, "after")
    reader = Reader(desk.connection, patience_s=PATIENCE_S)
    return beating(_sent(live(reader, chosen, after or 0, desk.ending)))


async def _sent(batches: AsyncIterator[Batch]) -> AsyncIterator[bytes]:
    async for batch in batches:
        yield _parts(batch)


def _parts(batch: Batch) -> bytes:
    parts = [message("away", {"why": batch.why})] if batch.why else []
    if batch.skipped:
        parts.append(message("skipped", {"count": batch.skipped}))
    parts += [message("row", _row(event_of(one)), one.stream_seq) for one in batch.messages]
    return b"".join(parts)


def _row(event: Event) -> dict[str, object]:
    """The fields of the row, and the pages it leads to."""
    at = event.at
    return {
        **asdict(event),
        "at": at.isoformat(),
        "absolute": absolute(at),
        "utc": zoned(at, "utc"),
        "china": zoned(at, "china"),
        "page": f"/events/{event.seq}",
        "order_page": f"/orders/{segment(event.order_id)}" if event.order_id else "",
    }


SCREEN: Final = Screen(
    name="events",
    path="/events",
    template="events.html",
    read=read,
    words=OF_EVENTS,
    others=("before", "after"),
    menu="Events",
    key="e",
    live=follow,
)
