"""The other callbacks that reported the fact of an event, and in which fields they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from receiver.bus.message import StoredMessage
from receiver.bus.read.selection import HeaderTest, StreamSelection
from receiver.operations.look.archive import Archive
from receiver.operations.look.bodies import masked_body
from receiver.operations.look.documents import callback_document, header

_MOST: Final = 20
_FIELDS: Final = 50
_CHARS: Final = 200
_DEPTH: Final = 16
_NAMED: Final = ("callback_id", "stream_seq", "received_at", "message_type")


async def retransmissions(
    archive: Archive, event: StoredMessage, callback: StoredMessage | None, *, reveal: bool
) -> list[dict[str, Any]]:
    """The latest 20 at most, oldest first: which callback, its event, and `differences`, the fields
    in which it differs from `callback`, with both values, personal data masked without `reveal`;
    None where not both are stored near their events, or hold no fields.
    """
    fact = header(event.headers, "ce-factid")
    if fact is None or header(event.headers, "ce-subject") is None:
        return []
    chosen = StreamSelection(
        archive.subjects.stream,
        [event.nats_subject],
        tests=(HeaderTest("ce-factid", fact),),
        limit=_MOST + 1,
    )
    events = [one async for one in archive.reader.read(chosen)]
    seqs = {header(one.headers, "ce-callbackid"): one.stream_seq for one in events}
    own = header(event.headers, "ce-callbackid")
    found = await archive.callbacks_of(events)
    return [
        {
            **_named(archive, callback_id, other),
            "event_seq": seqs[callback_id],
            "differences": None
            if callback is None or other is None
            else differences(callback.body, other.body, reveal=reveal),
        }
        for callback_id, other in found.items()
        if callback_id != own
    ]


def differences(one: bytes, other: bytes, *, reveal: bool) -> list[dict[str, Any]] | None:
    """The fields that are not the same, at most 50: `field` is its path, `here` its value in `one`,
    `there` that in `other`, None where it is not in it. None where one of them is neither JSON nor
    a form.
    """
    first, second = _read(one), _read(other)
    if first is None or second is None:
        return None
    here, there = dict(_fields(first)), dict(_fields(second))
    names = [name for name in {**here, **there} if here.get(name) != there.get(name)][:_FIELDS]
    if not reveal:
        here, there = dict(_fields(masked_body(one))), dict(_fields(masked_body(other)))
    return [
        {"field": name, "here": _short(here.get(name)), "there": _short(there.get(name))}
        for name in names
    ]


def _named(archive: Archive, callback_id: str, raw: StoredMessage | None) -> dict[str, Any]:
    if raw is None:
        return {**dict.fromkeys(_NAMED), "callback_id": callback_id}
    document = callback_document(raw, archive.subjects, reveal=False)
    return {name: document[name] for name in _NAMED}


def _read(body: bytes) -> Any:
    """What it holds; None where that cannot be known."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if (value := _json(text)) is not None:
        return value
    try:
        pairs = parse_qsl(text, max_num_fields=_FIELDS * 4) if "=" in text else []
    except ValueError:  # more parameters than that
        return None
    return dict(pairs) or None


def _fields(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Each field by its path, also within texts that hold JSON."""
    if isinstance(value, str) and (within := _json(value)) is not None:
        value = within
    if depth < _DEPTH and isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from _fields(part, f"{path}.{name}" if path else str(name), depth + 1)
    elif depth < _DEPTH and isinstance(value, list) and value:
        for number, part in enumerate(value):
            yield from _fields(part, f"{path}[{number}]", depth + 1)
    else:
        yield path, value


def _json(text: str) -> Any:
    """An object or a list; None for any other text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _short(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:_CHARS] + "…" if len(text) > _CHARS else value
