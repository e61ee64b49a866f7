"""The endpoint the platforms POST to, the one hot path; it maps each result of `Intake` to HTTP,
once, and writes one log line a delivery.

`take` deals with a whole request and needs no task: a connection hands it most callbacks directly
(`receiver.web.connection.fast_path`). The plain ASGI application around it is for all others, and
for any other server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from starlette.types import Receive, Scope, Send

from receiver.callback import InboundRequest
from receiver.dialects.verification import check_path_token
from receiver.errors import BusError, DeliveryError, VerificationError
from receiver.ingest.intake import Intake, utc_now
from receiver.ingest.sources import Sources
from receiver.ingest.storing import IntakeResult, Receipt
from receiver.observability.counters import DeliveryCounts
from receiver.observability.trace_context import TraceContext
from receiver.settings import SourceSettings
from receiver.settings.networks import Network
from receiver.web import answers
from receiver.web.advice import Advice
from receiver.web.body import ClientGoneError, read_body
from receiver.web.client_address import client_address, within
from receiver.web.delivery import Delivery
from receiver.web.delivery_log import DeliveryLog

if TYPE_CHECKING:
    from receiver.observability.spans import StoringSpan, Tracer

_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
_UNSIGNED: Final = frozenset({"missing_signature", "missing_access_key"})
_CHECKED: Final = b'{"status":"checked"}'


class CallbackEndpoint:
    """`/callbacks/{source}` and `/callbacks/{source}/{path_token}`.

    The answers: docs/bad-input.md. `limit_bytes` bounds a body. `counts` counts every outcome.
    """

    def __init__(
        self,
        intake: Intake,
        sources: Sources,
        *,
        limit_bytes: int,
        trusted_proxies: Sequence[Network] = (),
        counts: DeliveryCounts,
        clock: Callable[[], datetime] = utc_now,
        tracer: Tracer | None = None,
    ) -> None:
        self.limit_bytes = limit_bytes
        self._intake = intake
        self._sources = sources
        self._trusted_proxies = trusted_proxies
        self._counts = counts
        self._clock = clock
        self._tracer = tracer
        self._advice = Advice(trusted_proxies)
        self._lines = DeliveryLog(sources)

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        source_name: str,
        path_token: str | None = None,
    ) -> None:
        """Answer one request to the URL of a source."""
        peer = scope["client"][0] if scope.get("client") else None
        delivery = _Awaited(scope["method"], source_name, path_token, peer, scope["headers"])
        try:
            # Read first, whatever the answer will be: else it would depend on what came together.
            delivery.body = await read_body(receive, delivery.headers, self.limit_bytes)
        except ClientGoneError:
            self.broken_off(delivery)
            return
        except DeliveryError as error:
            self._on_result(delivery, error)
        else:
            self.take(delivery)
        status, body = await delivery.answered
        await answers.send_json(send, status, body, head=delivery.method == "HEAD")

    def take(self, delivery: Delivery) -> None:
        """See `FastPath.take`."""
        try:
            self._take(delivery)
        except DeliveryError as error:
            self._on_result(delivery, error)
        except Exception as error:  # noqa: BLE001 - the top of a request
            self._failed(delivery, error)

    def broken_off(self, delivery: Delivery) -> None:
        """See `FastPath.broken_off`."""
        self._counts.add("gone")
        self._counts.answered(self._source_of(delivery), "gone")
        self._lines.broken_off(delivery)

    def _admit(self, delivery: Delivery) -> tuple[SourceSettings, str]:
        """The source and the client's address; refuses what needs no look at the body."""
        source = self._sources.get(delivery.source_name)
        if source is None:
            reason = "unknown_source" if delivery.source_name else "unknown_path"
            raise DeliveryError(reason, status=404)
        client = self._client(delivery, source)
        if delivery.method not in _METHODS:
            raise DeliveryError("method", status=405)
        return source, client

    def _take(self, delivery: Delivery) -> None:
        source, client = self._admit(delivery)
        request = InboundRequest(
            source=source,
            headers=delivery.headers,
            body=delivery.body,
            received_at=self._clock(),
            path_token=delivery.path_token,
            client=client,
            delivery_id=delivery.id,
        )
        if delivery.method != "POST":
            check_path_token(request)
            self._on_result(delivery, Receipt("checked"))
            return
        if self._tracer is not None:
            self._trace(delivery, request, self._tracer)
        self._intake.accept(request, partial(self._on_result, delivery))

    @staticmethod
    def _trace(delivery: Delivery, request: InboundRequest, tracer: Tracer) -> None:
        """Begin its trace, under the id of the delivery; a span is made where it is sampled."""
        trace_id = delivery.id
        delivery.traceparent = f"00-{trace_id}-{trace_id[16:]}-00"
        if tracer.samples(trace_id):
            sender = TraceContext.read(request.given_traceparent)
            source, started = request.source.name, delivery.started
            span = tracer.callback(trace_id, source, started=started, sender=sender)
            delivery.span, delivery.traceparent = span, span.traceparent
        request.span, request.traceparent = delivery.span, delivery.traceparent

    def _client(self, delivery: Delivery, source: SourceSettings) -> str:
        """The client's address as text; refuses one that the source does not allow."""
        if not (self._trusted_proxies or source.allow_networks):
            return delivery.peer or ""
        address = client_address(delivery.peer, delivery.headers, self._trusted_proxies)
        allowed = source.allow_networks
        if allowed and address is None and delivery.peer:
            self._advice.client_not_known(source)
            raise VerificationError("forwarded_for_unreadable")
        if allowed and (address is None or not within(address, allowed)):
            self._advice.network(delivery, source)
            raise VerificationError("network_not_allowed")
        return str(address or "")

    def _on_result(self, delivery: Delivery, result: IntakeResult) -> None:
        """Answer what became of it, then count and log: no sender should wait for that."""
        if isinstance(result, Receipt):
            delivery.answer(200, _receipt_body(result))
            self._count_taken(delivery, result)
            self._lines.taken(delivery, result)
            if delivery.span is not None:
                _end(delivery.span, result)
        elif isinstance(result, DeliveryError):
            delivery.answer(result.status, answers.BODIES[result.status])
            self._counts.add(result.reason)
            outcome = "unauthorized" if result.status == 401 else "refused"
            age_s = result.age_s if isinstance(result, VerificationError) else 0.0
            source = self._source_of(delivery)
            self._counts.refused(source, outcome, result.reason, age_s)
            self._advise(delivery, result)
            self._lines.rejected(delivery, result)
            if delivery.span is not None:
                delivery.span.answered(result.status, outcome="rejected", reason=result.reason)
        elif isinstance(result, BusError):
            delivery.answer(503, answers.BODIES[503])
            self._counts.add("unavailable")
            self._counts.answered(delivery.source_name, "unavailable")
            self._lines.not_stored(delivery, result)
            if delivery.span is not None:
                delivery.span.answered(503, outcome="unavailable")
        else:
            self._failed(delivery, result)

    def _count_taken(self, delivery: Delivery, receipt: Receipt) -> None:
        counts, outcome = self._counts, receipt.outcome
        counts.add(outcome)
        if outcome == "checked":
            counts.answered(delivery.source_name, outcome)
        else:
            seconds = time.perf_counter() - delivery.started
            counts.taken(delivery.source_name, outcome, seconds, provoked=receipt.provoked)
            if receipt.push_age_s is not None:
                counts.aged(delivery.source_name, receipt.push_age_s)

    def _source_of(self, delivery: Delivery) -> str:
        """The name of a source of the settings, else empty: senders do not make up labels."""
        return "" if self._sources.get(delivery.source_name) is None else delivery.source_name

    def _advise(self, delivery: Delivery, error: DeliveryError) -> None:
        source = self._sources.get(delivery.source_name)
        if source is not None and source.checks_signature and error.reason in _UNSIGNED:
            self._advice.unsigned(source)

    def _failed(self, delivery: Delivery, error: Exception) -> None:
        """A defect of ours is a bare 500 and one line."""
        delivery.answer(500, answers.BODIES[500])
        source = self._source_of(delivery)
        self._counts.answered(source, "failed")
        self._counts.tried(source, "failed")
        self._lines.failed(error)
        if delivery.span is not None:
            delivery.span.answered(500, outcome="failed")


class _Awaited(Delivery):
    """A delivery whose answer a task waits for."""

    __slots__ = ("answered",)

    def __init__(self, *known: Any) -> None:
        super().__init__(*known)
        loop = asyncio.get_running_loop()
        self.answered: asyncio.Future[tuple[int, bytes]] = loop.create_future()

    def answer(self, status: int, body: bytes) -> None:
        """See `Delivery.answer`; the first one counts."""
        if not self.answered.done():
            self.answered.set_result((status, body))


def _end(span: StoringSpan, receipt: Receipt) -> None:
    span.answered(
        200,
        outcome=receipt.outcome,
        callback_id=receipt.callback_id,
        message_type=receipt.message_type,
        event_types=[data.event_type for data in receipt.events],
        stream_seq=receipt.stream_seq,
    )


def _receipt_body(receipt: Receipt) -> bytes:
    if receipt.outcome == "checked":
        return _CHECKED
    # One of our own words and hexadecimal digits: nothing that JSON would have to escape.
    return b'{"status":"%s","callback_id":"%s"}' % (
        receipt.outcome.encode(),
        receipt.callback_id.encode(),
    )
