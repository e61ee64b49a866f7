"""Callbacks that could not be read: by source and reason, then the newest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.console.desk import Desk
from receiver.console.screen import Asked, Screen
from receiver.console.screens.events import number
from receiver.operations.look.documents import header
from receiver.operations.look.paging import StoredPage, page_before
from receiver.operations.repair.quarantine import QuarantineGroup
from receiver.operations.selecting import OF_CALLBACKS

_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A callback in the list."""

    seq: int
    at: datetime
    source: str
    message_type: str | None
    reason: str | None
    place: str | None


@dataclass(frozen=True, slots=True)
class QuarantineView:
    """The reasons, the most frequent first, and the newest callbacks, or those before a sequence;
    `older` is that before which there are more. `unknown` is how many callbacks were of a type that
    was not known. `words` are the filters.
    """

    title: str
    command: str
    words: dict[str, str]
    count: int
    groups: tuple[QuarantineGroup, ...]
    unknown: int
    callbacks: tuple[Quarantined, ...]
    older: int | None


async def read(desk: Desk, asked: Asked) -> QuarantineView:
    """The page of what the filters select."""
    found, chosen = desk.quarantine, selection.quarantine(asked.filters, desk.subjects)
    groups = await found.groups(asked.filters)
    unknown = await found.unknown(asked.filters)
    page = await page_before(found.reader, chosen, _SHOWN, number(asked, "before"))
    return view(asked, groups, unknown, page)


def view(
    asked: Asked, groups: Sequence[QuarantineGroup], unknown: int, page: StoredPage
) -> QuarantineView:
    """The page of reasons and callbacks."""
    return QuarantineView(
        title="Quarantine",
        command=asked.command("quarantine", "list"),
        words=dict(asked.words),
        count=sum(group.count for group in groups),
        groups=tuple(groups),
        unknown=unknown,
        callbacks=tuple(map(_quarantined, page.messages)),
        older=page.older,
    )


def _quarantined(stored: StoredMessage) -> Quarantined:
    return Quarantined(
        seq=stored.stream_seq,
        at=stored.stored_at,
        source=stored.nats_subject.rpartition(".")[2],
        message_type=header(stored.headers, "yizhan-messagetype"),
        reason=header(stored.headers, "yizhan-reason"),
        place=header(stored.headers, "yizhan-place"),
    )


SCREEN: Final = Screen(
    name="quarantine",
    path="/quarantine",
    template="quarantine.html",
    read=read,
    words=OF_CALLBACKS,
    others=("before",),
    menu="Quarantine",
    key="q",
)
