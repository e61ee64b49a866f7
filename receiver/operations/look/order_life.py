"""The life of an order as one document: what came, what was made of it, what handlers did."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.errors import BusError, ConfigurationError
from receiver.operations.look.archive import Archive
from receiver.operations.look.documents import (
    callback_document,
    event_document,
    header,
    letter_document,
    moment,
    schedule_document,
)

LIMIT: Final = 500
"""So many events are shown unless more are asked for, the latest."""
FoundT = TypeVar("FoundT")


async def order_life(
    archive: Archive, filters: Filters, *, reveal: bool = False
) -> dict[str, Any] | None:
    """Everything that is known of `filters.order_id`; None where no event of it is stored.

    `filters.until` cuts the life there: what came or ran later is left out, and so is what waits
    now. `events_count` is how many are stored, of which `events` are the latest. What could not be
    read is in `missing`, a sentence each.
    """
    chosen = selection.events(filters, archive.subjects)
    limited = replace(chosen, limit=filters.limit or LIMIT)
    async with aclosing(archive.reader.read(limited)) as reading:
        events = [stored async for stored in reading]
    if not events:
        return None
    total = len(events)
    if total == limited.limit and not chosen.tests:
        total = await archive.reader.count(chosen)
    missing: list[str] = []
    runs = await _runs(archive, filters, events, missing)
    ids = {one.headers.get("ce-id") for one in events}
    letters = await _or(archive.letters_of(runs, ids), [], "the dead letters", missing)
    documents = [event_document(stored, reveal=reveal) for stored in events]
    return {
        "order_id": filters.order_id,
        "channels": sorted({one["channel"] or "unknown" for one in documents}),
        "order_no": _own_number(documents),
        "at": filters.until.isoformat() if filters.until else None,
        "events_count": total,
        "callbacks": await _callbacks(archive, events, missing),
        "events": documents,
        "runs": runs,
        "dead_letters": _before(map(letter_document, letters), "at", filters.until),
        "scheduled": await _scheduled(archive, filters, events, missing),
        "missing": missing,
    }


async def _runs(
    archive: Archive, filters: Filters, events: Sequence[StoredMessage], missing: list[str]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for channel in _channels(events):
        asked = archive.runs_of_order(channel, filters.order_id, filters.since)
        found += await _or(asked, [], "the records of runs", missing)
    return _before(found, "started_at", filters.until)


async def _callbacks(
    archive: Archive, events: Sequence[StoredMessage], missing: list[str]
) -> list[dict[str, Any]]:
    """Without their bodies: those are `yizhan callback`'s to show."""
    found = await _or(archive.callbacks_of(events), {}, "the callbacks", missing)
    return [
        _callback(archive, callback_id, raw, [e for e in events if _is_of(e, callback_id)])
        for callback_id, raw in found.items()
    ]


def _callback(
    archive: Archive,
    callback_id: str,
    raw: StoredMessage | None,
    events: Sequence[StoredMessage],
) -> dict[str, Any]:
    """What the event says of it, where it is not near the event, or gone."""
    first = events[0].headers
    known: Mapping[str, Any] = (
        callback_document(raw, archive.subjects, reveal=False) if raw is not None else {}
    )
    source = (header(first, "ce-source") or "").removeprefix("/sources/")
    return {
        "callback_id": callback_id,
        "stream_seq": known.get("stream_seq"),
        "source": source or None,
        "received_at": header(first, "ce-receivedtime"),
        "message_type": known.get("message_type"),
        "trust": header(first, "ce-trust"),
        "retransmission_of": header(first, "ce-retransmissionof"),
        "replay_of": header(first, "ce-replayof"),
        "events": [one.stream_seq for one in events],
    }


async def _scheduled(
    archive: Archive, filters: Filters, events: Sequence[StoredMessage], missing: list[str]
) -> list[dict[str, Any]]:
    if filters.until is not None:
        return []
    found: list[dict[str, Any]] = []
    for channel in _channels(events):
        asked = archive.scheduled(channel, filters.order_id)
        waiting = await _or(asked, (), "what is put off", missing)
        found += map(schedule_document, waiting)
    return found


def _channels(events: Sequence[StoredMessage]) -> list[str]:
    return list(dict.fromkeys(one.headers.get("ce-channel", "unknown") for one in events))


def _is_of(event: StoredMessage, callback_id: str) -> bool:
    headers = event.headers
    return (
        header(headers, "ce-callbackid") == callback_id
        and headers.get("ce-origin", "push") == "push"
    )


def _own_number(events: Iterable[Mapping[str, Any]]) -> str | None:
    numbers = [one["data"].get("order_no") for one in events if isinstance(one["data"], dict)]
    return next(filter(None, reversed(numbers)), None)


def _before(
    found: Iterable[dict[str, Any]], name: str, until: datetime | None
) -> list[dict[str, Any]]:
    """Those whose time lies before `until`."""
    if until is None:
        return list(found)
    return [one for one in found if (at := moment(one[name])) is not None and at < until]


async def _or(
    asked: Coroutine[Any, Any, FoundT], nothing: FoundT, what: str, missing: list[str]
) -> FoundT:
    """What was asked for; `nothing`, and a sentence in `missing`, where it cannot be read."""
    try:
        return await asked
    except (BusError, ConfigurationError) as error:
        sentence = f"{what} are missing: {error}"
        if sentence not in missing:
            missing.append(sentence)
        return nothing
