"""The life of an order as one document: what came, what was made of it, what handlers did."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.reader import Scanned
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
from receiver.operations.look.order_state import FoldedOrder, kept_state, state_document

LIMIT: Final = 500
"""So many events are shown unless more are asked for, the latest."""
FoundT = TypeVar("FoundT")


async def order_life(
    archive: Archive,
    filters: Filters,
    *,
    reveal: bool = False,
    scanned: Scanned = lambda _: None,
) -> dict[str, Any] | None:
    """Everything that is known of `filters.order_id`; None where no event of it is stored.

    `filters.until` cuts the life there: what came or ran later is left out, and so is what waits
    now. `states` are what all its events say together, one a channel. `events_count` is how many
    events are stored, of which `events` are the latest. What could not be read is in `missing`, a
    sentence each.
    """
    chosen = replace(selection.events(filters, archive.subjects), limit=None)
    latest = deque[StoredMessage](maxlen=filters.limit or LIMIT)
    folded, total = FoldedOrder(filters.order_id or ""), 0
    async with aclosing(archive.reader.read(chosen, scanned=scanned)) as reading:
        async for stored in reading:
            total += 1
            latest.append(stored)
            folded.add(stored)
    if not total:
        return None
    events, missing = list(latest), list[str]()
    runs = await _runs(archive, filters, events, missing)
    letters = await _letters(archive, runs, events, missing)
    documents = [_event(stored, folded, filters, reveal=reveal) for stored in events]
    facts = {one["fact_id"] for one in documents if one["fact_id"]}
    effects = await _or(archive.effects_of(facts), [], "effects", missing)
    return {
        "order_id": filters.order_id,
        "channels": sorted({one["channel"] or "unknown" for one in documents}),
        "order_no": _own_number(documents),
        "at": filters.until.isoformat() if filters.until else None,
        "states": await _states(archive, filters, folded, missing),
        "events_count": total,
        "callbacks": await _callbacks(archive, events, missing),
        "events": documents,
        "runs": runs,
        "effects": _before(effects, "at", filters.until),
        "dead_letters": _before(map(letter_document, letters), "at", filters.until),
        "scheduled": await _scheduled(archive, filters, events, missing),
        "missing": missing,
    }


def _event(
    stored: StoredMessage, folded: FoldedOrder, filters: Filters, *, reveal: bool
) -> dict[str, Any]:
    """With its `arrival`: what it was to the order when it came, where all before it was read."""
    arrival = folded.arrivals.get(stored.stream_seq) if _is_whole(filters) else None
    return {**event_document(stored, reveal=reveal), "arrival": arrival}


def _is_whole(filters: Filters) -> bool:
    """Whether every event up to the last is among those selected."""
    return filters.since is None and filters.event_type is None


async def _states(
    archive: Archive, filters: Filters, folded: FoldedOrder, missing: list[str]
) -> list[dict[str, Any]]:
    """As of the last event read; none where not all events were."""
    found = []
    for channel, state in folded.states.items() if _is_whole(filters) else ():
        kept = None
        if filters.until is None:
            asked = archive.kept_state(channel, state.order_id)
            kept = kept_state(await _or(asked, None, "the state that handlers keep", missing))
        found.append(state_document(state, kept))
    return found


async def _runs(
    archive: Archive, filters: Filters, events: Sequence[StoredMessage], missing: list[str]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for channel in _channels(events):
        asked = archive.runs_of_order(channel, filters.order_id, filters.since)
        found += await _or(asked, [], "the records of runs", missing)
    return _before(found, "started_at", filters.until)


async def _letters(
    archive: Archive,
    runs: Sequence[dict[str, Any]],
    events: Sequence[StoredMessage],
    missing: list[str],
) -> list[StoredMessage]:
    """Those that runs ended in, and those whose runs are recorded no more."""
    ids = {header(one.headers, "ce-id") for one in events}
    led = await _or(archive.letters_of(runs, ids), [], "the dead letters", missing)
    older = archive.unled_letters.of(ids, events[0].stored_at)
    rest = await _or(older, [], "dead letters whose runs are recorded no more", missing)
    return sorted({one.stream_seq: one for one in (*led, *rest)}.values(), key=_seq)


def _seq(stored: StoredMessage) -> int:
    return stored.stream_seq


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
