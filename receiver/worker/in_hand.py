"""What one process has in hand of a handler's events from one durable: waiting, running, settled.

Handlers are fed from their own durable, and from that of each replay. All of them run in the lanes
of one pool, so that events of an order run one at a time wherever they come from.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from receiver.bus.connection import Sleep
from receiver.bus.message import StoredMessage
from receiver.bus.schedules import origin
from receiver.observability.logs import get_logger
from receiver.worker.attempts import Attempts
from receiver.worker.keyed_pool import KeyedPool, Pause
from receiver.worker.outcomes import Outcome
from receiver.worker.routing import Handler
from receiver.worker.run_log import facts_of, log_outcome
from receiver.worker.run_start import RunStart
from receiver.worker.runner import Runner
from receiver.worker.settling import Settling

HANDOVER_S: Final = 0.5
"""After how long another process may get what this one gave back at its stop, where none takes
over before."""
Count = Callable[[str, Outcome, float | None], None]


class InHand:
    """Of one durable; `width` runs at most go on at once. `finished` is called after each."""

    def __init__(
        self,
        handler: Handler,
        runner: Runner,
        settling: Settling,
        *,
        width: int,
        count: Count,
        finished: Callable[[], None],
        sleep: Sleep,
    ) -> None:
        self.settling = settling
        self.held: dict[int, Msg] = {}
        self.strict = handler.options.order == "strict"
        self._handler = handler
        self._runner = runner
        self._count = count
        self._finished = finished
        self._sleep = sleep
        self._slots = list(range(width))
        self._running: dict[int, int] = {}
        self._log = get_logger("yizhan.handlers", handler=handler.name)

    @property
    def running(self) -> int:
        """How many run."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many are here and do not run."""
        return len(self.held) - len(self._running)

    def attempts(self, message: Msg) -> Attempts:
        """How often an event was run before."""
        seq = message.metadata.sequence.stream
        return self.settling.ledger.of(seq, message.headers or {})

    def knows(self, message: Msg) -> bool:
        """Whether a delivery is of what is done, which is said again, or of what is held."""
        seq = message.metadata.sequence.stream
        if self.settling.repeats(seq, message):
            return True
        if seq in self.held:
            self.held[seq] = message  # the run under way answers for both, under this subject
            return True
        return False

    async def puts_off(self, message: Msg) -> bool:
        """Whether a retry came before its time, and was given back until then."""
        if self.strict:
            return False
        seq = message.metadata.sequence.stream
        return await self.settling.puts_off_again(seq, message, self.attempts(message))

    def due(self, message: Msg) -> Coroutine[Any, Any, None] | None:
        """Where order is strict, a retry waits in its lane, and what is behind it does, too."""
        early = self.settling.early_s(self.attempts(message)) > 0
        return self._until_due(message) if early else None

    def begin(self, messages: Sequence[Msg]) -> None:
        """These are about to run."""
        first: list[tuple[int, int]] = []
        for message in messages:
            seq = message.metadata.sequence.stream
            slot = self._running[seq] = self._slots.pop()
            if message.metadata.num_delivered == 1:
                first.append((seq, slot))
        if first:
            self.settling.ledger.begin(first)

    async def work(self, message: Msg) -> bool:
        """Run one, and settle it; whether it is to be run again in its place.

        What is bound to the log ends with the task.
        """
        started = asyncio.get_running_loop().time()
        seq, attempts = message.metadata.sequence.stream, self.attempts(message)
        slot = self._running[seq]
        facts = facts_of(message, attempts)
        try:
            structlog.contextvars.bind_contextvars(handler=self._handler.name, **facts)
            log = self._log.bind(**facts)
            if message.metadata.num_delivered > 1:
                await self.settling.ledger.begin_surely(seq, slot)
            if attempts.deaths:
                RunStart(self.settling.ledger, seq, slot).watch()
            result = await self._runner.run(
                self._handler,
                origin(StoredMessage.of(message)),
                attempt=attempts.starts + 1,
                failures=attempts.failures,
                deaths=attempts.deaths if attempts.kills else 0,
                log=log,
            )
            latest = self.held.get(seq, message)
            again = await self.settling.settle(
                latest, slot, attempts, result.decision, in_place=self.strict
            )
            duration_s = asyncio.get_running_loop().time() - started
            self._count(self._handler.name, result.decision.outcome, duration_s)
            log_outcome(log, result, duration_s)
            del self._running[seq]
            return again
        finally:
            self._slots.append(slot)

    def ended(self, message: Msg) -> None:
        """It is through, whichever way."""
        self.held.pop(message.metadata.sequence.stream, None)
        self._finished()

    async def release(self, message: Msg) -> None:
        """Give back what this process will not finish; another one, or the next, gets it."""
        seq, facts = message.metadata.sequence.stream, facts_of(message, self.attempts(message))
        slot = self._running.pop(seq, None)
        if slot is not None:
            await self.settling.ledger.comes_again(seq, slot)
        with contextlib.suppress(NatsError, OSError):
            await message.nak(delay=HANDOVER_S)
        self._count(self._handler.name, "released", None)
        self._log.info("event_handled", outcome="released", **facts)

    async def keep_alive(self) -> None:
        """Say of everything held, running or waiting, that it is still being worked on."""
        for message in list(self.held.values()):
            with contextlib.suppress(NatsError, OSError):
                if not message.is_acked:
                    await message.in_progress()

    async def _until_due(self, message: Msg) -> None:
        while (wait_s := self.settling.early_s(self.attempts(message))) > 0:
            await self._sleep(wait_s)


@dataclass(frozen=True, slots=True)
class Turn:
    """A message in the lanes, and from which durable it came."""

    hand: InHand
    message: Msg


def pool(concurrency: int, may_start: Callable[[], Pause]) -> KeyedPool[Turn]:
    """The lanes of a handler; see `KeyedPool`."""
    return KeyedPool[Turn](
        concurrency,
        lambda turn: turn.hand.work(turn.message),
        lambda turn: turn.hand.ended(turn.message),
        begin=_begin,
        due=lambda turn: turn.hand.due(turn.message),
        may_start=may_start,
        alone=lambda turn: turn.hand.attempts(turn.message).alone,
    )


def _begin(turns: Sequence[Turn]) -> None:
    """These begin together."""
    for hand in dict.fromkeys(turn.hand for turn in turns):
        hand.begin([turn.message for turn in turns if turn.hand is hand])
