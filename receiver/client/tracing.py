"""One span a call, where OpenTelemetry is installed (`yizhan[otel]`); nothing where it is not.

No header is sent to the platform for it.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any, Protocol


class Span(Protocol):
    """What is used of an OpenTelemetry span."""

    def set_attribute(self, key: str, value: Any, /) -> Any:
        """Note a value."""
        ...


class Tracing:
    """Makes spans by the tracer provider of the process.

    OpenTelemetry is imported when this is made, so that a process without calls does not pay.
    """

    def __init__(self) -> None:
        try:
            self._trace: Any = importlib.import_module("opentelemetry.trace")
        except ImportError:
            self._trace = None

    @contextlib.contextmanager
    def span(self, row: str) -> Iterator[Span | None]:
        """The span of a call. Of an error it holds the type: a message may have foreign words."""
        if self._trace is None:
            yield None
            return
        trace = self._trace
        tracer = trace.get_tracer("yizhan.client")
        with tracer.start_as_current_span(
            f"api {row}",
            kind=trace.SpanKind.CLIENT,
            attributes={"yizhan.api.row": row},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(trace.Status(trace.StatusCode.ERROR))
                raise
