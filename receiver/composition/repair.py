"""Letters, the quarantine, and the bus of a command that changes what is stored."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from receiver.bus.audit_stream import audit_rights
from receiver.bus.rights import archive_rights, purge_rights
from receiver.bus.subjects import Subjects
from receiver.composition.archive import opened_archive
from receiver.composition.bus import Bus, opened_bus
from receiver.operations.repair.letters import Letters
from receiver.operations.repair.quarantine import Quarantine
from receiver.settings import Settings


@contextlib.asynccontextmanager
async def opened_letters(settings: Settings) -> AsyncIterator[Letters]:
    """The dead letters, to look at; raises `BusError` where NATS is away."""
    async with opened_archive(settings) as archive:
        yield Letters(archive.connection, archive.subjects)


@contextlib.asynccontextmanager
async def opened_quarantine(settings: Settings) -> AsyncIterator[Quarantine]:
    """The callbacks that could not be read, to look at; raises `BusError` where NATS is away."""
    async with opened_archive(settings) as archive:
        yield Quarantine(archive.connection, archive.subjects)


@contextlib.asynccontextmanager
async def opened_to_act(settings: Settings) -> AsyncIterator[Bus]:
    """The bus of a command that changes something; raises `BusError` where NATS is away."""
    rights = tuple(audit_rights(Subjects(settings.nats.subject_root)))
    async with opened_bus(settings, name="yizhan-operate", rights=rights) as bus:
        bus.connection.client  # noqa: B018 - say now that NATS is away
        yield bus


@contextlib.asynccontextmanager
async def opened_to_purge(settings: Settings) -> AsyncIterator[Bus]:
    """The same, of a command that deletes what is stored."""
    subjects = Subjects(settings.nats.subject_root)
    rights = (*audit_rights(subjects), *archive_rights(subjects), *purge_rights(subjects))
    async with opened_bus(settings, name="yizhan-purge", rights=rights) as bus:
        bus.connection.client  # noqa: B018 - say now that NATS is away
        yield bus
