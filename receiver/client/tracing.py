"""One span a call, where OpenTelemetry is at work in this process; nothing where it is not.

OpenTelemetry is not imported for it: who traces has imported it. No header is sent to the platform.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

_SCHEMA_URL = "https://opentelemetry.io/schemas/1.45.0"


class Span(Protocol):
    """What is used of an OpenTelemetry span."""

    def set_attribute(self, key: str, value: Any, /) -> Any:
        """Note a value."""
        ...


@contextlib.contextmanager
def call_span(name: str, attributes: Mapping[str, Any]) -> Iterator[Span | None]:
    """The span of a call, by the tracer provider of the process; None where it is not recorded.

    Of an error it holds the type: a message may have foreign words.
    """
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        yield None
        return
    tracer = trace.get_tracer("yizhan.client", schema_url=_SCHEMA_URL)
    with tracer.start_as_current_span(
        name,
        kind=trace.SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span if span.is_recording() else None
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(trace.Status(trace.StatusCode.ERROR))
            raise
