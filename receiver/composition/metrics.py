"""Metrics of the settings: what each process reports, and who collects them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from receiver.bus.metric_reports import MetricReporter, ProcessKind, Read
from receiver.bus.metrics_stream import metrics_rights
from receiver.bus.rights import archive_rights
from receiver.bus.subjects import Subjects
from receiver.composition.bus import Bus, opened_bus
from receiver.composition.certificate import certificate_expiry
from receiver.composition.operations import free_bytes
from receiver.errors import BusError
from receiver.observability.counters import DeliveryCounts
from receiver.observability.figures import Figures
from receiver.operations.handlers import HandlerOperations
from receiver.operations.look.archive import Archive
from receiver.operations.metrics.collector import MetricCollector
from receiver.settings import Settings
from receiver.spool.queue import Spool
from receiver.worker.figures import worker_figures
from receiver.worker.routing import Handler
from receiver.worker.worker import Worker

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI


@contextlib.asynccontextmanager
async def reporting(bus: Bus, kind: ProcessKind, read: Read) -> AsyncIterator[None]:
    """Report what `read` gives every few seconds, and once more at the end."""
    reporter = MetricReporter(bus.connection, bus.subjects, kind, read)
    await reporter.start()
    try:
        yield
    finally:
        await reporter.stop(within_s=bus.deadline.step_s())


async def receiver_figures(counts: DeliveryCounts, spool: Spool | None) -> Figures:
    """What a receiver counts; of the spool where it speaks for those that share it."""
    figures = Figures()
    figures.add(counts.figures())
    if spool is None:
        return figures
    try:
        state = await spool.state()
    except BusError:
        figures.gauge("yizhan_spool_readable", value=0)
        figures.gauge("yizhan_spool_unreadable", value=1)
        return figures
    figures.gauge("yizhan_spool_readable", value=1)
    figures.gauge("yizhan_spool_unreadable", value=0)
    figures.gauge("yizhan_spool_callbacks", value=state.depth)
    figures.gauge("yizhan_spool_bytes", value=state.size_bytes)
    figures.gauge("yizhan_spool_oldest_age_seconds", value=state.oldest_age_s)
    return figures


def reporting_worker(
    bus: Bus, worker: Worker, api: PlatformAPI | None
) -> contextlib.AbstractAsyncContextManager[None]:
    """Report what a process that runs handlers counts."""

    async def read() -> Figures:
        return worker_figures(worker.status(), None if api is None else api.counts)

    return reporting(bus, "handlers", read)


@contextlib.asynccontextmanager
async def opened_collector(
    settings: Settings, handlers: Sequence[Handler]
) -> AsyncIterator[tuple[Bus, MetricCollector]]:
    """What collects for all processes; `handlers` are those that are known here. Raises `BusError`
    where NATS is away.
    """
    subjects = Subjects(settings.nats.subject_root)
    rights = (*archive_rights(subjects), *metrics_rights(subjects))
    async with opened_bus(settings, name="yizhan-metrics", inherit=True, rights=rights) as bus:
        yield bus, collector_on(settings, bus, handlers)


def collector_on(
    settings: Settings,
    bus: Bus,
    handlers: Sequence[Handler] = (),
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> MetricCollector:
    """The same on a bus that is there; a handler that is not among `handlers` is known once it has
    a position.
    """
    kept = timedelta(days=settings.nats.max_age_days)
    return MetricCollector(
        Archive(bus.connection, bus.subjects),
        HandlerOperations(bus.connection, bus.subjects, handlers, kept=kept),
        sources=[source.name for source in settings.sources],
        free_bytes=partial(free_bytes, settings),
        expiry=partial(certificate_expiry, settings),
        now=now,
    )
