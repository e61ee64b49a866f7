"""Traces of what a callback does, as a collector gets them (docs/tracing.md)."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx2
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.util._once import Once
from pydantic import SecretStr
from structlog.testing import capture_logs

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.filters import Filters
from receiver.bus.read.history import Span, opened_history
from receiver.bus.subjects import Subjects
from receiver.client.platform import PlatformAPI
from receiver.composition.bus import opened_bus
from receiver.composition.receiver import running_receiver
from receiver.composition.tracing import NOT_INSTALLED, traced, tracing_doubts
from receiver.observability.logs import configure_logs, get_logger, write_out
from receiver.observability.spans import Run, Tracer
from receiver.observability.trace_context import TraceContext
from receiver.resilience.deadline import Deadline
from receiver.settings import APISettings, LogSettings, Settings
from receiver.settings.tracing import TracingSettings
from receiver.testing import eventually, handled
from receiver.web.server import bind
from receiver.worker.limits import ConsumerLimits
from receiver.worker.options import HandlerOptions
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler
from receiver.worker.worker import Worker
from schemas.events import LogisticsTracked, OrderCreated
from tests.collector import Collector, collecting
from tests.replay.place import Place
from yizhan import Context, Event, Retry

FoundT = TypeVar("FoundT")
ORDER = "2745812000123456789"
BODY = f'{{"messageType":"ORDER_CREATE","messageBody":{{"orderId":"{ORDER}","totalAmount":100}}}}'
SENDER = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that the environment names, and a process without a tracer provider yet."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    with collecting() as playing:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", playing.url)
        yield playing


@pytest.fixture
def settings(nats_url: str, subjects: Subjects) -> Settings:
    return Settings.model_validate(
        {
            "nats": {"url": nats_url, "subject_root": subjects.root},
            "receiver": {"spool_limit_bytes": 0, "publish_timeout_s": 60},
            "sources": [{"name": "open", "dialect": "xport", "verification": "none"}],
        }
    )


async def posted(settings: Settings) -> dict[str, Any]:
    """The log line of one callback, whose receiver is stopped then."""
    headers = {"content-type": "application/json", "traceparent": "00-{}-{}-01".format(*SENDER)}
    with capture_logs() as lines:
        async with (
            opened_bus(settings, name="test") as bus,
            running_receiver(settings, bus, bind("127.0.0.1", 0)) as running,
            httpx2.AsyncClient(base_url=running.url, timeout=60) as http,
        ):
            answer = await http.post("/callbacks/open", content=BODY, headers=headers)
            assert answer.status_code == 200
    (line,) = [line for line in lines if line["event"] == "callback_stored"]
    return dict(line)


@asynccontextmanager
async def tracer_of(settings: Settings) -> AsyncIterator[Tracer]:
    async with traced(settings, service="yizhan-work", deadline=Deadline(10)) as tracer:
        assert tracer is not None
        yield tracer


class Tracking:
    """A handler that calls the API in its second run, which it says is two hours later."""

    def __init__(self) -> None:
        self.later = timedelta()
        options = HandlerOptions(start="all")
        self.handler = Handler("track", self._track, (OrderCreated,), True, options)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    async def _track(self, event: Event[OrderCreated], ctx: Context) -> LogisticsTracked:
        if ctx.attempt == 1 and not self.later:
            self.later = timedelta(hours=2)
            raise Retry(after=0.01)
        await ctx.api.alibaba.orders.logistics(ORDER)
        return LogisticsTracked(channel="1688", order_id=ORDER)


async def answer(request: httpx2.Request) -> httpx2.Response:
    assert "traceparent" not in request.headers
    return httpx2.Response(200, json={"code": 200, "requestId": "r-1", "data": []})


def opened_platform() -> Any:
    account = APISettings(
        base_url="https://api.test", access_key="a", secret=SecretStr("s"), user_id="1"
    )
    return PlatformAPI.open(account, transport=httpx2.MockTransport(answer))


def only(found: list[FoundT]) -> FoundT:
    (one,) = found
    return one


async def test_a_callback_its_late_retry_and_its_replay_are_traces_as_documented(
    connection: Connection,
    publisher: GroupCommitPublisher,
    subjects: Subjects,
    settings: Settings,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = await posted(settings)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())  # as in another process
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    tracking = Tracking()
    async with tracer_of(settings) as tracer, opened_platform() as api:
        worker = Worker(
            connection,
            publisher,
            subjects,
            [tracking.handler],
            api=api,
            policy=RetryPolicy(),
            limits=ConsumerLimits(),
            grace_s=5,
            clock=tracking.now,
            sleep=asyncio.sleep,
        )
        worker.trace_by(tracer)
        await worker.start()
        await handled(connection, subjects, [tracking.handler], within_s=60)
        place = Place(connection, publisher, subjects, [tracking.handler])
        await place.begin("track", filters=Filters(event_type="order.created"))
        await place.until("one", "finished")
        await place.store.stop()
        await worker.stop()

    received = only(collector.named("POST /callbacks/{source}"))
    assert (received.trace_id, received.span_id) == (line["trace_id"], line["span_id"])
    assert (received.kind, received.parent_id, received.links) == ("server", "", [SENDER])
    assert received.trace_id == line["delivery_id"] != SENDER[0]
    assert received.attributes["yizhan.callback_id"] == line["callback_id"]

    stored, made = collector.named(f"send {subjects.stream}")
    assert (stored.kind, stored.service) == ("producer", "yizhan-receive")
    assert (stored.trace_id, stored.parent_id) == received.place

    first, late, replayed = collector.named("process handler-track")
    assert (first.kind, first.service) == ("consumer", "yizhan-work")
    assert (first.trace_id, first.parent_id, first.links) == (*received.place, [])
    assert first.attributes["yizhan.outcome"] == "postponed"
    assert not first.failed

    assert late.attributes["yizhan.run"] == "late"
    assert str(replayed.attributes["yizhan.replay"]).startswith("one.")
    for again in late, replayed:
        assert (again.parent_id, again.links) == ("", [received.place])
    assert len({received.trace_id, late.trace_id, replayed.trace_id}) == 3
    assert (made.trace_id, made.parent_id) == late.place

    calls = collector.named("GET alibaba_orders_logistics")
    assert [(call.trace_id, call.parent_id) for call in calls] == [late.place, replayed.place]
    assert calls[0].attributes["url.template"] == "/v2/alibaba/order/logistics/trace"

    headers = await stored_headers(connection, subjects)
    creation, last_hop = headers["logistics.tracked"]
    assert creation == last_hop == f"00-{late.trace_id}-{late.span_id}-01"
    assert headers["order.created"][0] == f"00-{received.trace_id}-{received.span_id}-01"


async def stored_headers(connection: Connection, subjects: Subjects) -> dict[str, tuple[str, str]]:
    """`ce-traceparent` and `traceparent` of what is stored, by event type."""
    async with opened_history(connection, subjects.stream, Span((subjects.all_events,))) as history:
        found = [one.headers async for one in history.read()]
    return {
        headers["ce-type"].removeprefix("yizhan.").removesuffix(".v1"): (
            headers["ce-traceparent"],
            headers["traceparent"],
        )
        for headers in found
    }


async def test_of_what_is_not_sampled_there_is_no_span_object_and_a_sender_cannot_force_one(
    connection: Connection,
    subjects: Subjects,
    settings: Settings,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []
    monkeypatch.setattr(Tracer, "callback", lambda *_, **__: made.append("callback"))
    monkeypatch.setattr(sdk_trace.Tracer, "start_span", lambda *_, **__: made.append("span"))
    never = settings.model_copy(update={"tracing": TracingSettings(sample_ratio=0.0)})

    line = await posted(never)

    assert (made, collector.spans) == ([], [])
    creation, last_hop = (await stored_headers(connection, subjects))["order.created"]
    assert creation == last_hop == f"00-{line['trace_id']}-{line['span_id']}-00"


async def test_a_collector_that_is_away_is_one_warning_and_holds_up_no_stop(
    settings: Settings, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector.status = 400
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    with capture_logs() as lines:
        async with tracer_of(settings) as tracer:
            for _ in range(3):
                tracer.callback("1" * 32, "open", started=0.0, sender=None).answered(200)
                count = len(collector.refused)
                await eventually(lambda count=count: len(collector.refused) > count, within_s=60)  # type: ignore[misc]
    warnings = [line for line in lines if line["event"] == "traces_not_exported"]
    assert [(line["log_level"], "exc_info" in line) for line in warnings] == [("warning", False)]


async def test_many_callbacks_in_one_commit_are_one_span_with_links(
    settings: Settings, collector: Collector
) -> None:
    async with tracer_of(settings) as tracer:
        ids = [f"{number:032x}" for number in range(1, 141)]
        spans = [tracer.callback(one, "open", started=0.0, sender=None) for one in ids]
        spans[0].send(spans[1:], messages=280).end(None)
        for span in spans:
            span.answered(200)
    commit = only([span for span in collector.spans if span.kind == "producer"])
    assert (commit.trace_id, len(commit.links)) == (ids[0], 128)
    assert commit.attributes["messaging.batch.message_count"] == 280
    others = [span for span in collector.spans if span.kind == "server"][1:]
    assert {link for span in others for link in span.links} == {commit.place}


async def test_a_run_follows_the_decision_of_its_event_alone(
    settings: Settings, collector: Collector
) -> None:
    """Where the worker keeps no trace of its own, it keeps those that the receiver began."""
    rare = settings.model_copy(update={"tracing": TracingSettings(sample_ratio=1e-9)})
    sampled = TraceContext("a" * 32, "b" * 16, sampled=True)
    cases = {
        "child": Run("child", sampled, None, continued=True, attributes={}),
        "linked": Run("linked", sampled, None, continued=False, attributes={}),
        "dropped": Run("dropped", sampled._replace(sampled=False), None, True, {}),
        "forced": Run("forced", None, sampled, continued=True, attributes={}),
    }
    async with tracer_of(rare) as tracer:
        for run in cases.values():
            with tracer.process(run) as span:
                span.ended("done", None)
    child, linked = collector.spans
    assert (child.name, child.trace_id, child.parent_id) == ("process child", "a" * 32, "b" * 16)
    assert (linked.name, linked.links) == ("process linked", [("a" * 32, "b" * 16)])


async def test_a_line_that_is_logged_in_a_run_has_the_ids_of_its_span(
    settings: Settings, collector: Collector
) -> None:
    out = io.StringIO()
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logs(LogSettings(format="json"), stream=out)
    try:
        async with tracer_of(settings) as tracer:
            with tracer.process(Run("run", None, None, continued=True, attributes={})):
                get_logger("test").info("within")
                get_logger("test").info("of another", trace_id="a", span_id="b")
                write_out()
    finally:
        structlog.configure(**before)
        root.handlers, root.level = handlers, level
    within, of_another = map(json.loads, out.getvalue().splitlines()[:2])
    assert (within["trace_id"], within["span_id"]) == only(collector.spans).place
    assert (of_another["trace_id"], of_another["span_id"]) == ("a", "b")


async def test_what_is_sampled_by_the_digits_of_an_id_is_what_the_sampler_takes(
    settings: Settings, collector: Collector
) -> None:
    """Else a span would be made and thrown away, or a trace lack its beginning."""
    for ratio in (0.0, 1e-9, 0.01, 0.5, 1.0):
        sampler = TraceIdRatioBased(ratio)
        edges = (0, 1, sampler.bound - 1, sampler.bound, sampler.bound + 1, (1 << 64) - 1)
        halves = [half for half in edges if 0 <= half < 1 << 64]
        halves += [random.getrandbits(64) for _ in range(100)]
        tracing = TracingSettings(sample_ratio=ratio)
        async with tracer_of(settings.model_copy(update={"tracing": tracing})) as tracer:
            for trace_id in (f"{random.getrandbits(64):016x}{half:016x}" for half in halves):
                decided = sampler.should_sample(None, int(trace_id, 16), "").decision
                assert tracer.samples(trace_id) == (decided is not Decision.DROP), trace_id


@pytest.mark.parametrize(
    ("tracing", "environ", "wanted", "ratio"),
    [
        ({}, {}, False, 1.0),
        ({"enabled": True, "sample_ratio": 0.5}, {}, True, 0.5),
        ({"enabled": True}, {"OTEL_SDK_DISABLED": "true"}, False, 1.0),
        ({"enabled": False}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, False, 1.0),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, True, 1.0),
        ({}, {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "always_off"}, True, 0.0),
        (
            {"sample_ratio": 0.5},
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"},
            False,
            0.25,
        ),
        (
            {"sample_ratio": 0.5},
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "lots"},
            False,
            0.5,
        ),
    ],
)
def test_the_environment_of_opentelemetry_is_honoured(
    tracing: dict[str, Any], environ: dict[str, str], wanted: bool, ratio: float
) -> None:
    settings = TracingSettings(**tracing)
    assert (settings.wanted(environ), settings.ratio(environ)) == (wanted, ratio)


def test_check_doubts_what_is_asked_for_and_cannot_be(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert "grpc" in only(tracing_doubts(settings))
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    assert tracing_doubts(settings) == [NOT_INSTALLED]
