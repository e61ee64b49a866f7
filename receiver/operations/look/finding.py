"""Where an id leads that an operator has at hand, whatever kind of id it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters, is_fingerprint
from receiver.operations.look.archive import Archive, Mention
from receiver.operations.look.documents import header
from receiver.operations.look.id_kinds import hint
from receiver.operations.look.numbers import indexed
from schemas.events import MODEL_OF_TYPE
from schemas.values import MAX_ID_CHARS

Kind = Literal["order", "event", "callback", "quarantined", "cause", "type"]
_SEQ: Final = re.compile(r"#?(\d{1,15})")
_CALLBACK: Final = re.compile(r"[0-9a-f]{32}")
_EVENT: Final = re.compile(r"[0-9a-f]{32}\.\d+(\.[^.\s]+\.\d+)*")
_KINDS: Final[dict[str, Kind]] = {
    "events": "event",
    "callbacks": "callback",
    "quarantine": "quarantined",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a text names. Of an event or a callback `seq` is its place in the stream and
    `order_id` its order, where it has one; `text` is the id itself.
    """

    kind: Kind
    text: str
    seq: int | None = None
    order_id: str | None = None


async def find(archive: Archive, text: str, *, widely: bool = False) -> list[Found]:
    """What a text names: an order's id, another number of an order, the sequence, the id of an
    event or a callback, an event type, the fingerprint of a cause. By indexes alone; `widely`, also
    among the events of the last 24 hours. Raises what `Reader` raises.
    """
    text = text.strip()
    if not 0 < len(text) <= MAX_ID_CHARS:
        return []
    if text in MODEL_OF_TYPE:
        return [Found("type", text)]
    if is_fingerprint(text) and await _is_cause(archive, text):
        return [Found("cause", text)]
    if found := await _by_id(archive, text, widely=widely):
        return [found]
    if await _is_order(archive, text):
        return [Found("order", text, order_id=text)]
    mentions: Sequence[Mention] = await indexed(archive, text)
    if not mentions and widely:
        mentions = await archive.mentions(text, Filters())
    orders = dict.fromkeys(one.order_id for one in mentions if one.order_id)
    if orders:
        return [Found("order", order, order_id=order) for order in orders]
    return [found] if (found := await _by_sequence(archive, text)) else []


def why_not(text: str) -> str:
    """A sentence on a text that names nothing that is found."""
    said = hint(text)
    return f"{text}: nothing has this id, by the indexes{f'; {said}' if said else ''}"


async def _is_cause(archive: Archive, text: str) -> bool:
    subjects = archive.subjects
    return bool(await archive.count_by_subject(subjects.dead_stream, subjects.dead("*", text)))


async def _is_order(archive: Archive, text: str) -> bool:
    chosen = selection.events(Filters(order_id=text), archive.subjects)
    return bool(await archive.count_by_subject(chosen.stream, chosen.nats_subjects[0]))


async def _by_id(archive: Archive, text: str, *, widely: bool) -> Found | None:
    """By the duplicate window of the stream; otherwise a search."""
    every = Filters()
    if _EVENT.fullmatch(text):
        stored = await archive.remembered_event(text, every)
        return _found(await archive.event(text, every) if widely else stored)
    if _CALLBACK.fullmatch(text):
        stored = await archive.remembered_callback(text, every)
        return await _callback(archive, await archive.callback(text, every) if widely else stored)
    return None


async def _by_sequence(archive: Archive, text: str) -> Found | None:
    match = _SEQ.fullmatch(text)
    if match is None or not int(match[1]):
        return None
    stored = await archive.reader.get(archive.subjects.stream, int(match[1]))
    found = _found(stored)
    return await _callback(archive, stored) if found and found.kind != "event" else found


async def _callback(archive: Archive, stored: StoredMessage | None) -> Found | None:
    """With the order of the first of its events."""
    found = _found(stored)
    if found is None or stored is None:
        return None
    events = await archive.events_of_callback(stored)
    order = next(filter(None, (header(one.headers, "ce-subject") for one in events)), None)
    return Found(found.kind, found.text, found.seq, order)


def _found(stored: StoredMessage | None) -> Found | None:
    if stored is None:
        return None
    kind = _KINDS.get(stored.nats_subject.split(".")[1])
    if kind is None:
        return None
    name = "ce-id" if kind == "event" else "yizhan-callbackid"
    order = header(stored.headers, "ce-subject") if kind == "event" else None
    return Found(kind, header(stored.headers, name) or "", stored.stream_seq, order)
