"""Where spans go: to an OTLP collector, in the background, whatever becomes of it.

Imported only where tracing is on. Endpoint, headers, queue and batches are those of OpenTelemetry's
own variables (`OTEL_EXPORTER_OTLP_*`, `OTEL_BSP_*`), as are the resource's attributes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from receiver.errors import ConfigurationError
from receiver.observability.logs import get_logger
from receiver.observability.spans import ChosenIds, Tracer, sampler

_WARN_EVERY_S: Final = 60.0
_LAST_EXPORT_S: Final = 1.0
"""What a stop waits for the last spans: traces are worth no more of it."""
_FAILING_S: Final = 0.02
"""The same while the collector does not take them."""


class Exporting:
    """A tracer whose spans are exported, from its making to `stop`.

    It is made the process's, too, where there is none yet: for the client of the platform's API,
    and for what handlers trace themselves. `service` is its name unless the environment gives one.
    Raises `ConfigurationError` where a variable cannot be used.
    """

    def __init__(self, *, service: str, ratio: float, stream: str) -> None:
        ids = ChosenIds()
        try:
            self._exporter = QuietExporter(OTLPSpanExporter())
            self._provider = TracerProvider(
                sampler(ratio), _resource(service), shutdown_on_exit=False, id_generator=ids
            )
            self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        except ValueError as error:
            raise ConfigurationError(
                f"a variable OTEL_* cannot be used ({error}): correct it, or set "
                "tracing.enabled = false"
            ) from error
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self._provider)
        self.tracer = Tracer(self._provider, ids, ratio=ratio, stream=stream)

    async def stop(self, *, within_s: float) -> None:
        """Export what is left, within a second; what takes longer is given up."""
        limit_s = min(within_s, _FAILING_S if self._exporter.failing else _LAST_EXPORT_S)
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits any more
                loop.call_soon_threadsafe(ended.set)

        # A thread that the end of the process does not wait for: the export may hang.
        threading.Thread(target=shut_down, name="tracing-stop", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await ended.wait()
        self._exporter.shutdown()


class QuietExporter(SpanExporter):
    """Exports by another one; what fails is a warning now and then, with the number of spans that
    are lost, and no stack trace.
    """

    def __init__(self, inner: SpanExporter, clock: Callable[[], float] = time.monotonic) -> None:
        self.failing = False
        self._inner = inner
        self._clock = clock
        self._lost = 0
        self._ended = False
        self._warned_at: float | None = None
        self._log = get_logger("yizhan.tracing")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter.export`; raises nothing."""
        try:
            result = self._inner.export(spans)
        except Exception:  # noqa: BLE001 - whatever it is, no callback depends on it
            result = SpanExportResult.FAILURE
        self.failing = result is not SpanExportResult.SUCCESS
        if self.failing:
            self._lost += len(spans)
            self._warn()
        return result

    def shutdown(self) -> None:
        """See `SpanExporter.shutdown`; it ends an export that is still tried again."""
        if not self._ended:
            self._ended = True
            self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See `SpanExporter.force_flush`."""
        return self._inner.force_flush(timeout_millis)

    def _warn(self) -> None:
        now = self._clock()
        if self._warned_at is None or now - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = now
            self._log.warning("traces_not_exported", spans=self._lost)
            self._lost = 0


def _resource(service: str) -> Resource:
    """What the environment says of this process, and our name where it gives none."""
    ours: dict[str, str] = {SERVICE_VERSION: version("yizhan")}
    named = os.environ.get("OTEL_SERVICE_NAME") or f"{SERVICE_NAME}=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    if not named:
        ours[SERVICE_NAME] = service
    return Resource.create(ours)
