"""`/metrics` of handlers: what processes say of themselves, and what the stream holds for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route

from receiver.errors import BusError
from receiver.web.handler_metrics import Backlog, HandlerMetricsEndpoint
from receiver.worker.counts import BOUNDS_S, HandlerCounts
from receiver.worker.status import HandlerStatus, WorkerStatus

BACKLOG = Backlog("note", pending=7, scheduled=2, oldest_age_s=30.5, dead_letters=3, paused=True)


def status(role: str) -> WorkerStatus:
    counts = HandlerCounts()
    counts.add("note", "done", 0.02)
    counts.add("note", "retried", 1000.0)
    counts.add("note", "released")
    buckets, seconds = counts.durations("note")
    handler = HandlerStatus(
        role=role,
        running=2,
        waiting=5,
        unanswered=1,
        owner_changes=4,
        outcomes={outcome: count for (_, outcome), count in counts.read().items()},
        buckets=buckets,
        seconds=seconds,
    )
    return WorkerStatus.here("a1", {"note": handler})


async def workers() -> Mapping[int, WorkerStatus]:
    return {0: status("owner"), 1: status("stands by")}


async def backlogs() -> Sequence[Backlog]:
    return [BACKLOG]


async def scraped(endpoint: HandlerMetricsEndpoint) -> dict[str, float]:
    app = Starlette(routes=[Route("/metrics", endpoint.metrics)])
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://worker") as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_each_process_is_counted_by_its_number() -> None:
    seen = await scraped(HandlerMetricsEndpoint(workers, backlogs))
    assert seen["yizhan_handler_runs_total note done 0"] == 1
    assert seen["yizhan_handler_runs_total note released 1"] == 1
    assert (seen["yizhan_handler_owned note 0"], seen["yizhan_handler_owned note 1"]) == (1, 0)
    assert seen["yizhan_handler_owner_changes_total note 0"] == 4
    assert seen["yizhan_handler_running note 0"] == 2
    assert seen["yizhan_handler_waiting note 0"] == 5


async def test_buckets_are_cumulative_and_hold_begun_runs_alone() -> None:
    seen = await scraped(HandlerMetricsEndpoint(workers, backlogs))
    held = [seen[f"yizhan_handler_seconds_bucket note {bound:g} 0"] for bound in BOUNDS_S]
    assert held == [0.0] + [1.0] * (len(BOUNDS_S) - 1)
    assert seen["yizhan_handler_seconds_bucket note +Inf 0"] == 2
    assert seen["yizhan_handler_seconds_count note 0"] == 2
    assert seen["yizhan_handler_seconds_sum note 0"] == 1000.02


async def test_what_the_stream_holds_is_said_once_for_all_processes() -> None:
    seen = await scraped(HandlerMetricsEndpoint(workers, backlogs))
    assert seen["yizhan_backlog_readable"] == 1
    assert seen["yizhan_handler_pending note"] == 7
    assert seen["yizhan_handler_scheduled note"] == 2
    assert seen["yizhan_handler_oldest_unprocessed_seconds note"] == 30.5
    assert seen["yizhan_handler_paused note"] == 1
    assert seen["yizhan_dead_letters note"] == 3


async def test_what_cannot_be_asked_for_is_in_the_figures() -> None:
    async def away() -> Mapping[int, WorkerStatus]:
        raise BusError("NATS is away")

    async def unread() -> Sequence[Backlog]:
        raise BusError("NATS is away")

    assert await scraped(HandlerMetricsEndpoint(away, unread)) == {"yizhan_backlog_readable": 0}
