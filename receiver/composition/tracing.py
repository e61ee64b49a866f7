"""The tracing of the settings; OpenTelemetry is imported only where it is on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from receiver.bus.subjects import Subjects
from receiver.observability.logs import get_logger
from receiver.resilience.deadline import Deadline
from receiver.settings import Settings

if TYPE_CHECKING:
    from receiver.observability.spans import Tracer

NOT_INSTALLED: Final = (
    "traces are asked for, and OpenTelemetry is not installed: pip install 'yizhan[otel]', or set "
    "tracing.enabled = false"
)
_PARTS: Final = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


@contextlib.asynccontextmanager
async def traced(
    settings: Settings, *, service: str, deadline: Deadline
) -> AsyncIterator[Tracer | None]:
    """The tracer of this process, None where tracing is off or its packages are not there; leaving
    exports what is left. Raises `ConfigurationError`.
    """
    if not settings.tracing.wanted(os.environ):
        yield None
        return
    if not installed():
        get_logger("yizhan.tracing").warning("tracing_not_installed", action=NOT_INSTALLED)
        yield None
        return
    from receiver.observability.span_export import Exporting  # it imports OpenTelemetry

    stream = Subjects(settings.nats.subject_root).stream
    exporting = Exporting(service=service, ratio=settings.tracing.ratio(os.environ), stream=stream)
    try:
        yield exporting.tracer
    finally:
        await exporting.stop(within_s=deadline.step_s())


def tracing_doubts(settings: Settings) -> list[str]:
    """What keeps traces that are asked for from being exported, or from being so as asked for."""
    if not settings.tracing.wanted(os.environ):
        return []
    return settings.tracing.doubts(os.environ) if installed() else [NOT_INSTALLED]


def installed() -> bool:
    """Whether the packages of `yizhan[otel]` are there."""
    try:
        return all(find_spec(name) is not None for name in _PARTS)
    except ModuleNotFoundError:  # of a package within one that is not there
        return False
