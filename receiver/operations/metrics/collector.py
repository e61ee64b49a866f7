"""Collects one page: what processes counted and report, and what the log holds."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from receiver.bus.metric_totals import fold, read_counted
from receiver.bus.metrics_stream import MetricsStream
from receiver.errors import BusError, ConfigurationError
from receiver.observability.figures import Figures
from receiver.observability.logs import get_logger
from receiver.observability.metric_row import PARTS, PROCESSES
from receiver.operations.handlers import HandlerOperations
from receiver.operations.look.archive import Archive
from receiver.operations.metrics.effects import EffectStates
from receiver.operations.metrics.log_figures import (
    handler_figures,
    source_figures,
    stream_figures,
)
from receiver.operations.metrics.zeros import add_zeros


@dataclass(frozen=True, slots=True)
class Collected:
    """The figures, and a sentence for each part that could not be read."""

    figures: Figures
    missing: Sequence[str]


class MetricCollector:
    """Collects for all processes of one subject root. `sources` are those of the settings,
    `free_bytes` is what the disk of the streams has left and `expiry` when the certificate of the
    settings expires, where that is known.
    """

    def __init__(
        self,
        archive: Archive,
        handlers: HandlerOperations,
        *,
        sources: Collection[str],
        free_bytes: Callable[[], int | None],
        expiry: Callable[[], datetime | None] = lambda: None,
        now: Callable[[], datetime],
    ) -> None:
        self._archive = archive
        self._handlers = handlers
        self._sources = sources
        self._free_bytes = free_bytes
        self._expiry = expiry
        self._now = now
        self._effects = EffectStates(archive.reader, archive.subjects)
        self._log = get_logger("yizhan.metrics")

    async def collect(self) -> Collected:
        """Everything as it is now. A part that cannot be read is missing whole, so that nothing
        goes back, and `yizhan_collected` says so.
        """
        archive, now = self._archive, self._now()
        reader, subjects = archive.reader, archive.subjects
        free = self._free_bytes()
        reads: dict[str, Callable[[], Awaitable[Figures]]] = {
            "processes": lambda: self._processes(now),
            "sources": lambda: source_figures(archive, self._sources, now),
            "streams": lambda: stream_figures(reader, subjects, free, now),
            "handlers": lambda: handler_figures(self._handlers, reader, subjects, now),
            "effects": self._effects.figures,
        }
        return self._put_together(
            await asyncio.gather(*(self._part(reads[part]) for part in PARTS))
        )

    def without_nats(self, why: str) -> Collected:
        """The same where NATS is known to be away, at once: `collect` waits for it for a while."""
        return self._put_together([why] * len(PARTS))

    def _put_together(self, found: Sequence[Figures | str]) -> Collected:
        figures, missing = Figures(), list[str]()
        figures.gauge("yizhan_build_info", version("yizhan"), platform.python_version(), value=1)
        if (expires := self._expiry()) is not None:
            name = "yizhan_certificate_expiry_timestamp_seconds"
            figures.gauge(name, value=expires.timestamp())
        for part, one in zip(PARTS, found, strict=True):
            read = isinstance(one, Figures)
            figures.gauge("yizhan_collected", part, value=int(read))
            if isinstance(one, Figures):
                figures.add(one)
            else:
                missing.append(f"{part}: {one}")
        if isinstance(found[PARTS.index("processes")], Figures):
            add_zeros(figures)
        return Collected(figures, missing)

    async def _part(self, read: Callable[[], Awaitable[Figures]]) -> Figures | str:
        try:
            return await read()
        except (BusError, ConfigurationError) as error:
            return str(error)

    async def _processes(self, now: datetime) -> Figures:
        """The sum of all reports. Those of processes that ended are added to the total now, which
        changes nothing of it.
        """
        connection, subjects = self._archive.connection, self._archive.subjects
        stream = MetricsStream(connection.client, subjects)
        counted = await read_counted(stream, subjects)
        figures, running = counted.sum(now)
        for kind in PROCESSES:
            figures.gauge("yizhan_processes", kind, value=running.get(kind, 0))
        try:
            await fold(stream, subjects, counted, now)
        except BusError as error:
            self._log.debug("metrics_not_added", error=str(error))
        return figures
