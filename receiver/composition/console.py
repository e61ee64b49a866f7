"""The console of the settings: its desk on a bus that is open, and its listener."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from receiver.bus.audit_stream import audit_rights
from receiver.bus.rights import archive_rights
from receiver.bus.subjects import Subjects
from receiver.composition.bus import Bus, opened_bus
from receiver.composition.certificate import certificate_expiry
from receiver.composition.metrics import collector_on
from receiver.composition.operations import doubts_on, free_bytes, holders_on, reparsing
from receiver.composition.replays import replay_operations
from receiver.composition.spool import opened_spool
from receiver.console.app import create_console
from receiver.console.desk import Desk
from receiver.console.warm import Warm
from receiver.errors import BusError, ConfigurationError
from receiver.operations.alerting.record import AlertRecord
from receiver.operations.alerting.standing import StandingAlerts
from receiver.operations.durability import durability
from receiver.operations.handlers import HandlerOperations
from receiver.operations.look.archive import Archive
from receiver.operations.look.configured import configured
from receiver.operations.look.counted import counted_document
from receiver.operations.look.rates import hourly_rates
from receiver.operations.look.status import Place, status, status_without_nats
from receiver.operations.repair.quarantine import Quarantine
from receiver.operations.trying import CallbackSender
from receiver.resilience import supervision
from receiver.settings import Settings
from receiver.spool.queue import Spool
from receiver.web.connection.limits import EdgeLimits
from receiver.web.server import ServerConfig, serving
from receiver.worker.routing import Handler

_WARM_S: Final = 30.0
"""How often Now is read while no page is open: to ask the workers takes too long for a page."""
_ANSWER_S: Final = 3600.0
"""How long an answer may take: a page that follows what is stored is one long answer."""


@contextlib.asynccontextmanager
async def opened_for_console(settings: Settings) -> AsyncIterator[Bus]:
    """The bus of a console that runs by itself; it opens where NATS is away, too."""
    subjects = Subjects(settings.nats.subject_root)
    rights = (*archive_rights(subjects), *audit_rights(subjects))
    async with opened_bus(settings, name="yizhan-console", inherit=True, rights=rights) as bus:
        yield bus


@contextlib.asynccontextmanager
async def running_console(
    settings: Settings,
    bus: Bus,
    listener: socket.socket,
    loaded: Sequence[Handler],
    sender: CallbackSender | None = None,
) -> AsyncIterator[str]:
    """Serve the console on `listener`; gives its URL, with its prefix. `loaded` are the handlers
    that are known here, `sender` sends test callbacks.
    """
    async with opened_spool(settings, bus.deadline) as spool:
        desk = replace(console_desk(settings, bus, loaded, spool), sender=sender)
        app = create_console(desk, settings)
        config = ServerConfig(
            EdgeLimits(answer_timeout_s=_ANSWER_S), deadline=bus.deadline, headers=()
        )
        warming = supervision.running(partial(_kept_warm, desk), name="console-warm")
        async with warming, serving(app, listener, config) as url:
            try:
                yield f"{url}{settings.console.root_path}/"
            finally:
                desk.ending.set()


async def _kept_warm(desk: Desk) -> None:
    # Else the page of the first old order would wait for it; that page says what hinders it.
    with contextlib.suppress(BusError, ConfigurationError):
        await desk.archive.unled_letters.of((), datetime.fromtimestamp(0, UTC))
    while True:
        with contextlib.suppress(BusError):
            await asyncio.gather(desk.status(), desk.counted(), desk.workers(), desk.durability())
        await asyncio.sleep(_WARM_S)


def console_desk(
    settings: Settings, bus: Bus, loaded: Sequence[Handler], spool: Spool | None = None
) -> Desk:
    """The desk of a console."""
    connection, subjects = bus.connection, bus.subjects
    kept = timedelta(days=settings.nats.max_age_days)
    handlers = HandlerOperations(connection, subjects, loaded, kept=kept)
    archive = Archive(connection, subjects)
    sources = [source.name for source in settings.sources]
    held = spool.state if spool is not None and spool.path.exists() else None

    async def standing() -> Mapping[str, Any]:
        now = datetime.now(UTC)
        try:
            connection.client  # noqa: B018 - say now that NATS is away
        except BusError as error:
            return {**await status_without_nats(held, str(error), now), "rates": None}
        room, expiry = free_bytes(settings), certificate_expiry(settings)
        place = Place(archive, handlers, sources, held, room, expiry)
        document = await status(place, now)
        names = [one["source"] for one in document["sources"] or ()]
        return {**document, "rates": await hourly_rates(archive, names, now)}

    workers = Warm(handlers.workers)
    return Desk(
        connection,
        subjects,
        archive,
        bus.publisher,
        handlers,
        Warm(standing),
        Warm(_counting(settings, bus, loaded)),
        workers,
        replay_operations(settings, bus, loaded, workers),
        reparsing(settings, bus, Quarantine(connection, subjects)),
        partial(doubts_on, settings, bus, holders_on(bus)),
        configured=configured(settings),
        durability=Warm(partial(durability, settings.nats)),
    )


def _counting(
    settings: Settings, bus: Bus, loaded: Sequence[Handler]
) -> Callable[[], Awaitable[Mapping[str, Any]]]:
    """Reads what the processes count, and which alerts hold."""
    collector, alerts = collector_on(settings, bus, loaded), StandingAlerts()
    record = AlertRecord(bus.connection, bus.subjects)

    async def counted() -> Mapping[str, Any]:
        watched = None
        try:
            bus.connection.client  # noqa: B018 - say now that NATS is away
        except BusError as error:
            found = collector.without_nats(str(error))
        else:
            found = await collector.collect()
            with contextlib.suppress(BusError):  # without it we know since our own start
                watched = await record.watched(datetime.now(UTC))
        firing = alerts.look(found.figures, datetime.now(UTC), watched)
        return {
            **counted_document(found.figures),
            "alerts": [one.document() for one in firing],
            "missing": list(found.missing),
        }

    return counted
