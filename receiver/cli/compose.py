"""Putting the parts together; the only place that does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from receiver import background
from receiver.bus.access import Access
from receiver.bus.connection import Connection
from receiver.bus.embedded import DataDirInUseError, EmbeddedServer, EmbeddedServerConfig
from receiver.bus.gossip import Gossip
from receiver.bus.group_commit import GroupCommitPublisher
from receiver.bus.publisher import Submitter
from receiver.bus.recollection import keep_recollecting, stored_ids
from receiver.bus.rights import Right, reader_rights, stream_rights
from receiver.bus.streams import MARGIN, StreamPlan, plans
from receiver.bus.subjects import Subjects
from receiver.bus.upkeep import keep_at_work, take_over
from receiver.cli.development import DevelopmentSettings
from receiver.client.platform import PlatformAPI
from receiver.contract.documents import documents
from receiver.dialects.installed import installed_dialects
from receiver.drainer import Drainer
from receiver.intake import Intake
from receiver.loading import load_handlers
from receiver.logs import get_logger
from receiver.retransmissions import Retransmissions
from receiver.settings import ReceiverSettings, Settings
from receiver.sources import Sources
from receiver.spool import Spool
from receiver.spooling import SpoolingPublisher
from receiver.web.app import create_app
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.counts import DeliveryCounts
from receiver.web.edge import EdgeLimits
from receiver.web.files import room_for
from receiver.web.glance import Glance
from receiver.web.health import HealthEndpoints, Probe
from receiver.web.metrics import MetricsEndpoint
from receiver.web.server import ServerConfig, base_url, serving
from receiver.web.tls import Certificate
from receiver.worker import Worker

SPOOL_FILE: Final = "spool.sqlite3"
SPOOL_TIMEOUT_S: Final = 0.4
"""With the budget of the log before it, still within the second that the platform waits."""
_DRAIN_TIMEOUT_S: Final = 2.0
_CLOSE_IT: Final = (
    "every process of this machine may publish events: stop all runs on this data directory, "
    "and start one with sources of its own first"
)
"""A server that a run on development defaults started stays open for as long as it is shared."""


@dataclass(frozen=True, slots=True)
class Bus:
    """The log, opened."""

    url: str
    connection: Connection
    subjects: Subjects
    publisher: GroupCommitPublisher


def retry_horizons(settings: Settings) -> Sequence[timedelta]:
    """How long the platforms of the configured sources go on repeating a callback."""
    configured = {source.dialect for source in settings.sources} or {"xport"}
    dialects = installed_dialects()
    return [dialects[name].retry_horizon for name in configured]


def duplicate_window(settings: Settings) -> timedelta:
    """How long the log has to know the id of a callback."""
    return max(retry_horizons(settings)) + MARGIN


def stream_plans(settings: Settings, subjects: Subjects) -> tuple[StreamPlan, ...]:
    """The streams that the settings ask for."""
    nats = settings.nats
    return plans(
        subjects,
        retry_horizons(settings),
        replicas=nats.replicas,
        max_age=timedelta(days=nats.max_age_days),
        max_bytes=nats.max_bytes or -1,
    )


def access(settings: Settings) -> Access:
    """How the settings get into NATS."""
    nats = settings.nats
    return Access(
        user=nats.user,
        password_file=nats.password_file,
        credentials_file=nats.credentials_file,
        nkey_seed_file=nats.nkey_seed_file,
        tls_ca_file=nats.tls_ca_file,
        tls_cert_file=nats.tls_cert_file,
        tls_key_file=nats.tls_key_file,
    )


@contextlib.asynccontextmanager
async def opened_bus(
    settings: Settings,
    *,
    name: str,
    patience_s: float = 2.0,
    share: bool = True,
    inherit: bool = False,
    receiving: bool = False,
    rights: Sequence[Right] = (),
) -> AsyncIterator[Bus]:
    """The log of the settings: an external server, or an embedded one that stops with us.

    With `share`, the embedded server of another run on the same data is used while that runs, with
    its users or without any; with `inherit`, it is taken over when that ends, and stays as it was.
    With `receiving`, the server has to take the largest callback, and to let us do what a receiver
    does; `rights` are what it has to allow beside what every process needs.
    """
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(
            running_server(settings, share=share, inherit=inherit)
        )
        subjects = Subjects(settings.nats.subject_root)
        connection = Connection(
            url,
            stream_plans(settings, subjects),
            name=name,
            access=access(settings),
            body_bytes=settings.receiver.limit_bytes if receiving else 0,
            rights=(
                *stream_rights(subjects),
                *(reader_rights(subjects) if receiving else ()),
                *rights,
            ),
        )
        publisher = GroupCommitPublisher(connection, timeout_s=settings.receiver.publish_timeout_s)
        try:
            await connection.start(patience_s=patience_s)
            yield Bus(url, connection, subjects, publisher)
        finally:
            await publisher.stop()
            await connection.stop()


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver."""

    url: str
    counts: DeliveryCounts
    sources: Sources
    tls: Certificate | None


@contextlib.asynccontextmanager
async def running_receiver(
    settings: Settings, bus: Bus, listener: socket.socket, *, worker: int = 0
) -> AsyncIterator[Receiver]:
    """Serve the HTTP edge on `listener`; leaving answers what is in flight first.

    `worker` is the number of this process among those that share the port.
    """
    counts, sources = DeliveryCounts(), Sources(settings.sources)
    tls = certificate(settings)
    window = duplicate_window(settings)
    said = Retransmissions(window)
    gossip = Gossip(bus.connection, bus.subjects, said.remember)
    async with (
        background.running(
            partial(
                keep_recollecting,
                bus.connection,
                bus.subjects,
                window=window,
                remember=said.remember,
            ),
            name="recollection",
        ),
        background.running(gossip.run, name="gossip"),
        _spooling(settings, bus) as (publisher, probe, spool),
    ):
        endpoint = CallbackEndpoint(
            Intake(
                publisher,
                bus.subjects,
                installed_dialects(),
                retransmissions=said,
                spread=gossip.tell,
                limit_bytes=settings.receiver.limit_bytes,
                window=window,
            ),
            sources,
            limit_bytes=settings.receiver.limit_bytes,
            trusted_proxies=settings.receiver.trusted_proxies,
            counts=counts,
        )
        seen = Glance(probe)
        app = create_app(
            endpoint,
            HealthEndpoints(
                seen,
                None if spool is None else Glance(spool.probe),
                warnings=lambda: bus.connection.warnings,
            ),
            documents(
                bus.subjects, nats_url=bus.url, server=base_url(listener, tls=tls is not None)
            ),
            MetricsEndpoint(
                counts, seen, None if spool is None else Glance(spool.state), worker=worker
            ),
        )
        config = ServerConfig(
            limits=_edge_limits(settings.receiver),
            grace_s=settings.receiver.grace_s,
            tls=tls,
            count=counts.add,
        )
        async with serving(app, listener, config, lane=endpoint) as url:
            yield Receiver(url, counts, sources, tls)


def certificate(settings: Settings) -> Certificate | None:
    """The certificate of the settings, loaded; raises `ConfigurationError`."""
    files = settings.receiver.tls_cert_file, settings.receiver.tls_key_file
    if files[0] is None or files[1] is None:
        return None
    return Certificate(files[0], files[1])


def _edge_limits(settings: ReceiverSettings) -> EdgeLimits:
    room = room_for(settings.limit_connections)
    if room < settings.limit_connections:
        get_logger("yizhan.receiver").warning(
            "connections_limited_by_open_files", limit=room, wanted=settings.limit_connections
        )
    return EdgeLimits(
        receive_timeout_s=settings.receive_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        headers=settings.limit_headers,
        head_bytes=settings.limit_head_bytes,
        connections=room,
        per_address=settings.limit_connections_per_address,
        trusted_proxies=settings.trusted_proxies,
    )


@contextlib.asynccontextmanager
async def opened_spool(settings: Settings) -> AsyncIterator[Spool]:
    """The spool of the settings, in the data directory."""
    spool = Spool(
        settings.nats.data_dir / SPOOL_FILE,
        limit_bytes=settings.receiver.spool_limit_bytes,
        put_timeout_s=SPOOL_TIMEOUT_S,
    )
    try:
        yield spool
    finally:
        await spool.close()


@contextlib.asynccontextmanager
async def ready_drainer(
    settings: Settings, bus: Bus, spool: Spool, *, on_stored: Callable[[], None] = lambda: None
) -> AsyncIterator[Drainer]:
    """A drainer, not started, on a publisher of its own: its duplicates spoil no live batch."""
    publisher = GroupCommitPublisher(bus.connection, timeout_s=_DRAIN_TIMEOUT_S, remember=0)
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
        await publisher.stop()


@contextlib.asynccontextmanager
async def _spooling(
    settings: Settings, bus: Bus
) -> AsyncIterator[tuple[Submitter, Probe, Spool | None]]:
    """The publisher of callbacks, what tells whether the log takes them, and the spool where there
    is one, with the drainer running."""
    if not settings.receiver.spool_limit_bytes:
        yield bus.publisher, bus.connection.probe, None
        return
    async with opened_spool(settings) as spool:
        publisher = SpoolingPublisher(
            bus.publisher, spool, ack_budget_s=settings.receiver.ack_budget_ms / 1000
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
                yield publisher, probe, spool
            finally:
                await drainer.stop()
                await publisher.stop()


@contextlib.asynccontextmanager
async def running_worker(settings: Settings, bus: Bus) -> AsyncIterator[Worker]:
    """Run the handlers; leaving lets the running ones finish within the grace time."""
    async with contextlib.AsyncExitStack() as stack:
        api = None
        if settings.api is not None:
            api = await stack.enter_async_context(PlatformAPI.open(settings.api))
        worker = Worker(
            bus.connection,
            bus.publisher,
            bus.subjects,
            load_handlers(settings.handlers.load),
            api=api,
            settings=settings.handlers,
            clock=lambda: datetime.now(UTC),
            sleep=asyncio.sleep,
        )
        await worker.start()
        try:
            yield worker
        finally:
            await worker.stop()


@contextlib.asynccontextmanager
async def running_server(
    settings: Settings, *, share: bool = True, inherit: bool = False
) -> AsyncIterator[str]:
    """The URL of NATS: that of the settings, else of an embedded server; see `opened_bus`."""
    nats = settings.nats
    if nats.url is not None:
        yield nats.url
        return
    config = EmbeddedServerConfig(
        data_dir=nats.data_dir,
        port=nats.port,
        secured=not isinstance(settings, DevelopmentSettings),
        subject_root=nats.subject_root,
    )
    server = EmbeddedServer(config)
    try:
        await server.start()
    except DataDirInUseError as error:
        if not share or error.urls is None:
            raise
        if error.urls.open and config.secured and settings.sources:
            get_logger("yizhan.bus").warning("nats_server_open", action=_CLOSE_IT)
        if not inherit:
            yield error.urls.operator
            return
        server.urls = error.urls
        watch = partial(take_over, server)
    else:
        watch = partial(keep_at_work, server)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        await stack.enter_async_context(background.running(watch, name="nats-server-watch"))
        yield server.url
