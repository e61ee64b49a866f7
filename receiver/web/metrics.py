"""`/metrics`: what monitoring reads, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from receiver.errors import BusError
from receiver.observability.counters import DeliveryCounts
from receiver.observability.metric_families import families as made_of
from receiver.spool.file import SpoolState
from receiver.web.health import Probe

ReadSpool = Callable[[], Awaitable[SpoolState]]


class MetricsEndpoint:
    """`probe` raises `BusError` where the log could not take a message; `spool` gives the state
    of the spool, where there is one. `worker` is the number of this process: counts are its own.
    """

    def __init__(
        self,
        counts: DeliveryCounts,
        probe: Probe,
        spool: ReadSpool | None = None,
        *,
        staged: Callable[[], bool] = lambda: False,
        worker: int = 0,
    ) -> None:
        self._counts = counts
        self._probe = probe
        self._spool = spool
        self._staged = staged
        self._worker = str(worker)

    async def metrics(self, request: Request) -> Response:
        """200, whatever is wrong: that is in the figures."""
        families = [self._deliveries(), await self._log_ready(), self._batches_in_memory()]
        families += made_of(self._counts.figures(), worker=self._worker)
        if self._spool is not None:
            families += await self._of_spool(self._spool)
        return exposition(families)

    def _deliveries(self) -> Metric:
        family = CounterMetricFamily(
            "yizhan_deliveries",
            "Deliveries since the start of the process, by outcome or reason of refusal.",
            labels=("outcome", "worker"),
        )
        for outcome, count in self._counts.read().items():
            family.add_metric((outcome, self._worker), count)
        return family

    async def _log_ready(self) -> Metric:
        try:
            await self._probe()
        except BusError:
            ready = 0
        else:
            ready = 1
        return GaugeMetricFamily("yizhan_log_ready", "Whether NATS stores messages now.", ready)

    def _batches_in_memory(self) -> Metric:
        return GaugeMetricFamily(
            "yizhan_batches_in_memory",
            "Whether the server stages atomic batches in memory (0: on disk, which is slower).",
            int(self._staged()),
        )

    async def _of_spool(self, read: ReadSpool) -> Iterable[Metric]:
        """The depth and the age, and whether they could be read."""
        try:
            state = await read()
        except BusError:
            return [_spool_readable(0)]
        gauges = (
            ("callbacks", "Callbacks that wait in the spool for NATS.", state.depth),
            ("oldest_age_seconds", "How long the oldest of them has waited.", state.oldest_age_s),
            ("bytes", "What the spool takes on disk.", state.size_bytes),
        )
        return [
            _spool_readable(1),
            *(
                GaugeMetricFamily(f"yizhan_spool_{name}", text, value)
                for name, text, value in gauges
            ),
        ]


def _spool_readable(readable: int) -> Metric:
    return GaugeMetricFamily("yizhan_spool_readable", "Whether the spool's disk is well.", readable)


def exposition(families: Iterable[Metric]) -> Response:
    """The answer that holds them."""
    page = generate_latest(registry_of(families))
    return Response(page, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})


def registry_of(families: Iterable[Metric]) -> CollectorRegistry:
    """A registry of what was collected already."""
    registry = CollectorRegistry()
    registry.register(_StaticCollector(families))
    return registry


class _StaticCollector(Collector):
    """Families that were made for one answer."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
