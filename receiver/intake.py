"""The way of a callback: verify, parse, store, and only then a receipt (design, section 2).

Knows nothing of HTTP: the edge gives it an `InboundRequest` and turns what it tells into an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from receiver.bus.codec import (
    Marks,
    encode_callback,
    encode_guard,
    encode_quarantined,
)
from receiver.bus.message import OutgoingMessage
from receiver.bus.publisher import GuardTakenError, Result, Submitter
from receiver.bus.subjects import Subjects
from receiver.callback import (
    Callback,
    ConsoleCheck,
    Fault,
    InboundRequest,
    VerifiedRequest,
)
from receiver.dialects.dialect import Dialect
from receiver.dialects.verification import verify
from receiver.drift import DriftNotes
from receiver.errors import BusError, MalformedCallbackError, VerificationError
from receiver.logs import get_logger
from receiver.retransmissions import Retransmissions

Outcome = Literal["stored", "retransmission", "duplicate", "quarantined", "spooled", "checked"]
_WINDOW: Final = timedelta(hours=3)
Spread = Callable[[str, str, str, datetime], None]
"""Takes source, content digest, callback id and time of arrival of what was stored."""


def utc_now() -> datetime:
    """The clock of a real process."""
    return datetime.now(UTC)


class Receipt(NamedTuple):
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


Told = Receipt | Exception
"""A receipt for what is stored; a `DeliveryError` for what is refused; a `BusError` where the log
did not acknowledge (the same bytes may then be stored all the same, under the same id); any other
exception is a defect of ours."""
Tell = Callable[[Told], None]


class Intake:
    """Takes deliveries in: what it gives a `Receipt` for is stored.

    Idempotent: the same bytes from the same source are stored once, within the duplicate window
    of the stream.
    """

    def __init__(
        self,
        publisher: Submitter,
        subjects: Subjects,
        dialects: Mapping[str, Dialect],
        *,
        retransmissions: Retransmissions | None = None,
        spread: Spread = lambda *_: None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._publisher = publisher
        self._subjects = subjects
        self._dialects = dialects
        self._said = retransmissions or Retransmissions(_WINDOW)
        self._spread = spread
        self._clock = clock
        self._log = get_logger("yizhan.intake")
        self._drift = DriftNotes()
        self._unprotected: set[str] = set()

    def accept(self, request: InboundRequest, tell: Tell) -> None:
        """Verify, parse and store one delivery; `tell` is told once, perhaps before this returns.

        Told are a `VerificationError` where the sender is not who it should be or uses a signature
        again for another body, and a `MalformedCallbackError` where an unverified body cannot be
        read.
        """
        dialect = self._dialects[request.source.dialect]
        try:
            verified = verify(dialect, request, self._clock())
            callback = dialect.parse(verified)
        except VerificationError as error:
            tell(error)
        except MalformedCallbackError as error:
            if verified.proof.trust == "none":
                tell(error)
            else:
                self._quarantine(verified, Fault(error.place, error.reason), tell)
        else:
            if isinstance(callback, ConsoleCheck):
                tell(Receipt("checked"))
            else:
                self._note(request, callback)
                self._store(verified, callback, tell)

    def _store(self, verified: VerifiedRequest, callback: Callback, tell: Tell) -> None:
        request, content = verified.request, callback.content_digest
        source, identity = request.source.name, verified.callback_id
        first = self._said.first_of(source, content, identity, request.received_at)

        def encode(replay_of: str | None) -> Sequence[OutgoingMessage]:
            return encode_callback(verified, callback, self._subjects, Marks(first, replay_of))

        def stored(result: Result) -> None:
            if isinstance(result, BusError):
                tell(_refusal(result))
                return
            outcome: Outcome = "retransmission" if first else "stored"
            if all(message.duplicate for message in result):
                outcome = "duplicate"
            elif result[0].spooled:
                outcome = "spooled"
            tell(
                Receipt(
                    outcome,
                    callback_id=identity,
                    message_type=callback.message_type,
                    event_types=[draft.data.event_type for draft in callback.events],
                    stream_seq=result[0].stream_seq,
                    secret_index=verified.proof.secret_index,
                )
            )
            self._said.remember(source, content, identity, request.received_at)
            self._spread(source, content, identity, request.received_at)

        self._submit(verified, encode, stored, tell)

    def _quarantine(self, verified: VerifiedRequest, fault: Fault, tell: Tell) -> None:
        def encode(_: str | None) -> Sequence[OutgoingMessage]:
            return [encode_quarantined(verified, fault, self._subjects)]

        def stored(result: Result) -> None:
            if isinstance(result, BusError):
                tell(_refusal(result))
                return
            outcome: Outcome = "spooled" if result[0].spooled else "quarantined"
            tell(
                Receipt(
                    "duplicate" if result[0].duplicate else outcome,
                    callback_id=verified.callback_id,
                    stream_seq=result[0].stream_seq,
                    secret_index=verified.proof.secret_index,
                    fault=fault,
                )
            )

        self._submit(verified, encode, stored, tell)

    def _submit(
        self,
        verified: VerifiedRequest,
        encode: Callable[[str | None], Sequence[OutgoingMessage]],
        stored: Callable[[Result], None],
        tell: Tell,
    ) -> None:
        """Store what `encode` gives, unless the signature is used up by another body."""

        def settled(result: Result) -> None:
            source = verified.request.source
            try:
                if isinstance(result, GuardTakenError) and source.replay_check != "refuse":
                    self._log.warning(
                        "signature_replayed", source=source.name, replay_of=result.owner
                    )
                    self._publisher.submit(encode(result.owner), None, stored)
                else:
                    stored(result)
            except Exception as error:  # noqa: BLE001 - or its sender would wait for nothing
                tell(error)

        self._publisher.submit(encode(None), self._guard(verified), settled)

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
        news = self._drift.news(request.source.name, callback)
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


def _refusal(error: BusError) -> Exception:
    return VerificationError("replayed_signature") if isinstance(error, GuardTakenError) else error
