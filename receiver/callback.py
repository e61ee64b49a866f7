"""What a delivery is on its way in: inbound, verified, parsed. Plain data, no I/O.

`InboundRequest` is what the edge read. Only a dialect's verifier makes a `VerifiedRequest`, and
only a `VerifiedRequest` can be parsed into a `Callback`: nothing unverified reaches the bus.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from receiver.observability.trace_context import TraceContext
from receiver.settings import SourceSettings
from schemas.events import EventData

if TYPE_CHECKING:
    from receiver.observability.spans import StoringSpan

Trust = Literal["body", "headers", "token", "none", "requeried"]
_DIGEST_CHARS: Final = 32


@dataclass(slots=True)  # not frozen: that would take as long as all the rest of it
class InboundRequest:
    """One POST as it arrived: raw headers (lower-case names), exact body, nothing believed yet.

    Nothing changes it once it is made. Of a verified one content codings are undone in `body`, with
    a word of why not in `coding_fault`; `text` is the body in UTF-8 where it came in another
    charset (see `receiver.representation`). `repeats_a_header`: any of them comes more than once.
    Where tracing is on, `traceparent` is what its messages carry, and `span` is there if it is
    sampled.
    """

    source: SourceSettings
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    received_at: datetime
    path_token: str | None = None
    client: str = ""
    delivery_id: str = ""
    text: bytes | None = None
    coding_fault: str = ""
    traceparent: str = ""
    span: StoringSpan | None = None
    _by_name: dict[bytes, bytes] = field(init=False, repr=False, compare=False)
    received_text: str = field(init=False, repr=False, compare=False)
    repeats_a_header: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._by_name = dict(self.headers)
        self.repeats_a_header = len(self._by_name) != len(self.headers)
        self.received_text = self.received_at.isoformat()

    @property
    def readable(self) -> bytes:
        """What a dialect reads."""
        return self.body if self.text is None else self.text

    @property
    def given_traceparent(self) -> str:
        """The sender's `traceparent`; empty where it is absent, repeated or malformed."""
        given = self._by_name.get(b"traceparent")
        if given is None or len(self.header_values(b"traceparent")) > 1:
            return ""
        text = given.decode("latin-1")
        return text if TraceContext.read(text) else ""

    def header(self, name: bytes) -> bytes | None:
        """The last value of a header; None where it is absent. `name` in lower case."""
        return self._by_name.get(name)

    def header_values(self, name: bytes) -> list[bytes]:
        """Every value of a header; `name` in lower case."""
        return [value for key, value in self.headers if key == name]


class Proof(NamedTuple):
    """What a verifier proved: `secret_index` is which of the secrets signed, `nonce` is what the
    signature covers and may be used once (empty where the sender gave none that is worth it), and
    `form` are the parameters that it covers, as they were read to fit it. `lifetime_s` is for how
    many seconds at most the signature is taken."""

    trust: Trust
    secret_index: int | None = None
    nonce: str = ""
    lifetime_s: int = 0
    form: tuple[tuple[str, str], ...] | None = None


@dataclass(slots=True)  # not frozen, for the same reason
class VerifiedRequest:
    """A request whose sender is known as far as `proof` says.

    `callback_id` is made once, from the source's name and from `identity`: the bytes by which the
    dialect knows a callback again, the raw body where it names none.
    """

    request: InboundRequest
    proof: Proof
    identity: InitVar[bytes | None] = None
    callback_id: str = field(init=False)

    def __post_init__(self, identity: bytes | None) -> None:
        request = self.request
        self.callback_id = callback_id(
            request.source.name, request.body if identity is None else identity
        )


class Fault(NamedTuple):
    """One thing in a callback that could not be read; `reason` never repeats the value."""

    place: str
    reason: str


class EventDraft(NamedTuple):
    """An event before it has an id: its data, and when it happened (None: when it was pushed)."""

    data: EventData
    time: datetime | None = None


@dataclass(slots=True)  # not frozen, for the same reason
class Callback:
    """What a dialect read out of a verified request.

    `events` holds at least one event. `content` is the body without what differs from one
    push of it to the next: equal contents from one source are a probable retransmission, so those
    of two different callbacks must never be equal. It has no default, since any default would be
    equal for all. `content_digest` is the first 32 hex digits of its SHA-256. `message_id` is the
    sender's own id, where it gives one.
    """

    message_type: str | None
    events: Sequence[EventDraft]
    content: bytes
    pushed_at: datetime | None = None
    message_id: str | None = None
    faults: Sequence[Fault] = ()
    unknown_fields: Sequence[str] = ()
    content_digest: str = field(init=False)

    def __post_init__(self) -> None:
        self.content_digest = hashlib.sha256(self.content).hexdigest()[:_DIGEST_CHARS]


def callback_id(source: str, identity: bytes) -> str:
    """The id of a callback: the same bytes from the same source are the same callback."""
    digest = hashlib.sha256(source.encode() + b"\n" + identity)
    return digest.hexdigest()[:_DIGEST_CHARS]
