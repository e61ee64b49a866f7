"""The replays of the settings: planned, run and looked at on their server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from receiver.bus.audit_stream import audit_rights
from receiver.bus.state.store import StateStore
from receiver.bus.subjects import Subjects
from receiver.composition.bus import Bus, opened_bus
from receiver.operations.replay_acts import ReplayOperations
from receiver.operations.replaying import Workers
from receiver.replay.plan import Planning
from receiver.replay.runner import Runner
from receiver.replay.runs import Runs
from receiver.settings import Settings
from receiver.worker.replaying.store import Replays
from receiver.worker.routing import Handler


@dataclass(frozen=True, slots=True)
class ReplayDesk:
    """Everything that a command needs to plan and to run replays."""

    settings: Settings
    bus: Bus
    replays: Replays
    runs: Runs
    planning: Planning


@contextlib.asynccontextmanager
async def opened_replays(
    settings: Settings, handlers: Sequence[Handler] = ()
) -> AsyncIterator[ReplayDesk]:
    """The replays, to `handlers` among others; raises `BusError` where NATS is away."""
    rights = tuple(audit_rights(Subjects(settings.nats.subject_root)))
    async with opened_bus(settings, name="yizhan-replay", rights=rights) as bus:
        bus.connection.client  # noqa: B018 - say now that NATS is away
        store = StateStore(bus.connection, bus.subjects)
        try:
            await store.ensure()
            replays = Replays(store, bus.connection, bus.subjects)
            runner = Runner(bus.connection, bus.subjects)
            yield ReplayDesk(
                settings,
                bus,
                replays,
                Runs(replays, runner, clock=_now),
                Planning(replays, handlers, clock=_now),
            )
        finally:
            await store.stop()


def replay_operations(
    settings: Settings, bus: Bus, loaded: Sequence[Handler], workers: Workers | None = None
) -> ReplayOperations:
    """The same on a bus that is open, for a process that runs none itself; `workers` is that of
    `ReplayOperations`.
    """
    store = StateStore(bus.connection, bus.subjects)
    replays = Replays(store, bus.connection, bus.subjects)
    return ReplayOperations(
        Runs(replays, Runner(bus.connection, bus.subjects), clock=_now),
        Planning(replays, loaded, clock=_now),
        loaded,
        has_api=settings.api is not None,
        workers=workers,
    )


def _now() -> datetime:
    return datetime.now(UTC)
