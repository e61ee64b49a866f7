"""One callback or one event as a document, with what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from receiver.bus.durables import Durable
from receiver.bus.message import StoredMessage
from receiver.bus.subjects import overlap
from receiver.operations.look.archive import Archive
from receiver.operations.look.documents import (
    callback_document,
    event_document,
    header,
    letter_document,
)

DONE: Final = "done"
IN_HAND: Final = "in hand"
PENDING: Final = "pending"


async def event_view(archive: Archive, stored: StoredMessage, *, reveal: bool) -> dict[str, Any]:
    """An event with its callback, the exact bytes that came (`callback`, null where they are not
    near), and each handler that takes it: how far it is, and its recorded runs.
    """
    headers = stored.headers
    event = event_document(stored, reveal=reveal)
    runs = await archive.runs_of_order(
        event["channel"] or "unknown", event["order_id"], stored.stored_at
    )
    own = [run for run in runs if run["event_id"] == event["id"]]
    letters = await archive.letters_of(own, {headers.get("ce-id")})
    near = await archive.callbacks_of([stored])
    callback = near.get(header(headers, "ce-callbackid") or "")
    return {
        "event": event,
        "callback": callback and callback_document(callback, archive.subjects, reveal=reveal),
        "handlers": _handlers(stored, await archive.durables(), own),
        "dead_letters": [letter_document(letter) for letter in letters],
    }


async def callback_view(archive: Archive, stored: StoredMessage, *, reveal: bool) -> dict[str, Any]:
    """A callback with the events that were made of it, without their data."""
    events = await archive.events_of_callback(stored)
    return {
        "callback": callback_document(stored, archive.subjects, reveal=reveal),
        "events": [
            {k: v for k, v in event_document(one, reveal=False).items() if k != "data"}
            for one in events
        ],
    }


def _handlers(
    stored: StoredMessage, found: Iterable[Durable], runs: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Those that ran it, and those whose consumers take its subject."""
    taking = {
        one.handler: _progress(one, stored)
        for one in found
        if any(overlap(wanted, stored.nats_subject) for wanted in one.filters)
    }
    names = dict.fromkeys([*taking, *(run["handler"] for run in runs)])
    return [
        {
            "handler": name,
            "progress": taking.get(name),
            "runs": [run for run in runs if run["handler"] == name],
        }
        for name in names
    ]


def _progress(durable: Durable, stored: StoredMessage) -> str:
    """`done` also where the handler began later; `in hand` where it may wait for a retry."""
    if durable.floor >= stored.stream_seq:
        return DONE
    return IN_HAND if durable.delivered >= stored.stream_seq else PENDING
