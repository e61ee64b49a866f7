"""A span a call where OpenTelemetry is installed, and no import of it where it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from receiver.client.platform import PlatformAPI
from receiver.errors import APIRejectedError
from tests.client.conftest import Platform

sdk = pytest.importorskip("opentelemetry.sdk.trace")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
trace = pytest.importorskip("opentelemetry.trace")


@pytest.fixture(scope="module")
def exporter() -> Any:
    """What keeps the spans of this process: it can be set once."""
    kept = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    return kept


@pytest.fixture
def spans(exporter: Any) -> Iterator[Any]:
    yield exporter.get_finished_spans
    exporter.clear()


async def test_a_call_is_a_span(platform: Platform, api: PlatformAPI, spans: Any) -> None:
    platform.reply([])

    await api.alibaba.orders.logistics("27")

    (span,) = spans()
    assert (span.name, span.kind) == ("GET alibaba_orders_logistics", trace.SpanKind.CLIENT)
    assert span.attributes == {
        "yizhan.api.row": "alibaba_orders_logistics",
        "http.request.method": "GET",
        "url.template": "/v2/alibaba/order/logistics/trace",
        "server.address": "127.0.0.1",
        "http.response.status_code": 200,
        "yizhan.api.status": 200,
        "yizhan.api.code": 200,
        "yizhan.api.request_id": "r-1",
        "yizhan.api.attempt": 1,
        "yizhan.api.order_id": "27",
    }
    assert "traceparent" not in platform.asked[0].headers


async def test_a_refusal_is_an_error_without_its_words(
    platform: Platform, api: PlatformAPI, spans: Any
) -> None:
    platform.reply(None, code=7, msg="A private word")

    with pytest.raises(APIRejectedError):
        await api.alibaba.orders.logistics("27")

    (span,) = spans()
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes["error.type"] == "APIRejectedError"
    assert span.attributes["yizhan.api.code"] == 7
    assert "private" not in span.to_json()


def test_opentelemetry_is_not_imported_where_nothing_traces() -> None:
    """Neither by the client, nor by receiver and worker without a variable that names a collector,
    nor where the packages are missing: there a callback goes its way without a trace of its own.
    """
    code = """
import asyncio, os, sys
for name in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[name]
import receiver.client.platform, receiver.composition.receiver, receiver.composition.worker
from receiver.client.tracing import call_span
from receiver.composition.tracing import traced
from receiver.resilience.deadline import Deadline
from receiver.settings import Settings

async def tracer(**tracing):
    settings = Settings(tracing=tracing)
    async with traced(settings, service="s", deadline=Deadline(1)) as tracer:
        return tracer

with call_span("GET row", {}) as span:
    assert span is None
assert asyncio.run(tracer()) is None
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
sys.modules["opentelemetry"] = None  # as if it were not installed
assert asyncio.run(tracer(enabled=True)) is None

from receiver.bus.subjects import Subjects
from receiver.dialects.installed import installed_dialects
from receiver.ingest.intake import Intake
from receiver.ingest.sources import Sources
from receiver.observability.counters import DeliveryCounts
from receiver.observability.logs import configure_logs
from receiver.settings import LogSettings, SourceSettings
from receiver.testing import RecordingPublisher
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.delivery import Delivery

class Answered(Delivery):
    def answer(self, status, body):
        assert status == 200, status

GIVEN = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
configure_logs(LogSettings(format="json"), stream=sys.stdout)
publisher = RecordingPublisher()
sources = Sources([SourceSettings(name="open", dialect="xport", verification="none")])
intake = Intake(publisher, Subjects(), installed_dialects())
endpoint = CallbackEndpoint(intake, sources, limit_bytes=999, counts=DeliveryCounts())
headers = [(b"content-type", b"application/json"), (b"traceparent", GIVEN)]
delivery = Answered("POST", "open", None, None, headers)
delivery.body = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"27","totalAmount":1}}'
endpoint.take(delivery)
(event,) = publisher.stored_events
assert event.headers["traceparent"] == GIVEN.decode()
assert "ce-traceparent" not in event.headers
"""
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "tracing_not_installed" in ended.stdout + ended.stderr
    line = json.loads(ended.stdout.splitlines()[-1])
    assert (line["event"], "trace_id" in line) == ("callback_stored", False)
