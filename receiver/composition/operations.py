"""The operations of the settings: on their server, for their handlers."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from receiver.bus.read.reader import Reader
from receiver.bus.state.store import StateStore
from receiver.composition.archive import opened_archive
from receiver.composition.bus import Bus, raw_age
from receiver.composition.certificate import certificate_expiry
from receiver.composition.repair import opened_to_act
from receiver.composition.spool import opened_spool
from receiver.dialects.installed import installed_dialects
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.doubt import Doubts
from receiver.operations.expiry import warn_of_expiry
from receiver.operations.handlers import HandlerOperations
from receiver.operations.keeping.watch import warn_of_room
from receiver.operations.look.status import Place
from receiver.operations.repair.comparing import Comparing
from receiver.operations.repair.quarantine import Quarantine
from receiver.operations.repair.reparse import Reparsing, Today
from receiver.operations.states import StateOperations
from receiver.resilience import supervision
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers
from receiver.worker.effects.holders import BusHolders, Holders
from receiver.worker.routing import Handler


@contextlib.asynccontextmanager
async def opened_operations(
    settings: Settings, loaded: Sequence[Handler]
) -> AsyncIterator[HandlerOperations]:
    """What can be done to handlers, of which `loaded` are here; raises `BusError` where NATS is
    away.
    """
    async with opened_to_act(settings) as bus:
        yield handler_operations(settings, bus, loaded)


@contextlib.asynccontextmanager
async def opened_doubts(settings: Settings) -> AsyncIterator[Doubts]:
    """The effects that are in doubt; raises `BusError` where NATS is away."""
    async with opened_to_act(settings) as bus, doubts_on(settings, bus, holders_on(bus)) as doubts:
        yield doubts


@contextlib.asynccontextmanager
async def doubts_on(settings: Settings, bus: Bus, holders: Holders) -> AsyncIterator[Doubts]:
    """The same on a bus that is open."""
    store = StateStore(bus.connection, bus.subjects)
    try:
        await store.ensure()
        yield Doubts(
            bus.connection,
            bus.subjects,
            store,
            holders,
            kept=timedelta(days=settings.nats.max_age_days),
            trail_of=partial(AuditTrail, bus.connection, bus.subjects),
        )
    finally:
        await store.stop()


def holders_on(bus: Bus) -> Holders:
    """Whom to ask about an effect; one for the life of a bus."""
    return BusHolders([bus.connection], bus.subjects, sleep=asyncio.sleep)


@contextlib.asynccontextmanager
async def opened_states(settings: Settings) -> AsyncIterator[StateOperations]:
    """The states of orders; raises `BusError` where NATS is away."""
    async with opened_to_act(settings) as bus:
        operations = StateOperations.of(bus.connection, bus.subjects)
        await operations.store.ensure()
        try:
            yield operations
        finally:
            await operations.store.stop()


@contextlib.asynccontextmanager
async def opened_place(settings: Settings, loaded: Sequence[Handler]) -> AsyncIterator[Place]:
    """Everything that a status looks at; raises `BusError` where NATS is away."""
    async with opened_archive(settings) as archive, opened_spool(settings) as spool:
        kept = timedelta(days=settings.nats.max_age_days)
        yield Place(
            archive,
            HandlerOperations(archive.connection, archive.subjects, loaded, kept=kept),
            [source.name for source in settings.sources],
            spool.state if spool.path.exists() else None,
            free_bytes(settings),
            certificate_expiry(settings),
        )


def reparsing(settings: Settings, bus: Bus, quarantine: Quarantine) -> Reparsing:
    """Reading callbacks again, as the settings say now."""
    return Reparsing(quarantine, _today(settings, bus), bus.publisher)


def comparing(settings: Settings, bus: Bus) -> Comparing:
    """The same beside what was stored of them."""
    quarantine = Quarantine(bus.connection, bus.subjects)
    return Comparing(
        quarantine.archive, _today(settings, bus), reparsing(settings, bus, quarantine)
    )


def _today(settings: Settings, bus: Bus) -> Today:
    sources = {source.name: source for source in settings.sources}
    age = raw_age(settings, bus.subjects)
    return Today(sources, installed_dialects(), settings.receiver.limit_bytes, age)


def free_bytes(settings: Settings) -> int | None:
    """Of the disk of an embedded server; that of another is not ours to see."""
    if settings.nats.url is not None or not settings.nats.data_dir.is_dir():
        return None
    return shutil.disk_usage(settings.nats.data_dir).free


def handler_operations(
    settings: Settings, bus: Bus, loaded: Sequence[Handler] | None = None
) -> HandlerOperations:
    """The same on a bus that is open; by default for the handlers of the settings."""
    handlers = configured_handlers(settings.handlers) if loaded is None else loaded
    kept = timedelta(days=settings.nats.max_age_days)
    return HandlerOperations(bus.connection, bus.subjects, handlers, kept=kept)


def watching_room(settings: Settings, bus: Bus) -> contextlib.AbstractAsyncContextManager[None]:
    """Warn before the streams, or the disk of an embedded server, are full."""
    watch = partial(
        warn_of_room,
        Reader(bus.connection),
        bus.subjects,
        free_bytes=partial(free_bytes, settings),
        now=lambda: datetime.now(UTC),
        sleep=asyncio.sleep,
    )
    return supervision.running(watch, name="room-watch")


def watching_expiry(
    settings: Settings, bus: Bus, owns: Callable[[str], bool]
) -> contextlib.AbstractAsyncContextManager[None]:
    """Warn of events that expire before their paused handler, one of those that we own, runs."""
    watch = partial(
        warn_of_expiry,
        handler_operations(settings, bus),
        owns=owns,
        now=lambda: datetime.now(UTC),
        sleep=asyncio.sleep,
    )
    return supervision.running(watch, name="expiry-watch")
