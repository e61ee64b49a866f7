"""Reports what this process counts, every few seconds, so that a kill loses no more than that.

A report replaces the one before. Where that is gone, another process took this one for dead and
added it to the total, as after a long suspension: what is counted from then on is another life's.
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final, Literal

from receiver.bus.connection import Connection, Sleep
from receiver.bus.metrics_stream import MetricsStream, ReportConflictError
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.observability.figures import Figures, read_figures
from receiver.observability.logs import get_logger
from receiver.resilience import supervision

EVERY_S: Final = 5.0
_REFUSED_S: Final = 300.0
_LAST_S: Final = 1.0
_FAILURES: Final = 3
"""So many in a row while NATS is there: our user lacks the right, and each try is logged there."""
ProcessKind = Literal["receiver", "handlers"]
Read = Callable[[], Awaitable[Figures]]


class MetricReporter:
    """Reports what `read` gives, from `start` to `stop`, which reports once more."""

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        kind: ProcessKind,
        read: Read,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._kind = kind
        self._read = read
        self._sleep = sleep
        self._life = secrets.token_hex(8)
        # Read once: to look a version up takes longer than a callback may wait.
        self._about = {
            "version": version("yizhan"),
            "python": platform.python_version(),
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._expected = 0
        self._reported = Figures()
        """What the last report of this life said that is known to be stored."""
        self._before = Figures()
        """What earlier lives of this process reported."""
        self._ready = False
        self._task: asyncio.Task[None] | None = None
        self._log = get_logger("yizhan.metrics")

    async def start(self) -> None:
        """Begin to report."""
        self._task = supervision.start(self._keep, name="metric-reports")

    async def stop(self, *, within_s: float = _LAST_S) -> None:
        """Report what is counted by now, if that takes no longer."""
        await supervision.stop(self._task)
        try:
            async with asyncio.timeout(min(within_s, _LAST_S)):
                await self.report(ended=True)
        except (BusError, TimeoutError) as error:
            self._log.debug("last_metrics_not_reported", error=str(error))

    async def _keep(self) -> None:
        failures = 0
        while True:
            try:
                await self.report()
                failures = 0
            except BusError as error:
                failures = failures + 1 if self._connection.ready else 0
                self._log.debug("metrics_not_reported", error=str(error))
                if failures >= _FAILURES:
                    self._log.info("metrics_not_reported", error=str(error))
                    await self._sleep(_REFUSED_S)
            await self._sleep(EVERY_S)

    async def report(self, *, ended: bool = False) -> None:
        """Report once; `ended` is the last time. Raises `BusError`."""
        stream = MetricsStream(self._connection.client, self._subjects)
        if not self._ready:
            await stream.ensure()
            self._ready = True
        figures = await self._read()
        try:
            await self._put(stream, figures, ended=ended)
        except ReportConflictError:
            await self._look(stream)
            await self._put(stream, figures, ended=ended)

    async def _put(self, stream: MetricsStream, figures: Figures, *, ended: bool) -> None:
        said = figures.without(self._before)
        try:
            self._expected = await stream.put(
                self._subjects.metrics_of(self._life),
                self._document(said, ended=ended),
                self._expected,
            )
        except ReportConflictError:
            raise
        except BusError:
            self._ready = False  # the stream may be gone
            raise
        self._reported = said

    async def _look(self, stream: MetricsStream) -> None:
        """What is stored in place of our last report: one whose answer did not come, or nothing."""
        kept = await stream.get(self._subjects.metrics_of(self._life))
        if kept is not None:
            self._expected = kept.seq
            self._reported = read_figures(kept.document["figures"])
            return
        self._before.add(self._reported, gauges=False)
        self._reported = Figures()
        self._life, self._expected = secrets.token_hex(8), 0
        self._log.info("metrics_begun_anew")

    def _document(self, figures: Figures, *, ended: bool) -> dict[str, Any]:
        return {
            "life": self._life,
            "kind": self._kind,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            **self._about,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "ended": ended,
            "figures": figures.document(),
        }
