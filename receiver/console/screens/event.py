"""One event: what it says, who handled it, and the callback that it came in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from receiver.bus.message import StoredMessage
from receiver.bus.read.filters import Filters
from receiver.console.desk import Desk
from receiver.console.following import AFTER, follow, followed
from receiver.console.path_text import TEXT
from receiver.console.screen import Asked, GoneError, Screen
from receiver.operations.look.documents import header
from receiver.operations.look.id_kinds import hint
from receiver.operations.look.single import (
    CALLBACKS,
    EVENTS,
    NotStoredError,
    event_view,
    stored_at,
)

_SEQ: Final = re.compile(r"[0-9]{1,15}")
_NOT_LISTED: Final = frozenset({"data", "body", "quarantined", "simulated"})


@dataclass(frozen=True, slots=True)
class EventView:
    """The documents of `yizhan event --json`; personal data is masked unless it is revealed."""

    title: str
    command: str
    seq: int
    event: dict[str, Any]
    attributes: dict[str, Any]
    callback: dict[str, Any] | None
    handlers: list[dict[str, Any]]
    dead_letters: list[dict[str, Any]]
    retransmissions: list[dict[str, Any]]
    is_revealed: bool
    live: str


async def read(desk: Desk, asked: Asked) -> EventView:
    """By its sequence or its id; raises `GoneError` where it is not stored."""
    stored = await found(desk, asked.path["which"], EVENTS)
    page = f"/events/{stored.stream_seq}"
    live = await followed(desk, page, header(stored.headers, "ce-subject"))
    document = await event_view(desk.archive, stored, reveal=asked.reveal)
    return view(document, live, revealed=asked.reveal)


def view(document: dict[str, Any], live: str, *, revealed: bool) -> EventView:
    """The page of a document."""
    event = document["event"]
    seq = event["stream_seq"]
    return EventView(
        title=f"Event #{seq}",
        command=f"yizhan event '#{seq}'{' --reveal' if revealed else ''}",
        seq=seq,
        event=event,
        attributes=attributes(event),
        callback=document["callback"],
        handlers=document["handlers"],
        dead_letters=document["dead_letters"],
        retransmissions=document["retransmissions"],
        is_revealed=revealed,
        live=live,
    )


async def follow_event(desk: Desk, asked: Asked) -> AsyncIterator[bytes]:
    """What is new of its order; see `receiver.console.following.follow`."""
    stored = await found(desk, asked.path["which"], EVENTS)
    return await follow(desk, asked, header(stored.headers, "ce-subject"))


def attributes(document: dict[str, Any]) -> dict[str, Any]:
    """What is listed of a document: what it has a value of, but what it holds."""
    return {
        name: value
        for name, value in document.items()
        if name not in _NOT_LISTED and value not in {None, False}
    }


async def found(desk: Desk, which: str, kinds: tuple[str, ...]) -> StoredMessage:
    """The message of a sequence or an id; raises `GoneError`. An id of the last hours is known to
    NATS, any other is searched for among the last 24 hours.
    """
    archive = desk.archive
    if _SEQ.fullmatch(which):
        try:
            return await stored_at(archive, int(which), kinds)
        except NotStoredError as error:
            raise GoneError(str(error)) from None
    search = archive.callback if kinds == CALLBACKS else archive.event
    stored = await search(which, Filters())
    if stored is None:
        said = hint(which)
        among = f"{which}: is not among the {kinds[0]} of the last 24 hours"
        raise GoneError(f"{among}; {said}" if said else among)
    return stored


SCREEN: Final = Screen(
    name="event",
    path=f"/events/{{which:{TEXT}}}",
    template="event.html",
    read=read,
    others=(AFTER,),
    live=follow_event,
)
