"""The way of a callback: verify, parse, store, and only then a receipt (design, section 2).

Knows nothing of HTTP: the edge gives it an `InboundRequest` and turns what it returns or raises
into an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from receiver.bus.codec import OutgoingMessage, encode_callback, encode_quarantined
from receiver.bus.publisher import Publisher
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, ConsoleCheck, Fault, InboundRequest, callback_id
from receiver.dialects.dialect import Dialect
from receiver.dialects.verification import verify
from receiver.errors import MalformedCallbackError
from receiver.logs import get_logger

Outcome = Literal["stored", "duplicate", "quarantined", "checked"]


def utc_now() -> datetime:
    """The clock of a real process."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an accepted delivery; `stream_seq` is that of the raw message."""

    outcome: Outcome
    callback_id: str = ""
    message_type: str | None = None
    event_types: Sequence[str] = ()
    stream_seq: int = 0
    fault: Fault | None = None


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
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._publisher = publisher
        self._subjects = subjects
        self._dialects = dialects
        self._clock = clock
        self._log = get_logger("yizhan.intake")

    async def accept(self, request: InboundRequest) -> Receipt:
        """Verify, parse and store one delivery.

        Raises `VerificationError` where the sender is not who it should be,
        `MalformedCallbackError` where an unverified body cannot be read, and `BusError` where the
        log did not acknowledge (the same bytes may then be stored all the same, under the same
        id).
        """
        dialect = self._dialects[request.source.dialect]
        verified = verify(dialect, request, self._clock())
        try:
            callback = dialect.parse(verified)
        except MalformedCallbackError as error:
            if verified.proof.trust == "none":
                raise
            fault = Fault(error.place, error.reason)
            message = encode_quarantined(verified, fault, self._subjects)
            return await self._store([message], request, fault=fault)
        if isinstance(callback, ConsoleCheck):
            return Receipt("checked")
        self._note_faults(request, callback)
        messages = encode_callback(verified, callback, self._subjects)
        return await self._store(messages, request, callback=callback)

    async def _store(
        self,
        messages: Sequence[OutgoingMessage],
        request: InboundRequest,
        *,
        callback: Callback | None = None,
        fault: Fault | None = None,
    ) -> Receipt:
        stored = await self._publisher.publish(messages)
        outcome: Outcome = "quarantined" if fault else "stored"
        if all(message.duplicate for message in stored):
            outcome = "duplicate"
        return Receipt(
            outcome,
            callback_id=callback_id(request.source.name, request.body),
            message_type=callback.message_type if callback else None,
            event_types=[draft.data.event_type for draft in callback.events] if callback else [],
            stream_seq=stored[0].stream_seq,
            fault=fault,
        )

    def _note_faults(self, request: InboundRequest, callback: Callback) -> None:
        for fault in callback.faults:
            self._log.warning(
                "callback_field_unreadable",
                source=request.source.name,
                message_type=callback.message_type,
                place=fault.place,
                reason=fault.reason,
            )
