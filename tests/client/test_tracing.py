"""A span a call where OpenTelemetry is installed, and no import of it where it is not."""

from __future__ import annotations

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
    assert (span.name, span.kind) == ("api alibaba_orders_logistics", trace.SpanKind.CLIENT)
    assert span.attributes == {
        "yizhan.api.row": "alibaba_orders_logistics",
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


def test_without_opentelemetry_calls_do_without_spans() -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None  # as if it were not installed
from receiver.client.tracing import Tracing
with Tracing().span("row") as span:
    assert span is None
assert not [name for name in sys.modules if name.startswith("opentelemetry.")]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_opentelemetry_is_not_imported_before_a_client_is_opened() -> None:
    code = """
import sys
import receiver.client.platform
assert "opentelemetry" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
