"""One request for messages of a consumer, and what each message in answer to it means. No I/O.

The server's side of it: https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

from nats.aio.msg import Msg

_ACK_SUBJECTS: Final = "$JS.ACK."
PIN: Final = "Nats-Pin-Id"
"""The header that names the pin, of each message that a pinned client gets."""
_HEARTBEAT: Final = "100"
_ENDED: Final = frozenset({"404", "408"})
_FULL: Final = ("Message Size Exceeds MaxBytes", "Batch Completed")


@dataclass(frozen=True, slots=True)
class PullRequest:
    """How many messages are asked for, and for how long the server may take.

    Without `expires_s` the server answers at once with what it has (`no_wait`). With `heartbeat_s`
    it sends a sign of life that often while it has nothing. `max_bytes` of 0 is no limit. `group`
    is for a consumer that serves one client at a time: the one that sends the `pin` it was given,
    or, while none is pinned, the first without one.
    """

    batch: int
    max_bytes: int = 0
    expires_s: float = 0.0
    heartbeat_s: float = 0.0
    group: str = ""
    pin: str = ""

    @staticmethod
    def subject(stream: str, consumer: str) -> str:
        """Where a request goes."""
        return f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"

    def body(self) -> bytes:
        """The request in JSON; durations in nanoseconds."""
        asked: dict[str, Any] = {"batch": self.batch}
        if self.max_bytes:
            asked["max_bytes"] = self.max_bytes
        if self.expires_s:
            asked["expires"] = int(self.expires_s * 1_000_000_000)
            asked["idle_heartbeat"] = int(self.heartbeat_s * 1_000_000_000)
        else:
            asked["no_wait"] = True
        if self.group:
            asked["group"] = self.group
        if self.pin:
            asked["id"] = self.pin
        return json.dumps(asked).encode()


class Kind(Enum):
    """What came: a message of the stream, or the server's word about the request."""

    DATA = "data"
    HEARTBEAT = "heartbeat"
    ENDED = "ended"
    """The request is over as it should be: nothing more is there, the time or the room is used."""
    BROKEN = "broken"


class Answer(NamedTuple):
    """One message in answer to a request; `reason` says why it is broken."""

    kind: Kind
    reason: str = ""


def classify(message: Msg) -> Answer:
    """What a message in the inbox of a request means."""
    if message.reply.startswith(_ACK_SUBJECTS):
        return Answer(Kind.DATA)
    headers = message.headers or {}
    status, description = headers.get("Status", ""), headers.get("Description", "")
    if status == _HEARTBEAT:
        return Answer(Kind.HEARTBEAT)
    if status in _ENDED or description.startswith(_FULL):
        return Answer(Kind.ENDED)
    first_line, *_ = description.splitlines() or [""]
    return Answer(Kind.BROKEN, f"the pull ended: {status} {first_line}".strip())
