"""W3C Trace Context as our messages carry it. Imports no OpenTelemetry and performs no I/O.

`ce-traceparent` is the context in which an event was made: it is ours, and never rewritten.
`traceparent` is that of the last hop: ours where tracing is on, else what the sender gave.
"""

from __future__ import annotations

import re
import sys
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, Self

_TRACEPARENT: Final = re.compile(
    "(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
)
_SAMPLED: Final = 1


STORING: Final[ContextVar[Any]] = ContextVar("storing", default=None)
"""The `StoringSpan` of the handler's run under way, where it is recorded."""


class TraceContext(NamedTuple):
    """Which span of which trace; the ids are lower-case hex digits."""

    trace_id: str
    span_id: str
    sampled: bool

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """That of a `traceparent`; None where it is absent or malformed."""
        match = _TRACEPARENT.fullmatch(text or "")
        if match is None:
            return None
        return cls(match[1], match[2], bool(int(match[3], 16) & _SAMPLED))

    @property
    def ids(self) -> dict[str, str]:
        """As they stand in the log."""
        return {"trace_id": self.trace_id, "span_id": self.span_id}

    @property
    def traceparent(self) -> str:
        """As it is written in a header."""
        return f"00-{self.trace_id}-{self.span_id}-0{self.sampled:d}"


def current() -> TraceContext | None:
    """That of the span in which this code runs; None where there is none.

    A span is only there where something has imported OpenTelemetry: it is not imported for this.
    """
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    return of_span(trace.get_current_span())


def of_span(span: Any) -> TraceContext | None:
    """That of an OpenTelemetry span; None where it is of no trace."""
    at = span.get_span_context()
    if not at.is_valid:
        return None
    return TraceContext(f"{at.trace_id:032x}", f"{at.span_id:016x}", at.trace_flags.sampled)
