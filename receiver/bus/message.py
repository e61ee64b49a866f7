"""A message on its way into the stream, and one that the stream holds. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from nats.aio.msg import Msg

from receiver.bus.subjects import input_subject

if TYPE_CHECKING:
    from receiver.observability.spans import StoringSpan

MSG_ID: Final = "Nats-Msg-Id"
_TTL: Final = b"Nats-TTL: "
_COMMAND_BYTES: Final = 256
"""Room for the command's own words, the subject for the answer and a condition."""


class OutgoingMessage(NamedTuple):
    """A message ready for the stream; `subject` is the one it is stored under.

    `head` is its header lines, each ending in CRLF, `Nats-Msg-Id` among them; `msg_id` is that
    header's value, the id by which the stream knows a duplicate. `OutgoingMessage.of` makes one of
    headers by name; who makes `head` directly sees to it that no value holds a line break. `span`
    is that of what the message is stored for, where that is sampled.
    """

    subject: str
    msg_id: str
    head: bytes
    body: bytes
    span: StoringSpan | None = None

    @classmethod
    def of(cls, subject: str, headers: Mapping[str, str], body: bytes) -> OutgoingMessage:
        """A message of headers by name; raises `ValueError` where one cannot be sent, `KeyError`
        where there is no id.
        """
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
            raise ValueError("a header holds a line break")
        return cls(subject, headers[MSG_ID], lines.encode(errors="surrogateescape"), body)

    @property
    def headers(self) -> dict[str, str]:
        """The headers by name, as a subscriber gets them."""
        lines = self.head.decode(errors="surrogateescape").split("\r\n")[:-1]
        return dict(line.split(": ", 1) for line in lines)


def lifetime_s(message: OutgoingMessage) -> float:
    """For how many seconds the stream keeps it, by its `Nats-TTL`; for ever without one."""
    head = message.head
    start = head.find(_TTL)
    if start < 0:
        return math.inf
    start += len(_TTL)
    return int(head[start : head.index(b"s\r\n", start)])


def encoded_bytes(message: OutgoingMessage) -> int:
    """About what a message takes on the wire: what is counted against the server's limit."""
    return len(message.subject) + len(message.head) + len(message.body) + _COMMAND_BYTES


def encode_hpub(message: OutgoingMessage, more: bytes = b"", reply: bytes = b"") -> bytes:
    """The `HPUB` command of a message, to the input side of its subject, with `more` header lines
    and a subject for the answer.
    """
    subject, _, head, body, _ = message
    head_bytes = len(head) + len(more) + 12
    return b"HPUB %b %b%d %d\r\nNATS/1.0\r\n%b%b\r\n%b\r\n" % (
        input_subject(subject).encode(),
        reply + b" " if reply else b"",
        head_bytes,
        head_bytes + len(body),
        head,
        more,
        body,
    )


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as the stream holds it; `body` is empty where only headers were asked for."""

    nats_subject: str
    headers: Mapping[str, str]
    body: bytes
    stream_seq: int
    stored_at: datetime

    @classmethod
    def of(cls, message: Msg) -> StoredMessage:
        """What a consumer delivered; raises `nats.errors.NotJSMessageError` for anything else."""
        metadata = message.metadata
        return cls(
            message.subject,
            message.headers or {},
            message.data,
            metadata.sequence.stream,
            metadata.timestamp,
        )
