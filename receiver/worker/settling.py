"""What becomes of an event after its run: acknowledged, ended, or delivered again in time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from receiver.bus.acknowledgements import Acknowledgements
from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.schedules import SHORT_S, Place, Schedules, place_in_order
from receiver.bus.worker_records import WorkerRecords
from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.worker.attempts import Attempts, AttemptsLedger
from receiver.worker.outcomes import Ack, Decision, NakWithDelay

_EARLY_S: Final = 0.05
"""A retry so little ahead of its time is on time."""


class Settling:
    """Of the events of one handler; what it did is known again when an event comes once more."""

    def __init__(
        self,
        connection: Connection,
        schedules: Schedules,
        records: WorkerRecords,
        handler: str,
        worker: str,
        *,
        clock: Callable[[], datetime],
        short_s: float = SHORT_S,
        replay: str = "",
    ) -> None:
        """A retry that waits longer than `short_s` is scheduled. The attempts of a `replay` are its
        own."""
        self.records = records
        self.ledger = AttemptsLedger(records, f"{handler}={replay}" if replay else handler, worker)
        self._suffix = f"-{replay}" if replay else ""
        self._schedules = schedules
        self._handler = handler
        self._clock = clock
        self._short_s = short_s
        self._acks = Acknowledgements(connection, time.monotonic)
        self._waiting: dict[int, float] = {}
        self._log = get_logger("yizhan.handlers", handler=handler)

    @property
    def pending(self) -> int:
        """How much the server counts as pending for what was done here."""
        return len(self._waiting) + self._acks.unanswered

    @property
    def due_again(self) -> int:
        """How many wait for a time that has come."""
        return sum(due <= time.monotonic() for due in self._waiting.values())

    @property
    def unanswered(self) -> int:
        """How many acknowledgements the server has not answered."""
        return self._acks.unanswered

    def keeps(self, seq: int) -> bool:
        """Whether a sequence needs no other run now: it is done, or waits for its time."""
        return seq in self._acks or self._waiting.get(seq, 0.0) > time.monotonic()

    def repeats(self, seq: int, message: Msg) -> bool:
        """Whether a delivery is one of what is done: it is acknowledged once more.

        One that counts as the first again is not: the durable was rewound.
        """
        if seq not in self._acks:
            return False
        if message.metadata.num_delivered == 1:
            self._acks.forget(seq)
            return False
        self._acks.again(seq, message.reply)
        return True

    def early_s(self, attempts: Attempts) -> float:
        """How long it is until the next run is due; 0 where it is."""
        return max(0.0, attempts.due - self._clock().timestamp()) if attempts.due else 0.0

    async def puts_off_again(self, seq: int, message: Msg, attempts: Attempts) -> bool:
        """Whether a delivery came before its time, since another process gave it back."""
        self._waiting.pop(seq, None)
        early_s = self.early_s(attempts)
        if early_s <= _EARLY_S:
            return False
        await self._nak(seq, message, early_s)
        return True

    async def settle(
        self,
        message: Msg,
        slot: int,
        attempts: Attempts,
        decision: Decision,
        *,
        in_place: bool = False,
    ) -> bool:
        """Carry out what was decided after a run; where it fails, the event comes again.

        With `in_place` a retry is not given back; gives whether there is one, to be run when it is
        due.
        """
        seq = message.metadata.sequence.stream
        if isinstance(decision, NakWithDelay):
            if in_place:
                due = self._clock().timestamp() + decision.delay_s
                await self.ledger.comes_again(seq, slot, failed=decision.failed, due=due)
            else:
                await self._run_again(message, slot, attempts, decision)
            return in_place
        self._acks.send(seq, message.reply, b"+ACK" if isinstance(decision, Ack) else b"+TERM")
        self.ledger.forget(seq)
        return False

    def repeat(self) -> None:
        """Acknowledge again what the server has not answered."""
        self._acks.repeat()

    def forget(self) -> None:
        """Another process goes on with what waits."""
        self._waiting.clear()

    async def _run_again(
        self, message: Msg, slot: int, attempts: Attempts, decision: NakWithDelay
    ) -> None:
        seq, delay_s = message.metadata.sequence.stream, decision.delay_s
        until = self._clock() + timedelta(seconds=delay_s)
        if delay_s > self._short_s:
            after = attempts.after(failed=decision.failed)
            place = Place(
                "retry",
                self._handler,
                *place_in_order(message.subject),
                f"{seq}-{after.starts}{self._suffix}",
            )
            try:
                await self._schedules.put(place, StoredMessage.of(message), until, after.headers())
            except BusError as error:  # it waits in the durable, as a short one does
                self._log.warning("retry_not_scheduled", error=str(error))
            else:
                self._acks.send(seq, message.reply)
                self.ledger.forget(seq)
                return
        due = until.timestamp()
        await self.ledger.comes_again(seq, slot, failed=decision.failed, due=due)
        await self._nak(seq, message, delay_s)

    async def _nak(self, seq: int, message: Msg, delay_s: float) -> None:
        self._waiting[seq] = time.monotonic() + delay_s
        with contextlib.suppress(NatsError, OSError):
            await message.nak(delay=delay_s)
