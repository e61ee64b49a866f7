"""The way of a callback: verify, parse, store, and only then a receipt.

Knows nothing of HTTP: the endpoint gives it an `InboundRequest` and makes an answer of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from receiver.bus.callback_codec import encode_nonce_claim
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import Submitter
from receiver.bus.stream_plan import MAX_AGE
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, Fault, InboundRequest, VerifiedRequest
from receiver.dialects.dialect import Dialect
from receiver.dialects.representation import check_content
from receiver.dialects.verification import MAX_BYTES, has_path_token, verify
from receiver.errors import MalformedCallbackError, VerificationError
from receiver.ingest.drift import DriftNotes
from receiver.ingest.late_answers import LateAnswers
from receiver.ingest.retransmissions import Retransmissions
from receiver.ingest.storing import Announce, OnIntakeResult, Receipt, Storage, StoringCallback
from receiver.observability.logs import get_logger

_WINDOW: Final = timedelta(hours=3)
_SIGNED: Final = frozenset({"body", "headers"})
_MAX_EMPTY_BYTES: Final = 64 * 1024


def utc_now() -> datetime:
    """The clock of a real process."""
    return datetime.now(UTC)


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
        announce: Announce = lambda *_: None,
        late: LateAnswers | None = None,
        clock: Callable[[], datetime] = utc_now,
        limit_bytes: int = MAX_BYTES,
        window: timedelta = _WINDOW,
    ) -> None:
        self._publisher = publisher
        self._subjects = subjects
        self._dialects = dialects
        if retransmissions is None:  # an empty one is false, and is the one that others fill
            retransmissions = Retransmissions(window)
        known = LateAnswers() if late is None else late
        self._storage = Storage(publisher, subjects, retransmissions, announce, known)
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._window = window
        self._log = get_logger("yizhan.intake")
        self._drift = DriftNotes()
        self._unprotected: set[str] = set()

    def accept(self, request: InboundRequest, on_result: OnIntakeResult) -> None:
        """Verify, parse and store one delivery; `on_result` is called once, perhaps before this
        returns.

        The sender comes first and the form second: what carries a valid signature or token is
        stored as its events where it can be read, else in quarantine. The result is a
        `VerificationError` where the credentials are wrong, a signature is used again for another
        body, or it comes too late; a `MalformedCallbackError` where an unverified body cannot be
        read or says that it is something else; and a receipt `checked` for an empty push to the
        right URL without a valid signature, as a platform's console may try it
        (docs/platform/callbacks.md#delivery-of-xport).
        """
        dialect = self._dialects[request.source.dialect]
        try:
            verified = verify(dialect, request, self._clock(), limit_bytes=self._limit_bytes)
            claim = self._nonce_claim(verified)
            if claim is not None:
                self._check_unused(verified, claim)
        except VerificationError as error:
            checked = _is_empty(request.body) and has_path_token(request)
            on_result(Receipt("checked") if checked else _refused(request, dialect, error))
            return
        except MalformedCallbackError as error:
            on_result(error)
            return
        self._take(verified, StoringCallback(self._storage, verified, claim, on_result), on_result)

    def _take(
        self, verified: VerifiedRequest, storing: StoringCallback, on_result: OnIntakeResult
    ) -> None:
        request, trust = verified.request, verified.proof.trust
        if _is_empty(request.body):
            if trust in _SIGNED:  # no console check, whatever it lacks
                storing.quarantine(Fault("body", "empty"))
            else:
                on_result(Receipt("checked"))
            return
        try:
            callback = self._parsed(verified)
        except VerificationError as error:
            on_result(error)
        except MalformedCallbackError as error:
            if trust == "none":
                on_result(error)
            else:
                storing.quarantine(Fault(error.place, error.reason))
        else:
            self._log_unknown(request, callback)
            storing.store(callback)

    def _parsed(self, verified: VerifiedRequest) -> Callback:
        """A content coding that could not be undone explains why a body cannot be read."""
        request, trust = verified.request, verified.proof.trust
        dialect = self._dialects[request.source.dialect]
        if trust == "none":  # unproven: its content type has to be right
            check_content(request.headers, dialect.content_types)
        try:
            callback = dialect.parse(verified)
        except MalformedCallbackError as error:
            if request.coding_fault:
                raise MalformedCallbackError(request.coding_fault, place="body") from error
            raise
        if trust == "body":
            self._check_age(request, callback)
        return callback

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
        stale = self._window < age <= MAX_AGE if limit_s is None else age.total_seconds() > limit_s
        if stale:
            raise VerificationError("stale_message", age_s=age.total_seconds())

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
        return encode_nonce_claim(verified, self._subjects)

    def _log_unknown(self, request: InboundRequest, callback: Callback) -> None:
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
