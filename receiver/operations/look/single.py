"""One callback or one event as a document, with what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from receiver.bus.durables import Durable
from receiver.bus.message import StoredMessage
from receiver.bus.subjects import overlap
from receiver.errors import YizhanError
from receiver.operations.look.archive import Archive
from receiver.operations.look.documents import (
    callback_document,
    event_document,
    header,
    letter_document,
)
from receiver.operations.look.retransmissions import retransmissions

DONE: Final = "done"
IN_HAND: Final = "in hand"
PENDING: Final = "pending"

EVENTS: Final = ("events",)
CALLBACKS: Final = ("callbacks", "quarantine")
"""The kinds of messages that are shown as events, and as callbacks."""


class NotStoredError(YizhanError):
    """What is asked for is not stored (any more); its text says what is."""


async def stored_at(archive: Archive, seq: int, kinds: Sequence[str]) -> StoredMessage:
    """The message of a sequence; raises `NotStoredError` where it is not there, or of no such
    kind.
    """
    stream = archive.subjects.stream
    stored = await archive.reader.get(stream, seq)
    if stored is None:
        info = await archive.reader.info(stream)
        state = info["state"] if info else {"first_seq": 0, "last_seq": 0}
        raise NotStoredError(
            f"#{seq}: the stream {stream} holds no such message: it has "
            f"#{state['first_seq']} to #{state['last_seq']}"
        )
    kind = stored.nats_subject.split(".")[1]
    if kind not in kinds:
        other = {"callbacks": "callback", "quarantine": "callback", "events": "event"}.get(kind)
        how = f": yizhan {other} '#{seq}'" if other else f", on {stored.nats_subject}"
        raise NotStoredError(f"#{seq}: is not of {kinds[0]} but of {kind}{how}")
    return stored


async def event_view(archive: Archive, stored: StoredMessage, *, reveal: bool) -> dict[str, Any]:
    """An event with its callback, the exact bytes that came (`callback`, null where they are not
    near), each handler that takes it: how far it is, and its recorded runs; and the other callbacks
    of its fact.
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
        "retransmissions": await retransmissions(archive, stored, callback, reveal=reveal),
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
