"""The spans of Yizhan: what was received, stored and handled (docs/tracing.md).

Imported only where tracing is on. Names and attributes follow the semantic conventions 1.45 for
HTTP, messaging and CloudEvents; no attribute holds a body, a path, a query or an address.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)
from opentelemetry.util.types import AttributeValue

from receiver.observability.trace_context import STORING, TraceContext, of_span

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.45.0"
MAX_LINKS: Final = 128
"""More links than that a span does not take by default."""
_IDS: Final = 1 << 64
"""Below that is the half of an id that decides."""
_SERVER_ERROR: Final = 500
_ROOT: Final = otel_context.Context()
"""The context of what continues no trace, whatever span its task runs in."""


@dataclass(frozen=True, slots=True)
class Run:
    """A handler's run, as its span shows it.

    `creation` is in which context its event was made, by our own word; `sender` what somebody else
    gave in its place, which is worth a link and decides nothing. A `continued` run is a child of
    the creation, any other one begins a trace and links to it.
    """

    handler: str
    creation: TraceContext | None
    sender: TraceContext | None
    continued: bool
    attributes: Mapping[str, AttributeValue]


class Tracer:
    """Makes the spans of a process, `ratio` of the traces that begin here.

    Whether a trace is sampled follows from its id alone, so that it is known before there is a
    span. `stream` is the name of the stream that callbacks and events are stored in.
    """

    def __init__(
        self, provider: TracerProvider, ids: ChosenIds, *, ratio: float, stream: str
    ) -> None:
        self._tracer = provider.get_tracer("yizhan", schema_url=SCHEMA_URL)
        self._ids = ids
        self._bound = TraceIdRatioBased.get_bound_for_rate(ratio)
        # All ids are below a letter that is no digit of theirs.
        self._below = f"{self._bound:016x}" if self._bound < _IDS else "g"
        self._stream = stream

    def samples(self, trace_id: str) -> bool:
        """Whether a trace that begins here under this id is sampled: that of `sampler`, by the
        digits alone, which are all of a case and a length. No object is made for it.
        """
        return trace_id[16:] < self._below

    def callback(
        self, trace_id: str, source: str, *, started: float, sender: TraceContext | None
    ) -> StoringSpan:
        """The span of a POST that began at `started` by `time.perf_counter`, of a trace that
        `samples` takes. Of the sender's trace it holds a link: else anyone could have us trace it.
        """
        age_ns = int((time.perf_counter() - started) * 1e9)
        span = self._root(
            trace_id,
            "POST /callbacks/{source}",
            SpanKind.SERVER,
            {
                "http.request.method": "POST",
                "http.route": "/callbacks/{source}",
                "yizhan.source": source,
            },
            sender,
            start_time=time.time_ns() - age_ns,
        )
        return StoringSpan(span, self)

    def send(self, parents: Sequence[Span], messages: int) -> SendSpan:
        """The span of one commit: a child of the first of `parents`, with links to all where there
        are several, and each of them with a link to it.
        """
        first = parents[0]
        links = [Link(parent.get_span_context()) for parent in parents[:MAX_LINKS]]
        span = self._tracer.start_span(
            f"send {self._stream}",
            trace.set_span_in_context(first, _ROOT),
            SpanKind.PRODUCER,
            attributes={
                **self._messaging("send"),
                **({"messaging.batch.message_count": messages} if messages > 1 else {}),
            },
            links=links if len(parents) > 1 else (),
        )
        for parent in parents[1:]:
            parent.add_link(span.get_span_context())
        return SendSpan(span)

    @contextlib.contextmanager
    def process(self, run: Run) -> Iterator[RunSpan]:
        """The span of a handler's run, in which everything the handler does happens.

        Where it is not sampled, it is the mere context, by which nothing below is sampled either.
        """
        span = self._process(run)
        with trace.use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            token = STORING.set(StoringSpan(span, self) if span.is_recording() else None)
            try:
                yield RunSpan(span)
            finally:
                STORING.reset(token)

    def _process(self, run: Run) -> Span:
        creation = run.creation
        if creation is not None:
            parent = NonRecordingSpan(_remote(creation))
            if not creation.sampled:
                return parent
            if run.continued:
                return self._tracer.start_span(
                    f"process {run.handler}",
                    trace.set_span_in_context(parent, _ROOT),
                    SpanKind.CONSUMER,
                    attributes={**self._messaging("process"), **run.attributes},
                )
        trace_id = self._trace_id(sampled=creation is not None)
        if not self.samples(trace_id):
            return NonRecordingSpan(_remote(TraceContext(trace_id, trace_id[16:], sampled=False)))
        attributes = {**self._messaging("process"), **run.attributes}
        link = creation or run.sender
        return self._root(trace_id, f"process {run.handler}", SpanKind.CONSUMER, attributes, link)

    def _root(
        self,
        trace_id: str,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, AttributeValue],
        link: TraceContext | None,
        start_time: int | None = None,
    ) -> Span:
        self._ids.choose(int(trace_id, 16))
        links = [Link(_remote(link))] if link is not None else ()
        return self._tracer.start_span(
            name, _ROOT, kind, attributes=attributes, links=links, start_time=start_time
        )

    def _trace_id(self, *, sampled: bool) -> str:
        """A new one; of a `sampled` trace one that the sampler takes, unless it takes none."""
        below = self._bound if sampled and self._bound else _IDS
        # An id is no secret: it has to differ, no more.
        return f"{random.getrandbits(64):016x}{random.randrange(below):016x}"  # noqa: S311

    def _messaging(self, operation: str) -> dict[str, AttributeValue]:
        return {
            "messaging.system": "nats",
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
            "messaging.destination.name": self._stream,
        }


class StoringSpan:
    """A recorded span in which something is stored."""

    __slots__ = ("_tracer", "span", "traceparent")

    def __init__(self, span: Span, tracer: Tracer) -> None:
        self.span = span
        self._tracer = tracer
        at = of_span(span)
        self.traceparent = at.traceparent if at is not None else ""

    def send(self, others: Sequence[StoringSpan], *, messages: int) -> SendSpan:
        """The span of a commit that stores `messages` of this one and of `others`."""
        return self._tracer.send([one.span for one in (self, *others)], messages)

    def answered(self, status: int, **facts: AttributeValue | None) -> None:
        """End it: that of a POST which got this status, with what else is known of it."""
        self.span.set_attribute("http.response.status_code", status)
        for name, value in facts.items():
            if value is not None:
                self.span.set_attribute(f"yizhan.{name}", value)
        if status >= _SERVER_ERROR:
            _fail(self.span, str(status))
        self.span.end()


class SendSpan:
    """The recorded span of a commit."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def end(self, error: str | None) -> None:
        """End it, as failed where there is an `error`: its type."""
        if error is not None:
            _fail(self._span, error)
        self._span.end()


class RunSpan:
    """The span of a handler's run; nothing is noted where it is not sampled."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def ids(self) -> dict[str, str]:
        """As they stand in the log."""
        at = of_span(self._span)
        return at.ids if at is not None else {}

    def ended(self, outcome: str, error: str | None) -> None:
        """Note what became of it, and the type of its error where it failed."""
        self._span.set_attribute("yizhan.outcome", outcome)
        if error is not None:
            _fail(self._span, error)


def _fail(span: Span, error: str) -> None:
    """Of an error its type alone: a text may hold foreign words."""
    span.set_attribute("error.type", error)
    span.set_status(Status(StatusCode.ERROR))


class ChosenIds(RandomIdGenerator):
    """Gives the trace whose sampling was decided the id by which that was done."""

    def __init__(self) -> None:
        self._chosen = threading.local()

    def choose(self, trace_id: int) -> None:
        """The next trace that begins in this thread has this id."""
        self._chosen.trace_id = trace_id

    def generate_trace_id(self) -> int:
        """See `IdGenerator`."""
        chosen: int = self._chosen.__dict__.pop("trace_id", 0)
        return chosen or super().generate_trace_id()


def sampler(ratio: float) -> ParentBased:
    """Takes what the trace's beginning took, and `ratio` of the traces that begin here."""
    return ParentBased(TraceIdRatioBased(ratio))


def _remote(context: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT)
    return SpanContext(
        int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=flags
    )
