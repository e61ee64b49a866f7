"""Health and metrics of handlers, on a port of their own where the settings name one."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from receiver.composition.bus import Bus
from receiver.composition.operations import handler_operations
from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.operations.workers import ask_status
from receiver.resilience.single_flight import SingleFlight
from receiver.settings import Settings
from receiver.web.app import create_handler_app
from receiver.web.handler_metrics import Backlog, HandlerMetricsEndpoint, Workers
from receiver.web.health import HealthEndpoints
from receiver.web.server import ServerConfig, bind, serving
from receiver.worker.status import WorkerStatus
from receiver.worker.worker import Worker

_BACKLOG_S: Final = 5.0
"""How long what JetStream counts is taken to hold: the server walks its stream to count."""


def bind_handler_port(settings: Settings) -> socket.socket | None:
    """A listening socket, None where there is to be none; raises `ConfigurationError`."""
    host, port = settings.handlers.host, settings.handlers.port
    return None if port is None else bind(host, port, section="handlers")


def here(worker: Worker) -> Workers:
    """The one process that this is; none where a handler takes no events any more."""

    async def workers() -> Mapping[int, WorkerStatus]:
        return {0: worker.status()} if worker.alive else {}

    return workers


def below(bus: Bus, pids: Callable[[], list[int]]) -> Workers:
    """The processes of a supervisor that this is, as they answer; `pids` is theirs, by number, 0
    for one that does not run.
    """

    async def workers() -> Mapping[int, WorkerStatus]:
        numbers = {pid: number for number, pid in enumerate(pids()) if pid}
        ours = (os.getpid(), socket.gethostname())
        return {
            numbers[status.pid]: status
            for status in await ask_status(bus.connection.client, bus.subjects, pids=set(numbers))
            if (status.parent, status.host) == ours and status.pid in numbers
        }

    return workers


@contextlib.asynccontextmanager
async def serving_handlers(
    settings: Settings,
    bus: Bus,
    listener: socket.socket | None,
    workers: Workers,
    *,
    count: int = 1,
) -> AsyncIterator[None]:
    """Serve on `listener`, if there is one. Ready is who reaches NATS, with all of so many workers
    at work.
    """
    if listener is None:
        yield
        return
    asked = SingleFlight(workers)

    async def probe() -> None:
        await bus.connection.probe()
        if (working := len(await asked())) < count:
            raise BusError(f"of {count} processes that run handlers {working} do: see the log")

    backlogs = SingleFlight(partial(_backlogs, settings, bus), ttl_s=_BACKLOG_S)
    metrics = HandlerMetricsEndpoint(asked, backlogs)
    app = create_handler_app(HealthEndpoints(SingleFlight(probe)), metrics, settings.metrics.bearer)
    config = ServerConfig(deadline=bus.deadline, grace_s=settings.handlers.grace_s)
    async with serving(app, listener, config) as url:
        get_logger("yizhan.handlers").info("handlers_served", url=url)
        yield


async def _backlogs(settings: Settings, bus: Bus) -> Sequence[Backlog]:
    """Those of the handlers that are loaded."""
    operations, now = handler_operations(settings, bus), datetime.now(UTC)
    return [
        Backlog(
            view.name,
            view.durable.pending if view.durable else 0,
            view.scheduled,
            max(0.0, (now - view.oldest.time).total_seconds()) if view.oldest else 0.0,
            view.dead_letters,
            view.durable is not None and view.durable.pause is not None,
        )
        for view in await operations.backlogs()
        if view.handler is not None
    ]
