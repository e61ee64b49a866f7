"""A dead letter: the original message, and why its handler gave up on it. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from receiver.bus.codec import decode_event
from receiver.bus.headers import TIMER, decode_header, encode_header
from receiver.bus.message import MSG_ID, OutgoingMessage, StoredMessage
from receiver.bus.schedules import place_in_order
from receiver.bus.subjects import Subjects

_MAX_TRACEBACK_CHARS: Final = 4000
_EVENT_TOKENS: Final = 4
HISTORY: Final = "yizhan-history"
_KEPT: Final = frozenset({HISTORY, TIMER, "yizhan-subject", "yizhan-streamseq"})
"""Of the headers of a letter, what is of use to a run of its event."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run that failed: when it began, the fingerprint of its error, and where that arose."""

    time: datetime
    digest: str
    place: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Which handler failed, why and where, and which stored message it could not handle.

    `fingerprint` is one token of a subject. `history` are the attempts that are known, oldest
    first, this one included. `code_version` is that of the handler's code, `timer` the key of the
    timer that the run was of.
    """

    handler: str
    reason: str
    place: str
    attempts: int
    nats_subject: str
    stream_seq: int
    time: datetime
    fingerprint: str
    traceback: str = ""
    history: Sequence[Attempt] = ()
    fact_id: str = ""
    code_version: str = ""
    timer: str = ""


def encode_dead_letter(
    headers: Mapping[str, str], body: bytes, failure: Failure, subjects: Subjects
) -> OutgoingMessage:
    """The dead letter of a stored message. Its `Nats-Msg-Id` names this burial: what is run again
    and fails again is another letter.

    The server's own headers (`Nats-…`) are left out: they say how the original was to be stored.
    So are ours that are none of an event, as of an earlier letter.
    """
    kept = {
        name: text if text.isprintable() else encode_header(text)
        for name, text in headers.items()
        if not name.lower().startswith(("nats-", "yizhan-"))
    }
    event_id = kept.get("ce-id", "")[:256]
    buried_ms = int(failure.time.timestamp() * 1000)
    facts = {
        MSG_ID: f"{event_id}.{failure.handler}.{failure.stream_seq}.{buried_ms}",
        "yizhan-handler": failure.handler,
        "yizhan-reason": encode_header(failure.reason),
        "yizhan-place": encode_header(failure.place),
        "yizhan-traceback": encode_header(failure.traceback[-_MAX_TRACEBACK_CHARS:]),
        "yizhan-attempts": str(failure.attempts),
        HISTORY: encode_header(json.dumps(list(map(_as_json, failure.history)))),
        "yizhan-factid": failure.fact_id,
        "yizhan-codeversion": encode_header(failure.code_version),
        TIMER: encode_header(failure.timer),
        "yizhan-subject": failure.nats_subject,
        "yizhan-streamseq": str(failure.stream_seq),
        "yizhan-time": failure.time.isoformat(),
    }
    given = {name: text for name, text in facts.items() if text}
    subject = subjects.dead(failure.handler, failure.fingerprint)
    return OutgoingMessage.of(subject, kept | given, body)


def read_history(headers: Mapping[str, str]) -> list[Attempt]:
    """The attempts that a letter, or a copy made of one, names; none where they are unreadable."""
    try:
        read = json.loads(decode_header(headers.get(HISTORY, "")))
        return [
            Attempt(datetime.fromisoformat(one["time"]), one["digest"], one["place"])
            for one in read
        ]
    except (ValueError, KeyError, TypeError):
        return []


def retried_copy(letter: StoredMessage, subjects: Subjects) -> OutgoingMessage:
    """What gives a letter back to its handler: a copy of the event that is due now, on the subject
    that puts it into the lane of its order. It keeps the history.

    Its `Nats-Msg-Id` names the burial: who gives the same letter back once more, within the
    duplicate window, stores nothing. Raises `DecodingError` for what holds no event of ours.
    """
    headers, handler = letter.headers, letter.nats_subject.split(".")[2]
    stored_on = headers.get("yizhan-subject", "")
    if len(stored_on.split(".")) < _EVENT_TOKENS:
        event = decode_event(headers, letter.body)
        stored_on = subjects.event(event.data.channel, event.event_type, event.order_id)
    kept = {
        name: text if text.isprintable() else encode_header(text)
        for name, text in headers.items()
        if name in _KEPT or not name.lower().startswith(("nats-", "yizhan-"))
    }
    kept[MSG_ID] = f"retry.{letter.stream_seq}.{headers.get(MSG_ID, '')}"
    subject = subjects.due(handler, *place_in_order(stored_on))
    return OutgoingMessage.of(subject, kept, letter.body)


def _as_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "time": attempt.time.isoformat(),
        "digest": attempt.digest,
        "place": attempt.place,
    }
