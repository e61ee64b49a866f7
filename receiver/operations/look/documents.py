"""Stored messages as JSON: the parts of what the commands that look print. Performs no I/O.

Made from headers alone, so that an event of an older or a newer version is shown, too. Times are
RFC 3339; what is absent is null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from receiver.bus.codec import decode_event
from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.subjects import Subjects, decode_token
from receiver.errors import DecodingError
from receiver.operations.look.bodies import shown_body, shown_data
from schemas.events import MODEL_OF_TYPE

_TYPE: Final = re.compile(r"yizhan\.(.+)\.v(\d+)")
_EVENT: Final = {
    "time": "ce-time",
    "received_at": "ce-receivedtime",
    "callback_id": "ce-callbackid",
    "fact_id": "ce-factid",
    "trust": "ce-trust",
    "causation_id": "ce-causationid",
    "retransmission_of": "ce-retransmissionof",
    "replay_of": "ce-replayof",
    "traceparent": "traceparent",
    "dataschema": "ce-dataschema",
}
_CALLBACK: Final = {
    "callback_id": "yizhan-callbackid",
    "received_at": "yizhan-receivedtime",
    "dialect": "yizhan-dialect",
    "trust": "yizhan-trust",
    "message_type": "yizhan-messagetype",
    "message_id": "yizhan-messageid",
    "delivery_id": "yizhan-deliveryid",
    "client": "yizhan-client",
    "content_type": "content-type",
    "content_encoding": "yizhan-contentencoding",
    "unknown_fields": "yizhan-unknownfields",
    "reason": "yizhan-reason",
    "place": "yizhan-place",
}
_EFFECT: Final = (
    *("handler", "name", "state", "fact", "event_id", "attempt", "at", "deadline", "why"),
    *("happened", "by", "note"),
)
_LETTER: Final = {
    "event_id": "ce-id",
    "handler": "yizhan-handler",
    "reason": "yizhan-reason",
    "place": "yizhan-place",
    "at": "yizhan-time",
    "code_version": "yizhan-codeversion",
    "traceback": "yizhan-traceback",
}


def event_document(stored: StoredMessage, *, reveal: bool) -> dict[str, Any]:
    """An event: its place, its attributes and its `data`, masked without `reveal`. `unreadable`
    says why this version cannot decode it.
    """
    headers = stored.headers
    match = _TYPE.fullmatch(headers.get("ce-type", ""))
    return {
        **_place(stored),
        "id": header(headers, "ce-id"),
        "type": match[1] if match else header(headers, "ce-type"),
        "channel": header(headers, "ce-channel"),
        "order_id": header(headers, "ce-subject"),
        "source": (header(headers, "ce-source") or "").removeprefix("/sources/") or None,
        **{name: header(headers, field) for name, field in _EVENT.items()},
        "origin": header(headers, "ce-origin") or "push",
        "simulated": headers.get("ce-simulated") == "true",
        "unreadable": _why_unreadable(stored),
        "data": shown_data(stored.body, reveal=reveal),
    }


def callback_document(stored: StoredMessage, subjects: Subjects, *, reveal: bool) -> dict[str, Any]:
    """A raw callback, or one in quarantine: its place, the facts of its arrival, its body."""
    quarantined = stored.nats_subject.startswith(subjects.quarantine(""))
    return {
        **_place(stored),
        "source": stored.nats_subject.rpartition(".")[2],
        "quarantined": quarantined,
        **{name: header(stored.headers, field) for name, field in _CALLBACK.items()},
        "body": shown_body(stored.body, reveal=reveal),
    }


def run_document(stored: StoredMessage) -> dict[str, Any] | None:
    """A record of a run, with its handler; None for what is none."""
    try:
        record = json.loads(stored.body)
        datetime.fromisoformat(record["started_at"])
    except (ValueError, KeyError, TypeError):
        return None
    return {"handler": stored.nats_subject.split(".")[2], **record}


def letter_document(stored: StoredMessage) -> dict[str, Any]:
    """A dead letter without its body: which event, which handler, why, after which attempts."""
    headers = stored.headers
    tokens = stored.nats_subject.split(".")
    return {
        "stream_seq": stored.stream_seq,
        "cause": tokens[3] if len(tokens) > 3 else None,
        **{name: header(headers, field) for name, field in _LETTER.items()},
        "event_seq": _number(headers, "yizhan-streamseq"),
        "attempts": _number(headers, "yizhan-attempts"),
        "history": _history(headers),
    }


def schedule_document(stored: StoredMessage) -> dict[str, Any]:
    """What is put off until a time: for which handler and event, and when it comes."""
    _, _, kind, handler, channel, key, *_ = stored.nats_subject.split(".")
    return {
        "stream_seq": stored.stream_seq,
        "kind": kind,
        "handler": handler,
        "channel": channel,
        "order_id": decode_token(key),
        "event_id": header(stored.headers, "ce-id"),
        "at": stored.headers.get("Nats-Schedule", "").removeprefix("@at ") or None,
    }


def effect_document(stored: StoredMessage) -> dict[str, Any] | None:
    """An effect of a handler: for which event, how far it came; None for what is none."""
    try:
        record = json.loads(stored.body)
        return {name: record.get(name) for name in _EFFECT}
    except (ValueError, AttributeError):
        return None


def header(headers: Mapping[str, str], name: str) -> str | None:
    """The decoded value of a header; None where it is absent or empty."""
    return decode_header(headers.get(name, "")) or None


def moment(text: str | None) -> datetime | None:
    """A time of a document; None where it is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _place(stored: StoredMessage) -> dict[str, Any]:
    return {
        "stream_seq": stored.stream_seq,
        "stored_at": stored.stored_at.isoformat(),
        "nats_subject": stored.nats_subject,
    }


def _why_unreadable(stored: StoredMessage) -> str | None:
    try:
        decode_event(stored.headers, stored.body)
    except DecodingError as error:
        match = _TYPE.fullmatch(stored.headers.get("ce-type", ""))
        if match and match[1] in MODEL_OF_TYPE and match[2] != "1":
            return f"it is version {match[2]} of its type, and this Yizhan reads version 1"
        return str(error)
    return None


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() else None


def _history(headers: Mapping[str, str]) -> list[Any]:
    try:
        history = json.loads(decode_header(headers.get("yizhan-history", "")))
    except ValueError:
        return []
    return history if isinstance(history, list) else []
