"""`/metrics` of a process that runs handlers, or of the supervisor of several."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from starlette.requests import Request
from starlette.responses import Response

from receiver.errors import BusError
from receiver.web.metrics import exposition
from receiver.worker.counts import BOUNDS_S
from receiver.worker.status import HandlerStatus, WorkerStatus


class Backlog(NamedTuple):
    """What the stream holds for one handler, whichever process runs it."""

    handler: str
    pending: int
    scheduled: int
    oldest_age_s: float
    dead_letters: int
    paused: bool


Workers = Callable[[], Awaitable[Mapping[int, WorkerStatus]]]
Backlogs = Callable[[], Awaitable[Sequence[Backlog]]]

_BOUNDS: Final = [*(f"{bound:g}" for bound in BOUNDS_S), "+Inf"]


class HandlerMetricsEndpoint:
    """`workers` gives the processes of this port, by number; both raise `BusError` where NATS does
    not answer.
    """

    def __init__(self, workers: Workers, backlogs: Backlogs) -> None:
        self._workers = workers
        self._backlogs = backlogs

    async def metrics(self, request: Request) -> Response:
        """200, whatever is wrong: that is in the figures."""
        try:
            workers = await self._workers()
        except BusError:
            workers = {}
        return exposition([*_of_processes(workers), *await self._of_backlogs()])

    async def _of_backlogs(self) -> Sequence[Metric]:
        try:
            backlogs = await self._backlogs()
        except BusError:
            return [_readable(0)]
        return [_readable(1), *_of_backlogs(backlogs)]


def _of_processes(workers: Mapping[int, WorkerStatus]) -> Iterator[Metric]:
    labels = ("handler", "worker")
    runs = CounterMetricFamily(
        "yizhan_handler_runs",
        "Deliveries to a handler since the start of the process, by outcome.",
        labels=("handler", "worker", "outcome"),
    )
    seconds = HistogramMetricFamily(
        "yizhan_handler_seconds", "How long its runs took.", labels=labels
    )
    changes = CounterMetricFamily(
        "yizhan_handler_owner_changes", "How often the process took the handler.", labels=labels
    )
    gauges = {
        name: GaugeMetricFamily(f"yizhan_handler_{name}", text, labels=labels)
        for name, text in (
            ("owned", "Whether this process is the one that runs the handler."),
            ("running", "Runs under way."),
            ("waiting", "Events that were delivered to the process and are not begun."),
        )
    }
    for where, status in _statuses(workers):
        for outcome, count in status.outcomes.items():
            runs.add_metric((*where, outcome), count)
        cumulative = [float(count) for count in accumulate(status.buckets)]
        seconds.add_metric(where, list(zip(_BOUNDS, cumulative, strict=False)), status.seconds)
        changes.add_metric(where, status.owner_changes)
        gauges["owned"].add_metric(where, int(status.owns))
        gauges["running"].add_metric(where, status.running)
        gauges["waiting"].add_metric(where, status.waiting)
    yield from (runs, seconds, changes, *gauges.values())


def _statuses(
    workers: Mapping[int, WorkerStatus],
) -> Iterator[tuple[tuple[str, str], HandlerStatus]]:
    for number, worker in workers.items():
        for name, status in worker.handlers.items():
            yield (name, str(number)), status


def _of_backlogs(backlogs: Sequence[Backlog]) -> Iterator[Metric]:
    gauges = (
        ("handler_pending", "Events that no process was given yet.", lambda b: b.pending),
        ("handler_scheduled", "Retries that wait for their time.", lambda b: b.scheduled),
        (
            "handler_oldest_unprocessed_seconds",
            "Since when its oldest event that is not done is stored.",
            lambda b: b.oldest_age_s,
        ),
        ("handler_paused", "Whether an operator has paused it.", lambda b: int(b.paused)),
        ("dead_letters", "Events that it has given up on.", lambda b: b.dead_letters),
    )
    for name, text, read in gauges:
        family = GaugeMetricFamily(f"yizhan_{name}", text, labels=("handler",))
        for backlog in backlogs:
            family.add_metric((backlog.handler,), read(backlog))
        yield family


def _readable(readable: int) -> Metric:
    return GaugeMetricFamily(
        "yizhan_backlog_readable", "Whether NATS says what waits for the handlers.", readable
    )
