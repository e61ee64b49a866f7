"""The spool of the settings, its drainer, and the publisher that falls back to it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

from receiver.bus.publish.contract import Submitter
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.publish.raw_age import RawAgeSubmitter
from receiver.bus.read.lookup import stored_ids
from receiver.composition.bus import Bus, duplicate_window, raw_age
from receiver.resilience.cancellation import PATIENCE_S
from receiver.resilience.deadline import Deadline
from receiver.settings import Settings
from receiver.spool.drainer import Drainer
from receiver.spool.publisher import SpoolFallbackPublisher
from receiver.spool.queue import Spool

SPOOL_FILE: Final = "spool.sqlite3"
_DRAIN_TIMEOUT_S: Final = 2.0


@contextlib.asynccontextmanager
async def opened_spool(
    settings: Settings, deadline: Deadline | None = None
) -> AsyncIterator[Spool]:
    """The spool of the settings, in the data directory; closed within the deadline of a stop."""
    spool = Spool(
        settings.nats.data_dir / SPOOL_FILE,
        limit_bytes=settings.receiver.spool_limit_bytes,
        put_timeout_s=settings.receiver.spool_budget_ms / 1000,
    )
    try:
        yield spool
    finally:
        await spool.close(within_s=(deadline or Deadline(settings.receiver.grace_s)).step_s())


@contextlib.asynccontextmanager
async def ready_drainer(
    settings: Settings, bus: Bus, spool: Spool, *, on_stored: Callable[[], None] = lambda: None
) -> AsyncIterator[Drainer]:
    """A drainer, not started, on a publisher of its own: its duplicates spoil no live batch."""
    publisher = GroupCommitPublisher(
        bus.connection, timeout_s=_DRAIN_TIMEOUT_S, remember=0, staged=bus.staged
    )
    try:
        yield Drainer(
            spool,
            publisher,
            bus.subjects,
            probe=bus.connection.probe,
            stored_ids=partial(stored_ids, bus.connection, bus.subjects),
            window=duplicate_window(settings),
            on_stored=on_stored,
        )
    finally:
        await publisher.stop(within_s=bus.deadline.step_s())


@contextlib.asynccontextmanager
async def spooling_publisher(
    settings: Settings, bus: Bus
) -> AsyncIterator[tuple[Submitter, Callable[[], Awaitable[None]], Spool | None]]:
    """The publisher of callbacks, the probe of the log, and the spool where there is one, with the
    drainer running."""
    if not settings.receiver.spool_limit_bytes:
        yield _aged(bus.publisher, settings, bus), bus.connection.probe, None
        return
    async with opened_spool(settings, bus.deadline) as spool:
        publisher = SpoolFallbackPublisher(
            bus.publisher,
            spool,
            ack_budget_s=settings.receiver.ack_budget_ms / 1000,
            max_payload_bytes=lambda: bus.connection.max_payload_bytes,
        )
        if spool.path.exists():
            await publisher.learn()
        bus.connection.on_reconnect(publisher.learn_soon)

        async def probe() -> None:
            await bus.connection.probe()
            publisher.check()

        async with ready_drainer(settings, bus, spool, on_stored=publisher.recovered) as drainer:
            drainer.start()
            try:
                yield _aged(publisher, settings, bus), probe, spool
            finally:
                await drainer.stop(within_s=min(PATIENCE_S, bus.deadline.step_s()))
                await publisher.stop(within_s=bus.deadline.step_s())


def _aged(publisher: Submitter, settings: Settings, bus: Bus) -> Submitter:
    """The same, with the lifetime of raw callbacks where they have one of their own."""
    age = raw_age(settings, bus.subjects)
    return publisher if age is None else RawAgeSubmitter(publisher, age)
