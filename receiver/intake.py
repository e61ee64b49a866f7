"""The way of a callback: verify, parse, store, and only then a receipt (design, section 2).

Knows nothing of HTTP: the edge gives it an `InboundRequest` and turns what it returns or raises
into an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from receiver.bus.codec import (
    Marks,
    OutgoingMessage,
    content_digest,
    encode_callback,
    encode_guard,
    encode_quarantined,
)
from receiver.bus.publisher import GuardTakenError, Publisher, Stored
from receiver.bus.subjects import Subjects
from receiver.callback import (
    Callback,
    ConsoleCheck,
    Fault,
    InboundRequest,
    VerifiedRequest,
    callback_id,
)
from receiver.dialects.dialect import Dialect
from receiver.dialects.verification import verify
from receiver.drift import DriftNotes
from receiver.errors import MalformedCallbackError, VerificationError
from receiver.logs import get_logger
from receiver.retransmissions import Retransmissions

Outcome = Literal["stored", "retransmission", "duplicate", "quarantined", "spooled", "checked"]
_WINDOW: Final = timedelta(hours=3)
Tell = Callable[[str, str, str, datetime], None]
"""Takes source, content digest, callback id and time of arrival of what was stored."""


def utc_now() -> datetime:
    """The clock of a real process."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an accepted delivery.

    `stream_seq` is that of the raw message, 0 while it is `spooled`; `secret_index` tells
    which secret signed, so that one that no sender uses any more can be retired.
    """

    outcome: Outcome
    callback_id: str = ""
    message_type: str | None = None
    event_types: Sequence[str] = ()
    stream_seq: int = 0
    fault: Fault | None = None
    secret_index: int | None = None


class Intake:
    """Takes deliveries in: what it returns a `Receipt` for is stored.

    Idempotent: the same bytes from the same source are stored once, within the duplicate window
    of the stream.
    """

    def __init__(
        self,
        publisher: Publisher,
        subjects: Subjects,
        dialects: Mapping[str, Dialect],
        *,
        retransmissions: Retransmissions | None = None,
        tell: Tell = lambda *_: None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._publisher = publisher
        self._subjects = subjects
        self._dialects = dialects
        self._said = retransmissions or Retransmissions(_WINDOW)
        self._tell = tell
        self._clock = clock
        self._log = get_logger("yizhan.intake")
        self._drift = DriftNotes()
        self._unprotected: set[str] = set()

    async def accept(self, request: InboundRequest) -> Receipt:
        """Verify, parse and store one delivery.

        Raises `VerificationError` where the sender is not who it should be or uses a signature
        again for another body, `MalformedCallbackError` where an unverified body cannot be read,
        and `BusError` where the log did not acknowledge (the same bytes may then be stored all the
        same, under the same id).
        """
        dialect = self._dialects[request.source.dialect]
        verified = verify(dialect, request, self._clock())
        try:
            callback = dialect.parse(verified)
        except MalformedCallbackError as error:
            if verified.proof.trust == "none":
                raise
            return await self._quarantine(verified, Fault(error.place, error.reason))
        if isinstance(callback, ConsoleCheck):
            return Receipt("checked")
        self._note(request, callback)
        return await self._store(verified, callback)

    async def _store(self, verified: VerifiedRequest, callback: Callback) -> Receipt:
        request, content = verified.request, content_digest(callback)
        identity = callback_id(request.source.name, request.body)
        first = self._said.first_of(request.source.name, content, identity, request.received_at)

        def encode(replay_of: str | None) -> Sequence[OutgoingMessage]:
            return encode_callback(verified, callback, self._subjects, Marks(first, replay_of))

        stored = await self._publish(verified, encode)
        self._said.remember(request.source.name, content, identity, request.received_at)
        self._tell(request.source.name, content, identity, request.received_at)
        outcome: Outcome = "retransmission" if first else "stored"
        if all(message.duplicate for message in stored):
            outcome = "duplicate"
        elif stored[0].spooled:
            outcome = "spooled"
        return Receipt(
            outcome,
            callback_id=identity,
            message_type=callback.message_type,
            event_types=[draft.data.event_type for draft in callback.events],
            stream_seq=stored[0].stream_seq,
            secret_index=verified.proof.secret_index,
        )

    async def _quarantine(self, verified: VerifiedRequest, fault: Fault) -> Receipt:
        def encode(_: str | None) -> Sequence[OutgoingMessage]:
            return [encode_quarantined(verified, fault, self._subjects)]

        stored = await self._publish(verified, encode)
        request = verified.request
        outcome: Outcome = "spooled" if stored[0].spooled else "quarantined"
        return Receipt(
            "duplicate" if stored[0].duplicate else outcome,
            callback_id=callback_id(request.source.name, request.body),
            stream_seq=stored[0].stream_seq,
            secret_index=verified.proof.secret_index,
            fault=fault,
        )

    async def _publish(
        self,
        verified: VerifiedRequest,
        encode: Callable[[str | None], Sequence[OutgoingMessage]],
    ) -> Sequence[Stored]:
        """Store what `encode` gives, unless the signature is used up by another body."""
        guard = self._guard(verified)
        try:
            return await self._publisher.publish(encode(None), guard=guard)
        except GuardTakenError as taken:
            if verified.request.source.replay_check == "refuse":
                raise VerificationError("replayed_signature") from taken
            self._log.warning(
                "signature_replayed", source=verified.request.source.name, replay_of=taken.owner
            )
            return await self._publisher.publish(encode(taken.owner))

    def _guard(self, verified: VerifiedRequest) -> OutgoingMessage | None:
        source, proof = verified.request.source, verified.proof
        if source.replay_check == "off" or proof.trust != "headers":
            return None
        if not proof.nonce and source.name not in self._unprotected:
            self._unprotected.add(source.name)
            self._log.warning(
                "source_unprotected_from_replays",
                source=source.name,
                reason="the sender signs without a nonce of 16 or more characters",
            )
        return encode_guard(verified, self._subjects)

    def _note(self, request: InboundRequest, callback: Callback) -> None:
        """Log what could not be read, and once each what we do not know."""
        news = list(self._drift.news(request.source.name, callback))
        if not callback.faults and not news:
            return
        log = self._log.bind(source=request.source.name, message_type=callback.message_type)
        for fault in callback.faults:
            log.warning("callback_field_unreadable", place=fault.place, reason=fault.reason)
        for unknown in news:
            if unknown.field is None:
                log.warning("unknown_message_type")
            else:
                log.warning("unknown_field", field=unknown.field)
