"""The way of a callback: verify, parse, store, and only then a receipt.

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
from receiver.bus.publish.contract import (
    TOO_LARGE,
    NonceClaimedError,
    Result,
    Submitter,
    UnsendableError,
)
from receiver.bus.stream_plan import MAX_AGE
from receiver.bus.subjects import Subjects
from receiver.callback import (
    Callback,
    Fault,
    InboundRequest,
    VerifiedRequest,
)
from receiver.dialects.dialect import Dialect
from receiver.dialects.representation import check_content
from receiver.dialects.verification import MAX_BYTES, has_path_token, verify
from receiver.errors import BusError, MalformedCallbackError, VerificationError
from receiver.ingest.drift import DriftNotes
from receiver.ingest.retransmissions import Retransmissions
from receiver.observability.logs import get_logger
from schemas.events import EventData

Outcome = Literal["stored", "retransmission", "duplicate", "quarantined", "spooled", "checked"]
_WINDOW: Final = timedelta(hours=3)
_SIGNED: Final = frozenset({"body", "headers"})
_MAX_EMPTY_BYTES: Final = 64 * 1024
Spread = Callable[[str, str, str, datetime], None]
"""Takes source, content digest, callback id and time of arrival of what was stored."""


def utc_now() -> datetime:
    """The clock of a real process."""
    return datetime.now(UTC)


class Receipt(NamedTuple):
    """What became of an accepted delivery.

    `events` is what was read out of it. `stream_seq` is that of the raw message, 0 while it is
    `spooled`; `secret_index` tells which secret signed, so that one that no sender uses any more
    can be retired.
    """

    outcome: Outcome
    callback_id: str = ""
    message_type: str | None = None
    events: Sequence[EventData] = ()
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
        limit_bytes: int = MAX_BYTES,
        window: timedelta = _WINDOW,
    ) -> None:
        self._publisher = publisher
        self._subjects = subjects
        self._dialects = dialects
        self._said = retransmissions or Retransmissions(_WINDOW)
        self._spread = spread
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._window = window
        self._log = get_logger("yizhan.intake")
        self._drift = DriftNotes()
        self._unprotected: set[str] = set()

    def accept(self, request: InboundRequest, tell: Tell) -> None:
        """Verify, parse and store one delivery; `tell` is called once, perhaps before this returns.

        The sender comes first and the form second: what carries a valid signature or token is
        stored as its events where it can be read, else in quarantine. Its result is a
        `VerificationError` where the sender is not who it should be, uses a signature again for
        another body, or comes too late; a `MalformedCallbackError` where an unverified body cannot
        be read or says that it is something else; and a receipt `checked` for an empty push to the
        right URL without a valid signature, as a platform's console may try it
        (docs/platform/callbacks.md#delivery-of-xport).
        """
        dialect = self._dialects[request.source.dialect]
        try:
            verified = verify(dialect, request, self._clock(), limit_bytes=self._limit_bytes)
            claim = self._nonce_claim(verified)
            if claim is not None:
                self._check_unused(verified, claim)
            if _is_empty(verified.request.body):
                self._take_empty(verified, claim, tell)
                return
            if verified.proof.trust == "none":  # what nobody proved has to name the right content
                check_content(verified.request.headers, dialect.content_types)
            callback = self._parsed(dialect, verified)
            if verified.proof.trust == "body":
                self._check_age(verified.request, callback)
        except VerificationError as error:
            checked = _is_empty(request.body) and has_path_token(request)
            tell(Receipt("checked") if checked else _refused(request, dialect, error))
        except MalformedCallbackError as error:
            if verified.proof.trust == "none":
                tell(error)
            else:
                self._quarantine(verified, claim, Fault(error.place, error.reason), tell)
        else:
            self._note(request, callback)
            self._store(verified, claim, callback, tell)

    def _parsed(self, dialect: Dialect, verified: VerifiedRequest) -> Callback:
        """A content coding that could not be undone explains why a body cannot be read."""
        try:
            return dialect.parse(verified)
        except MalformedCallbackError as error:
            if verified.request.coding_fault:
                raise MalformedCallbackError(verified.request.coding_fault, place="body") from error
            raise

    def _take_empty(
        self, verified: VerifiedRequest, claim: OutgoingMessage | None, tell: Tell
    ) -> None:
        """A push that is signed is no console check, whatever it lacks."""
        if verified.proof.trust in _SIGNED:
            self._quarantine(verified, claim, Fault("body", "empty"), tell)
        else:
            tell(Receipt("checked"))

    def _check_unused(self, verified: VerifiedRequest, claim: OutgoingMessage) -> None:
        """Refuse before parsing what this process knows to be replayed; the log knows the rest."""
        if verified.request.source.replay_check != "refuse":
            return
        owner = self._publisher.used_by(claim)
        if owner is not None and owner != claim.body:
            raise VerificationError("replayed_signature")

    def _check_age(self, request: InboundRequest, callback: Callback) -> None:
        """Bound for how long a captured body can be replayed, where the time is in the body.

        By default from the duplicate window, within which a replay is a duplicate, to what the log
        keeps: a message born before everything that is kept is no replay of it.
        """
        if callback.pushed_at is None:
            return
        age, limit_s = request.received_at - callback.pushed_at, request.source.max_age_s
        if limit_s is None:
            if self._window < age <= MAX_AGE:
                raise VerificationError("stale_message")
        elif age.total_seconds() > limit_s:
            raise VerificationError("stale_message")

    def _store(
        self,
        verified: VerifiedRequest,
        claim: OutgoingMessage | None,
        callback: Callback,
        tell: Tell,
    ) -> None:
        request, content = verified.request, callback.content_digest
        source, identity = request.source.name, verified.callback_id
        first = self._said.earlier_with_same_content(source, content, identity, request.received_at)

        def encode(replay_of: str | None) -> Sequence[OutgoingMessage]:
            return encode_callback(verified, callback, self._subjects, Marks(first, replay_of))

        def stored(result: Result) -> None:
            if isinstance(result, UnsendableError):
                fault = Fault("body", TOO_LARGE)
                self._quarantine(verified, claim, fault, tell)
                return
            if isinstance(result, BusError):
                tell(_refusal(result))
                return
            outcome: Outcome = "retransmission" if first else "stored"
            if result[0].duplicate and all(message.duplicate for message in result):
                outcome = "duplicate"
            elif result[0].spooled:
                outcome = "spooled"
            tell(
                Receipt(
                    outcome,
                    callback_id=identity,
                    message_type=callback.message_type,
                    events=[draft.data for draft in callback.events],
                    stream_seq=result[0].stream_seq,
                    secret_index=verified.proof.secret_index,
                )
            )
            self._said.remember(source, content, identity, request.received_at)
            self._spread(source, content, identity, request.received_at)

        self._submit(verified, claim, encode, stored, tell)

    def _quarantine(
        self, verified: VerifiedRequest, claim: OutgoingMessage | None, fault: Fault, tell: Tell
    ) -> None:
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

        self._submit(verified, claim, encode, stored, tell)

    def _submit(
        self,
        verified: VerifiedRequest,
        claim: OutgoingMessage | None,
        encode: Callable[[str | None], Sequence[OutgoingMessage]],
        stored: Callable[[Result], None],
        tell: Tell,
    ) -> None:
        """Store what `encode` gives, unless the signature is used up by another body."""

        def settled(result: Result) -> None:
            source = verified.request.source
            try:
                if isinstance(result, NonceClaimedError) and source.replay_check != "refuse":
                    self._log.warning(
                        "signature_replayed", source=source.name, replay_of=result.owner
                    )
                    self._publisher.submit(encode(result.owner), None, stored)
                else:
                    stored(result)
            except Exception as error:  # noqa: BLE001 - or its sender would wait for nothing
                tell(error)

        self._publisher.submit(encode(None), claim, settled)

    def _nonce_claim(self, verified: VerifiedRequest) -> OutgoingMessage | None:
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


def _is_empty(body: bytes) -> bool:
    """Whether it says nothing: no bytes, or an empty object."""
    if len(body) > _MAX_EMPTY_BYTES:
        return False
    text = body.strip()
    return not text or (text[:1] == b"{" and text[-1:] == b"}" and not text[1:-1].strip())


def _refused(request: InboundRequest, dialect: Dialect, error: VerificationError) -> Exception:
    """An unverified request that says it is something else is refused for that."""
    try:
        check_content(request.headers, dialect.content_types)
    except MalformedCallbackError as malformed:
        return malformed
    return error


def _refusal(error: BusError) -> Exception:
    if isinstance(error, NonceClaimedError):
        return VerificationError("replayed_signature")
    if isinstance(error, UnsendableError):
        return MalformedCallbackError("larger than the server's max_payload", status=413)
    return error
