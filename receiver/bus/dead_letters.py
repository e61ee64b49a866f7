"""A dead letter: the original message, and why its handler gave up on it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from receiver.bus.headers import encode_header
from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.bus.subjects import Subjects


@dataclass(frozen=True, slots=True)
class Failure:
    """Which handler failed, why and where, and which stored message it could not handle."""

    handler: str
    reason: str
    place: str
    attempts: int
    nats_subject: str
    stream_seq: int
    time: datetime


def encode_dead_letter(
    headers: Mapping[str, str], body: bytes, failure: Failure, subjects: Subjects
) -> OutgoingMessage:
    """The dead letter of a stored message; the same failure is the same `Nats-Msg-Id`.

    The server's own headers (`Nats-…`) are left out: they say how the original was to be stored.
    """
    kept = {
        name: text if text.isprintable() else encode_header(text)
        for name, text in headers.items()
        if not name.lower().startswith("nats-")
    }
    event_id = kept.get("ce-id", "")[:256]
    facts = {
        MSG_ID: f"{event_id}.{failure.handler}.{failure.stream_seq}",
        "yizhan-handler": failure.handler,
        "yizhan-reason": encode_header(failure.reason),
        "yizhan-place": encode_header(failure.place),
        "yizhan-attempts": str(failure.attempts),
        "yizhan-subject": failure.nats_subject,
        "yizhan-streamseq": str(failure.stream_seq),
        "yizhan-time": failure.time.isoformat(),
    }
    return OutgoingMessage.of(subjects.dead(failure.handler), kept | facts, body)
