"""What is stored on the server of the settings, to look at."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from receiver.bus.rights import archive_rights
from receiver.bus.subjects import Subjects
from receiver.composition.bus import opened_bus
from receiver.operations.look.archive import Archive
from receiver.settings import Settings


@contextlib.asynccontextmanager
async def opened_archive(settings: Settings) -> AsyncIterator[Archive]:
    """What is stored; raises `BusError` where NATS is away."""
    rights = tuple(archive_rights(Subjects(settings.nats.subject_root)))
    async with opened_bus(settings, name="yizhan-look", rights=rights) as bus:
        bus.connection.client  # noqa: B018 - say now that NATS is away
        yield Archive(bus.connection, bus.subjects)
