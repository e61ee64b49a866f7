"""The operations of the settings: on their server, for their handlers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from receiver.composition.bus import opened_bus
from receiver.operations.handlers import HandlerOperations
from receiver.settings import Settings
from receiver.worker.routing import Handler


@contextlib.asynccontextmanager
async def opened_operations(
    settings: Settings, loaded: Sequence[Handler]
) -> AsyncIterator[HandlerOperations]:
    """What can be done to handlers, of which `loaded` are here; raises `BusError` where NATS is
    away.
    """
    async with opened_bus(settings, name="yizhan-operate") as bus:
        bus.connection.client  # noqa: B018 - say now that NATS is away
        kept = timedelta(days=settings.nats.max_age_days)
        yield HandlerOperations(bus.connection, bus.subjects, loaded, kept=kept)
