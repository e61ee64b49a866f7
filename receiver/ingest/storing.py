"""A verified callback on its way into the log, and what its sender is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from receiver.bus.callback_codec import Marks, encode_callback, encode_quarantined
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import (
    TOO_LARGE,
    NonceClaimedError,
    Result,
    Stored,
    Submitter,
    UnsendableError,
)
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, Fault, VerifiedRequest
from receiver.errors import BusError, MalformedCallbackError, VerificationError
from receiver.ingest.late_answers import IN_TIME_S, LateAnswers
from receiver.ingest.retransmissions import Retransmissions
from receiver.ingest.tries import TryOutcome
from receiver.observability.logs import get_logger
from schemas.events import EventData

Outcome = Literal["stored", "retransmission", "duplicate", "quarantined", "spooled", "checked"]
_LOG: Final = get_logger("yizhan.intake")


class Receipt(NamedTuple):
    """What became of an accepted delivery.

    `events` is what was read out of it. `stream_seq` is that of the raw message, 0 while it is
    `spooled`; `secret_index` is which secret signed, so that one that no sender uses any more can
    be retired. `provoked` is what came again after it was answered late, or not with 200. At its
    arrival `push_age_s` had passed since its sender says that it pushed it; None where it says
    nothing, or sent it before.
    """

    outcome: Outcome
    callback_id: str = ""
    message_type: str | None = None
    events: Sequence[EventData] = ()
    stream_seq: int = 0
    fault: Fault | None = None
    secret_index: int | None = None
    provoked: bool = False
    push_age_s: float | None = None


IntakeResult = Receipt | Exception
"""A receipt for what is stored; a `DeliveryError` for what is refused; a `BusError` where the log
did not acknowledge (the same bytes may then be stored all the same, under the same id); any other
exception is a defect of ours."""
OnIntakeResult = Callable[[IntakeResult], None]
Announce = Callable[[str, str, str, datetime], None]
"""Takes source, content digest, callback id and time of arrival of what was stored."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Where callbacks go, and who remembers what was stored."""

    publisher: Submitter
    subjects: Subjects
    retransmissions: Retransmissions
    announce: Announce
    late: LateAnswers


class StoringCallback:
    """One callback that is being stored: call `store` or `quarantine`, once.

    It is the `on_result` of its own publishes, and calls the caller's once: with a receipt, or
    with the reason why it is not stored.
    """

    __slots__ = ("_callback", "_claim", "_fault", "_first", "_on_result", "_storage", "_verified")

    def __init__(
        self,
        storage: Storage,
        verified: VerifiedRequest,
        claim: OutgoingMessage | None,
        on_result: OnIntakeResult,
    ) -> None:
        self._storage = storage
        self._verified = verified
        self._claim = claim
        self._on_result = on_result
        self._callback: Callback | None = None
        self._first: str | None = None
        self._fault: Fault | None = None

    def store(self, callback: Callback) -> None:
        """Store its raw message and its events, marked where the content was stored before."""
        request = self._verified.request
        self._callback = callback
        self._first = self._storage.retransmissions.earlier_with_same_content(
            request.source.name,
            callback.content_digest,
            self._verified.callback_id,
            request.received_at,
        )
        self._submit(self._claim)

    def quarantine(self, fault: Fault) -> None:
        """Store its raw message alone, with the reason."""
        self._fault = fault
        self._submit(self._claim)

    def on_result(self, result: Result) -> None:
        """What became of the messages; a signature that is used up may only be marked, and what is
        too large for the server goes to quarantine.
        """
        try:
            if not isinstance(result, BusError):
                self._on_stored(result)
            elif isinstance(result, NonceClaimedError) and self._marks_replays:
                source = self._verified.request.source.name
                _LOG.warning("signature_replayed", source=source, replay_of=result.claimed_by)
                self._submit(None, replay_of=result.claimed_by)
            elif isinstance(result, UnsendableError) and self._fault is None:
                self.quarantine(Fault("body", TOO_LARGE))
            else:
                refusal = _refusal(result)
                self._on_result(refusal)
                if isinstance(refusal, BusError):
                    self._on_try("failed", again=self._first is not None)
        except Exception as error:  # noqa: BLE001 - or its sender would wait for nothing
            self._on_result(error)

    @property
    def _content(self) -> tuple[str, str]:
        """By what it is known when it comes again: with another push time, or in the same bytes."""
        verified, callback = self._verified, self._callback
        content = verified.callback_id if callback is None else callback.content_digest
        return verified.request.source.name, content

    @property
    def _marks_replays(self) -> bool:
        return self._verified.request.source.replay_check != "refuse"

    def _submit(self, claim: OutgoingMessage | None, *, replay_of: str | None = None) -> None:
        subjects = self._storage.subjects
        messages: Sequence[OutgoingMessage]
        if self._fault is not None:
            messages = [encode_quarantined(self._verified, self._fault, subjects)]
        else:
            assert self._callback is not None
            marks = Marks(self._first, replay_of)
            messages = encode_callback(self._verified, self._callback, subjects, marks)
        self._storage.publisher.submit(messages, claim, self.on_result)

    def _on_stored(self, stored: Sequence[Stored]) -> None:
        """The answer leaves first; who else wants to know is next."""
        raw, callback, verified = stored[0], self._callback, self._verified
        provoked = self._storage.late.since(*self._content) is not None
        if self._fault is not None or callback is None:
            self._on_result(
                Receipt(
                    self._outcome(stored, "quarantined"),
                    callback_id=verified.callback_id,
                    stream_seq=raw.stream_seq,
                    secret_index=verified.proof.secret_index,
                    fault=self._fault,
                    provoked=provoked,
                )
            )
            self._on_answered(again=stored[0].duplicate)
            return
        self._on_result(
            Receipt(
                self._outcome(stored, "retransmission" if self._first else "stored"),
                callback_id=verified.callback_id,
                message_type=callback.message_type,
                events=[draft.data for draft in callback.events],
                stream_seq=raw.stream_seq,
                secret_index=verified.proof.secret_index,
                provoked=provoked,
                push_age_s=None if raw.duplicate else self._push_age_s,
            )
        )
        request, storage = verified.request, self._storage
        known = (request.source.name, callback.content_digest, verified.callback_id)
        storage.retransmissions.remember(*known, request.received_at)
        storage.announce(*known, request.received_at)
        self._on_answered(again=self._first is not None or raw.duplicate)

    def _on_answered(self, *, again: bool) -> None:
        took_s = (datetime.now(UTC) - self._verified.request.received_at).total_seconds()
        self._on_try("late" if took_s > IN_TIME_S else "good", again=again)

    def _on_try(self, outcome: TryOutcome, *, again: bool) -> None:
        """Let count this try, and remember it if the platform may send it again for it."""
        late, source, content = self._storage.late, *self._content
        since = late.since(source, content)
        if again or since is not None:
            first = self._storage.retransmissions.first_at(source, content)
            first = min(one for one in (first, since, self._received_s) if one is not None)
            late.on_try(self._verified.request.source, outcome, self._received_s - first)
        else:
            late.on_try(self._verified.request.source, outcome, None)
        if outcome != "good":
            late.note(source, content, self._received_s)

    @property
    def _push_age_s(self) -> float | None:
        pushed_at = None if self._callback is None else self._callback.pushed_at
        if self._first or pushed_at is None:
            return None
        return (self._verified.request.received_at - pushed_at).total_seconds()

    @property
    def _received_s(self) -> float:
        return self._verified.request.received_at.timestamp()

    def _outcome(self, stored: Sequence[Stored], outcome: Outcome) -> Outcome:
        if stored[0].duplicate and all(message.duplicate for message in stored):
            return "duplicate"
        return "spooled" if stored[0].spooled else outcome


def _refusal(error: BusError) -> Exception:
    if isinstance(error, NonceClaimedError):
        return VerificationError("replayed_signature")
    if isinstance(error, UnsendableError):
        return MalformedCallbackError("larger than the server's max_payload", status=413)
    return error
