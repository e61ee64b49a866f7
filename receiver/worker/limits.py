"""How much one handler takes at once, and the durable that it is fed from. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace

from receiver.bus.consumers import ConsumerPlan
from receiver.bus.schedules import SHORT_S
from receiver.bus.subjects import Subjects
from receiver.worker.routing import Handler


@dataclass(frozen=True, slots=True)
class ConsumerLimits:
    """How much one handler does at once, and how often it and the server send signs of life.

    `prefetch` messages may wait in this process beside the running ones, so that one busy order
    does not keep the others out. A retry that waits longer than `short_retry_s` is scheduled.
    """

    concurrency: int = 16
    prefetch: int = 256
    ack_wait_s: float = 30.0
    heartbeat_s: float = 1.0
    short_retry_s: float = SHORT_S

    def of(self, handler: Handler) -> ConsumerLimits:
        """Those of one handler: what it says goes first."""
        return replace(self, concurrency=handler.options.concurrency or self.concurrency)

    @property
    def at_hand(self) -> int:
        """How many messages run and wait in this process at most."""
        return self.concurrency + self.prefetch

    @property
    def beat_s(self) -> float:
        """The time between two in-progress signs: two may get lost."""
        return self.ack_wait_s / 3


def consumer_plan(handler: Handler, subjects: Subjects, limits: ConsumerLimits) -> ConsumerPlan:
    """The durable of one handler."""
    options, was = handler.options, handler.options.was
    events = [subjects.events_of_type(model.event_type) for model in handler.models]
    due = [subjects.all_due(name) for name in (handler.name, was) if name]
    return ConsumerPlan(
        subjects.stream,
        handler.durable,
        [*events, *due],
        limits.ack_wait_s,
        start=options.start,
        was=f"handler-{was}" if was else "",
    )
