"""The receiver of the settings: endpoint, intake, limits, pages for probes."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from starlette.types import ASGIApp

from receiver.composition.bus import Bus, duplicate_window
from receiver.composition.metrics import receiver_figures, reporting
from receiver.composition.operations import watching_room
from receiver.composition.spool import spooling_publisher
from receiver.composition.tracing import traced
from receiver.contract.documents import documents
from receiver.dialects.installed import installed_dialects
from receiver.ingest.intake import Intake
from receiver.ingest.late_answers import LateAnswers
from receiver.ingest.peers import StoredCallbackBroadcast
from receiver.ingest.retransmissions import Retransmissions
from receiver.ingest.sources import Sources
from receiver.ingest.tries import TryCounts
from receiver.ingest.warmup import keep_warm
from receiver.observability.counters import DeliveryCounts
from receiver.observability.logs import get_logger
from receiver.resilience import supervision
from receiver.resilience.single_flight import SingleFlight
from receiver.settings import ReceiverSettings, Settings
from receiver.spool.queue import Spool
from receiver.web.app import create_app
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.connection.limits import EdgeLimits
from receiver.web.connection.open_files import fit_open_files
from receiver.web.health import HealthEndpoints, Probe
from receiver.web.metrics import MetricsEndpoint
from receiver.web.server import ServerConfig, base_url, serving
from receiver.web.tls import Certificate


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
    """Serve the HTTP edge on `listener`, as the process `worker` of those that share the port;
    leaving answers what is in flight first.
    """
    counts, sources = DeliveryCounts(), Sources(settings.sources)
    tls, window = certificate(settings), duplicate_window(settings)
    retransmissions = Retransmissions(window)
    remember = retransmissions.remember
    warming = partial(keep_warm, bus.connection, bus.subjects, window=window, remember=remember)
    late = LateAnswers(TryCounts(counts, installed_dialects()).tried)
    broadcast = StoredCallbackBroadcast(bus.connection, bus.subjects, remember, late.remember)
    late.announce = broadcast.announce_late
    async with (
        supervision.running(warming, name="recollection"),
        supervision.running(broadcast.run, name="gossip"),
        traced(settings, service="yizhan-receive", deadline=bus.deadline) as tracer,
        spooling_publisher(settings, bus) as (publisher, probe, spool),
    ):
        endpoint = CallbackEndpoint(
            Intake(
                publisher,
                bus.subjects,
                installed_dialects(),
                retransmissions=retransmissions,
                announce=broadcast.announce,
                late=late,
                limit_bytes=settings.receiver.limit_bytes,
                window=window,
            ),
            sources,
            limit_bytes=settings.receiver.limit_bytes,
            trusted_proxies=settings.receiver.trusted_proxies,
            counts=counts,
            tracer=tracer,
        )
        app = _app(
            endpoint,
            bus,
            (probe, spool),
            url=base_url(listener, tls=tls is not None),
            counts=counts,
            worker=worker,
            token=settings.metrics.bearer,
        )
        config = _server_config(settings.receiver, bus, tls, counts)
        serve = serving(app, listener, config, fast_path=endpoint)
        first = worker == 0
        read = partial(receiver_figures, counts, spool if first else None)
        async with reporting(bus, "receiver", read), serve as url, _beside(settings, bus, first):
            yield Receiver(url, counts, sources, tls)


def _beside(
    settings: Settings,
    bus: Bus,
    first: bool,  # noqa: FBT001
) -> contextlib.AbstractAsyncContextManager[None]:
    """What the first process of those that share the port looks after."""
    return watching_room(settings, bus) if first else contextlib.nullcontext()


def _server_config(
    settings: ReceiverSettings, bus: Bus, tls: Certificate | None, counts: DeliveryCounts
) -> ServerConfig:
    return ServerConfig(
        limits=_edge_limits(settings),
        deadline=bus.deadline,
        grace_s=settings.grace_s,
        tls=tls,
        count=counts.add,
    )


def _app(
    endpoint: CallbackEndpoint,
    bus: Bus,
    looked_at: tuple[Probe, Spool | None],
    *,
    url: str,
    counts: DeliveryCounts,
    worker: int,
    token: str | None,
) -> ASGIApp:
    """The endpoint, and beside it health, metrics and documents."""
    probe, spool = SingleFlight(looked_at[0]), looked_at[1]
    health = HealthEndpoints(
        probe,
        None if spool is None else SingleFlight(spool.probe),
        warnings=lambda: bus.connection.warnings,
    )
    metrics = MetricsEndpoint(
        counts,
        probe,
        None if spool is None else SingleFlight(spool.state),
        staged=bus.staged,
        worker=worker,
    )
    pages = documents(bus.subjects, nats_url=bus.url, server=url)
    return create_app(endpoint, health, pages, metrics, token)


def certificate(settings: Settings) -> Certificate | None:
    """The certificate of the settings, loaded; raises `ConfigurationError`."""
    files = settings.receiver.tls_cert_file, settings.receiver.tls_key_file
    if files[0] is None or files[1] is None:
        return None
    return Certificate(files[0], files[1])


def _edge_limits(settings: ReceiverSettings) -> EdgeLimits:
    room = fit_open_files(settings.limit_connections)
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
