"""How a run of a handler ended, and what it did. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from receiver.bus.message import OutgoingMessage
from receiver.event import Event
from receiver.projection.state import Arrival, OrderState
from receiver.testing.clock import NOON
from receiver.worker.effects.states import EffectRecord
from receiver.worker.outcomes import Decision, Outcome
from schemas.events import EventData

if TYPE_CHECKING:
    from receiver.testing.fake_api import Asked


@dataclass(frozen=True, slots=True)
class HandlerRun:
    """What one run did, in the order in which it did it.

    `decision` holds the delay, or the reason of a dead letter. `raised` is the exception itself,
    `error` what the log and a dead letter would say of it. `scheduled` are the timers that it set,
    by their keys, `cancelled` the keys of those that it cancelled. `effects` are what it asked
    `ctx.once` for, as it stood at the run's end: `name`, `state`, `result` and so on. `arrival` is
    what the event was to its order, for a handler with `state=True` or `only=`, `state` what is
    kept of the order then, None where nothing was asked of it. `asked` are
    the calls of a `FakeAPI`, `logs` the lines of `ctx.log`, each with `event` and `level`. `timer`
    is the key of the timer that it is the run of, `at` when it began.
    """

    decision: Decision
    published: Sequence[Event[EventData]] = ()
    dead_letters: Sequence[OutgoingMessage] = ()
    error: str = ""
    raised: BaseException | None = None
    asked: Sequence[Asked] = ()
    logs: Sequence[dict[str, Any]] = ()
    scheduled: Mapping[str, datetime] = field(default_factory=dict)
    cancelled: Sequence[str] = ()
    effects: Sequence[EffectRecord] = ()
    arrival: Arrival | None = None
    state: OrderState | None = None
    attempt: int = 1
    timer: str | None = None
    at: datetime = NOON

    @property
    def outcome(self) -> Outcome:
        """`done`, `dropped`, `postponed`, `retried` or `dead_lettered`."""
        return self.decision.outcome
