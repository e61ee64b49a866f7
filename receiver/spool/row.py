"""One row of the spool: a callback's messages and claim as bytes, and the checks on the way back.

Performs no I/O. A row that was damaged, in whatever way, is a `SpoolError` without a word of what
it holds.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import Bundle
from receiver.errors import SpoolError

ROW_BYTES: Final = 512
"""What a row takes beside its content, at most: columns, three indexes, half a page."""
_OF_ITS_BODY: Final = 32
"""Hexadecimal digits of a callback's id in a row without a digest (see `receiver.callback`)."""


def row_bytes(bundle: Bundle) -> int:
    """About what a bundle takes in memory and on disk."""
    return ROW_BYTES + sum(
        [2 * len(message.head) + len(message.body) for message in bundle.messages]
    )


@dataclass(frozen=True, slots=True)
class SpooledBundle:
    """A bundle with its place in the spool and the time (of the epoch) it was put there."""

    row: int
    spooled_at: float
    bundle: Bundle


def encode_bundle(bundle: Bundle) -> bytes:
    """A line of JSON with subjects, headers and lengths, then the bodies as they are."""
    every = [*bundle.messages, *([bundle.claim] if bundle.claim else [])]
    head = {
        "guarded": bundle.claim is not None,
        "messages": [[m.subject, m.headers, len(m.body)] for m in every],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    return b"\n".join([text, b"".join(message.body for message in every)])


def decode_bundle(content: bytes) -> Bundle:
    """The bundle that `encode_bundle` was given; raises `SpoolError` for anything else."""
    text, _, bodies = content.partition(b"\n")
    try:
        head: dict[str, Any] = json.loads(text)
        messages, start = [], 0
        for subject, headers, length in head["messages"]:
            messages.append(OutgoingMessage.of(subject, headers, bodies[start : start + length]))
            start += length
        if start != len(bodies):
            raise ValueError(start)
        claim = messages.pop() if head["guarded"] else None
        messages[0].msg_id  # noqa: B018 - there is a first, and it has an id
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise SpoolError("a row of the spool cannot be read") from error
    return Bundle(messages, claim)


def digest_of(row_id: str, content: bytes) -> bytes:
    """What proves that a row is what was put there."""
    return hashlib.sha256(row_id.encode() + b"\n" + content).digest()


def read_row(
    row: int, row_id: object, spooled_at: object, content: object, digest: object
) -> SpooledBundle:
    """The bundle of a row, its columns as SQLite gave them; raises `SpoolError` where it is not
    what was put there.

    A row of version 0.1 has no digest: its callback's id is made from the body.
    """
    if not (
        isinstance(row_id, str) and isinstance(spooled_at, float) and isinstance(content, bytes)
    ):
        raise SpoolError("a row of the spool has a column of another type")
    if digest is not None and digest != digest_of(row_id, content):
        raise SpoolError("a row of the spool does not fit its digest")
    bundle = decode_bundle(content)
    if bundle.id != row_id or (digest is None and not _is_of_its_body(bundle)):
        raise SpoolError("a row of the spool does not fit its id")
    return SpooledBundle(row, spooled_at, bundle)


def _is_of_its_body(bundle: Bundle) -> bool:
    text = bundle.source.encode() + b"\n" + bundle.messages[0].body
    return bundle.id == hashlib.sha256(text).hexdigest()[:_OF_ITS_BODY]
