"""What is seen of a call from outside: one line in the log, counts, a span. Without its content."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from receiver.client.endpoint import Endpoint, Route
from receiver.client.replies import Reply
from receiver.client.tracing import Span, call_span
from receiver.errors import (
    APIError,
    APIUnavailableError,
    OutcomeUnknownError,
    RateLimitedError,
)
from receiver.observability.call_counts import CallCounts, CallOutcome
from receiver.observability.logs import get_logger

_ORDER_PARAMETERS: Final = ("orderId", "purchaseId")
_MAX_ID_CHARS: Final = 64


@dataclass(slots=True)
class CallRecord:
    """One call as it goes: which try it is, and how long the last one took."""

    endpoint: Endpoint
    counts: CallCounts
    order_id: str | None
    attempt: int = 0
    seconds: float = 0.0
    reply: Reply | None = None

    @contextlib.contextmanager
    def tried(self) -> Iterator[None]:
        """One try, from sending to the reply that was read."""
        self.attempt += 1
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds = time.perf_counter() - started
            self.counts.tried(self.endpoint.name, self.seconds, again=self.attempt > 1)


class Observer:
    """Observes the calls of one account; `host` is what serves them."""

    def __init__(self, host: str = "") -> None:
        self.counts = CallCounts()
        self._host = host
        self._log = get_logger("yizhan.client")

    @contextlib.contextmanager
    def observed(
        self, endpoint: Endpoint, route: Route, arguments: Mapping[str, Any]
    ) -> Iterator[CallRecord]:
        """Observe a call from its first try to its end; no value of it but the order's id."""
        record = CallRecord(endpoint, self.counts, _order_id(arguments))
        attributes = {
            "yizhan.api.row": endpoint.name,
            "http.request.method": route.method,
            "url.template": route.path,
            "server.address": self._host,
        }
        with call_span(f"{route.method} {endpoint.name}", attributes) as span:
            try:
                yield record
            except APIError as error:
                self._ended(record, span, error)
                raise
            if record.reply is not None:
                self._ended(record, span, record.reply)

    def _ended(self, record: CallRecord, span: Span | None, result: Reply | APIError) -> None:
        self.counts.ended(record.endpoint.name, _outcome(result))
        seen = {
            "status": result.status,
            "code": result.code,
            "request_id": result.request_id,
            "attempt": record.attempt,
        }
        if record.order_id:
            seen["order_id"] = record.order_id
        faults = [fault.place for fault in result.faults] if isinstance(result, Reply) else []
        self._log.debug(
            "api_called",
            endpoint=record.endpoint.name,
            outcome="ok" if isinstance(result, Reply) else type(result).__name__,
            duration_ms=round(record.seconds * 1000, 1),
            **seen,
            **({"faults": faults} if faults else {}),
        )
        if span is not None:
            if result.status:
                span.set_attribute("http.response.status_code", result.status)
            for name, value in seen.items():
                if value is not None:
                    span.set_attribute(f"yizhan.api.{name}", value)


def _outcome(result: Reply | APIError) -> CallOutcome:
    if isinstance(result, Reply):
        return "ok"
    if isinstance(result, OutcomeUnknownError):
        return "outcome_unknown"
    if isinstance(result, APIUnavailableError):
        return "unavailable"
    return "rate_limited" if isinstance(result, RateLimitedError) else "rejected"


def _order_id(arguments: Mapping[str, Any]) -> str | None:
    found = (arguments[name] for name in _ORDER_PARAMETERS if arguments.get(name))
    order_id = str(next(found, ""))
    return order_id[:_MAX_ID_CHARS] or None
