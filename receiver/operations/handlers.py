"""What operators see of handlers, and do to them; nothing here prints or asks.

A handler is known by being loaded, by its durable, or by both: what is not loaded here may be
loaded by a worker elsewhere.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from receiver.bus import durables
from receiver.bus.client import PipeliningClient
from receiver.bus.connection import Connection
from receiver.bus.durables import PREFIX, Durable, Stored
from receiver.bus.patience import patiently
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.selecting import unknown_handler
from receiver.operations.workers import Activity, activity, ask_status
from receiver.worker.routing import Handler
from receiver.worker.status import WorkerStatus

SOON: Final = 0.1
"""An event expires soon when less than this share of its time in the stream is left."""

AnswerT = TypeVar("AnswerT")
_IDLE: Final = Activity()
_LOOK_S: Final = 0.2
PATIENCE_S: Final = 30.0
"""How long a rewind waits for the runs under way."""


@dataclass(frozen=True, slots=True)
class HandlerView:
    """One handler: as it is loaded, if it is; its durable, once it was started; and its backlog.

    `oldest` is the first event that is not done, which expires at `expires_at`, None where events
    are kept for ever. `scheduled` retries wait for their time outside of the durable, and so do
    `timers`, and events that wait for newer ones: `coalescing`.
    """

    name: str
    handler: Handler | None
    durable: Durable | None
    oldest: Stored | None = None
    expires_at: datetime | None = None
    scheduled: int = 0
    dead_letters: int = 0
    activity: Activity = _IDLE
    timers: int = 0
    coalescing: int = 0

    @property
    def expires_paused(self) -> bool:
        """Whether its oldest event is dropped before the pause ends."""
        paused = self.durable.pause if self.durable else None
        return paused is not None and self.expires_at is not None and self.expires_at < paused.until

    def expires_soon(self, now: datetime, kept: timedelta) -> bool:
        """Whether that is so, and in a tenth of the time `kept` or less."""
        at = self.expires_at
        return at is not None and self.expires_paused and at - now <= kept * SOON


@dataclass(frozen=True, slots=True)
class Rewind:
    """Where a handler is to go back to, and how many events it then runs once more."""

    seq: int
    again: int


def rewind_text(name: str, plan: Rewind) -> str:
    """What a plan comes to, for a person to confirm."""
    return f"{name} goes back to #{plan.seq}: {plan.again} events that are done run again"


class HandlerOperations:
    """Looks at the handlers of one subject root, and moves them. `kept` is the stream's max age,
    zero where it keeps events for ever.

    Everything raises `BusError` where NATS does not answer, and `ConfigurationError` for a name
    that no handler has and for what cannot be done. What is done is recorded first, as done by
    `by`: see `AuditTrail`.
    """

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        loaded: Sequence[Handler],
        *,
        kept: timedelta,
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._loaded = {handler.name: handler for handler in loaded}
        self._kept = kept

    async def look(self) -> list[HandlerView]:
        """Every handler that is loaded or has a durable: the loaded ones first, in their order."""
        workers, views = await self.workers(), await self.backlogs()
        return [replace(view, activity=activity(workers, view.name)) for view in views]

    async def backlogs(self) -> list[HandlerView]:
        """The same, without what worker processes do, which takes a moment to ask for."""
        stored = {durable.handler: durable for durable in await self._durables()}
        dead = await self._counts(self._subjects.dead_stream, self._subjects.all_dead)
        held = {kind: await self._held(kind) for kind in ("retry", "timer", "coalesce")}
        views = []
        for name in dict.fromkeys((*self._loaded, *stored)):
            oldest = await self._oldest(stored.get(name))
            views.append(
                HandlerView(
                    name,
                    self._loaded.get(name),
                    stored.get(name),
                    oldest,
                    oldest.time + self._kept if oldest and self._kept else None,
                    held["retry"][name],
                    dead[name],
                    timers=held["timer"][name],
                    coalescing=held["coalesce"][name],
                )
            )
        return views

    async def expiring(self, now: datetime) -> list[HandlerView]:
        """Paused handlers whose oldest event is dropped soon."""
        return [v for v in await self.backlogs() if v.expires_soon(now, self._kept)]

    async def orphans(self) -> list[Durable]:
        """Durables of handlers that are not loaded."""
        return [
            durable for durable in await self._durables() if durable.handler not in self._loaded
        ]

    async def pause(self, name: str, *, reason: str, by: str, now: datetime) -> None:
        """Deliver nothing more to a handler; what it runs, it finishes."""
        await self._durable(name)
        async with self._trail(by).act("handlers-pause", target=name, reason=reason):
            await self._pause(name, reason=reason, by=by, now=now)

    async def resume(self, name: str, *, by: str) -> bool:
        """Deliver again; whether it was paused."""
        was_paused = (await self._durable(name)).pause is not None
        async with self._trail(by).act("handlers-resume", target=name):
            await self._resume(name)
        return was_paused

    async def plan_rewind(self, name: str, to: int | datetime) -> Rewind:
        """What going back to a sequence, or to what was stored since a time, comes to."""
        durable = await self._durable(name)
        counting = durables.count_from(*self._stream, durable.filters, to)
        seq, count = await self._allowed(counting)
        if seq > durable.floor + 1:
            raise ConfigurationError(
                f"{name} has not come that far: everything is done up to #{durable.floor}, and "
                f"this would skip what lies before #{seq}: name an earlier time or sequence"
            )
        return Rewind(seq, max(0, count - durable.pending - durable.unfinished))

    async def rewind(
        self,
        name: str,
        plan: Rewind,
        *,
        by: str,
        now: datetime,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Pause a handler, have it go back, and resume it, unless it was paused before.

        Waits until what is in hand is done: of an order, a later event would else run before the
        earlier ones. Raises `BusError`, and leaves the handler where it is, where that takes longer
        than `patience_s`, or where its owner does not answer.
        """
        was_paused = (await patiently(lambda: self._durable(name))).pause is not None
        numbers = {"to sequence": plan.seq, "selected": plan.again}
        async with self._trail(by).act("handlers-rewind", target=name, numbers=numbers):
            if not was_paused:
                await self._pause(name, reason=f"rewind to #{plan.seq}", by=by, now=now)
            try:
                await self._until_idle(name, patience_s)
                await self._reset(name, plan.seq)
            finally:
                if not was_paused:
                    await self._resume(name)

    async def _pause(self, name: str, *, reason: str, by: str, now: datetime) -> None:
        durable = f"{PREFIX}{name}"
        await patiently(
            lambda: self._allowed(
                durables.pause(*self._stream, durable, reason=reason, by=by, now=now)
            )
        )

    async def _reset(self, name: str, seq: int) -> None:
        durable = f"{PREFIX}{name}"
        await patiently(lambda: self._allowed(durables.reset(*self._stream, durable, seq)))

    async def _resume(self, name: str) -> None:
        """Also over an election: what stays paused for a failure would be noticed late."""
        durable = f"{PREFIX}{name}"
        await patiently(lambda: self._allowed(durables.resume(*self._stream, durable)))

    async def _until_idle(self, name: str, patience_s: float) -> None:
        try:
            async with asyncio.timeout(patience_s):
                while not (doing := activity(await self.workers(), name)).idle:
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise BusError(
                f"{name} still runs what it was given before: try again, or stop its workers first"
            ) from None
        if doing.owner is None and (await patiently(lambda: self._durable(name))).requests:
            raise BusError(
                f"a worker waits for events of {name} and does not say what it runs: stop it, or "
                "try again"
            )

    async def workers(self) -> list[WorkerStatus]:
        """The processes that run handlers, as each answers for itself; takes a moment."""
        return await ask_status(self._connection.client, self._subjects)

    async def forgettable(self, name: str) -> Durable:
        """The durable of a handler that is off or not loaded here, and that no worker runs."""
        durable = await self._durable(name)
        if name in self._loaded and not self._loaded[name].off:
            raise ConfigurationError(
                f"{name} is loaded ({self._loaded[name].place}), and would start anew: "
                f"set handlers.{name}.enabled = false first; to run events again, rewind it"
            )
        _check_not_run(durable)
        return durable

    async def forget(self, durable: Durable, *, by: str) -> None:
        """Delete the durable of a handler, and with it how far it has come.

        Raises `ConfigurationError` where a worker runs it by now: the operator may have been asked
        a while ago.
        """
        numbers = {"not handled": durable.pending + durable.unfinished}
        async with self._trail(by).act("handlers-forget", target=durable.handler, numbers=numbers):
            for one in await self._durables():
                if one.name == durable.name:
                    _check_not_run(one)
            await self._allowed(durables.delete(*self._stream, durable.name))

    def _trail(self, by: str) -> AuditTrail:
        return AuditTrail(self._connection, self._subjects, by)

    @property
    def _stream(self) -> tuple[PipeliningClient, str]:
        return self._connection.client, self._subjects.stream

    async def _allowed(self, asked: Coroutine[Any, Any, AnswerT]) -> AnswerT:
        """Say at once what our user lacks the right to, rather than that nothing answers."""
        return await self._connection.allowed(self._connection.client, asked)

    async def _durables(self) -> list[Durable]:
        return await self._allowed(durables.durables(*self._stream))

    async def _durable(self, name: str) -> Durable:
        """That of a handler; raises `ConfigurationError`."""
        found = {durable.handler: durable for durable in await self._durables()}
        if name in found and found[name].half_made:
            raise ConfigurationError(
                f"{name} is not yet where it begins: start a worker, which puts it there"
            )
        if name in found:
            return found[name]
        if name in self._loaded:
            raise ConfigurationError(
                f"{name} was never started, so it has no position yet: start a worker first"
            )
        raise unknown_handler(name, (*self._loaded, *found))

    async def _held(self, kind: str) -> Counter[str]:
        """How many schedules of a kind wait, by handler."""
        return await self._counts(
            self._subjects.stream, f"{self._subjects.root}.schedules.{kind}.>"
        )

    async def _counts(self, stream: str, subjects: str) -> Counter[str]:
        """How many messages below `subjects` each handler has; the token at `>` names it."""
        counting = durables.count_subjects(self._connection.client, stream, subjects)
        counted = await self._allowed(counting)
        place, found = subjects.count("."), Counter[str]()
        for subject, count in counted.items():
            found[subject.split(".")[place]] += count
        return found

    async def _oldest(self, durable: Durable | None) -> Stored | None:
        if durable is None or not (durable.pending or durable.unfinished):
            return None
        looking = durables.first_from(*self._stream, durable.filters, durable.floor + 1)
        return await self._allowed(looking)


def _check_not_run(durable: Durable) -> None:
    if durable.requests:
        raise ConfigurationError(f"a worker runs {durable.handler}: stop it first")
