"""The platform's API and the system on the console, as processes report them."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from receiver.bus.account_rate import AccountRate
from receiver.bus.metric_reports import MetricReporter
from receiver.bus.metric_totals import Life
from receiver.bus.metrics_stream import Kept
from receiver.console.screens.api import Known, view
from receiver.observability.call_counts import CallCounts
from receiver.observability.counters import DeliveryCounts
from receiver.observability.figures import Figures
from receiver.operations.durability import Durability
from receiver.operations.look.configured import configured
from receiver.operations.look.counted import counted_document
from receiver.operations.look.processes import process_of
from receiver.operations.look.status import status_without_nats
from receiver.settings import Settings
from receiver.worker.figures import worker_figures
from receiver.worker.status import WorkerStatus
from tests.console.desk import ROOT_PATH, Visitor, where

SECRET = "secret-of-the-api"
API = Settings.model_validate(
    {"api": {"base_url": "https://user:pass@api.example", "access_key": "k", "secret": SECRET}}
)
ME = f"{os.getpid()} of {socket.gethostname()}"


def calls() -> Figures:
    """Of a worker whose calls failed, so that it leaves the platform alone."""
    counts = CallCounts()
    for seconds in (0.04, 0.04, 4.0):
        counts.tried("alibaba_orders_detail", seconds, again=False)
    counts.tried("alibaba_orders_detail", 40.0, again=True)
    counts.ended("alibaba_orders_detail", "ok")
    counts.ended("alibaba_orders_detail", "unavailable")
    counts.load = lambda: (3, True)
    return worker_figures(WorkerStatus.here("w", {}), counts)


def document(figures: Figures) -> dict[str, Any]:
    return {**counted_document(figures), "alerts": [], "missing": []}


@pytest.fixture(scope="module")
async def reported(visitor: Visitor) -> None:
    """A receiver and a worker have reported, and an account has used its rate."""
    connection, subjects = visitor.bus.connection, visitor.desk.subjects

    async def of_worker() -> Figures:
        return calls()

    async def of_receiver() -> Figures:
        return DeliveryCounts().figures()

    await MetricReporter(connection, subjects, "handlers", of_worker).report()
    await MetricReporter(connection, subjects, "receiver", of_receiver).report()
    assert await AccountRate(connection, subjects, "an account").take(5, 0.01)


async def test_the_api_shows_calls_by_row_their_times_the_breaker_and_the_rate(
    visitor: Visitor, reported: None
) -> None:
    async with where(visitor, counted=document(calls()), configured=configured(API)) as one:
        page, found = await one.get("/api"), await one.json("/api.json")
    (row,), (caller,), (rate,) = found["rows"], found["callers"], found["rates"]
    assert row["outcomes"] == {"ok": 1, "unavailable": 1}
    assert (row["calls"], row["failed"], row["repeats"]) == (2, 1, 1)
    assert (row["seconds"]["p50"], row["seconds"]["p95"]) == (0.05, None)
    assert caller["calls"] == {"made": 2, "failed": 1, "waiting": 3, "is_open": True}
    assert rate["ahead_s"] > 100
    assert found["waiting"] == 3
    assert "1 unavailable of 2 calls" in page.text
    assert f"handlers {ME}" in page.text
    for said in (
        "more than 30 s",
        "up to 50 ms 2",
        "2.5 s to 5 s 1",
        "5 a second for all processes together",
    ):
        assert said in page.text, said
    assert not [one for one in (SECRET, "pass@") if one in f"{page.text} {found}"]


def test_a_breaker_that_is_open_is_bad_while_its_process_reports() -> None:
    made, reported_at = document(calls())["api"], datetime.now(UTC)
    said: dict[str, tuple[str, str]] = {}
    for ended, age_s in ((False, 1), (False, 60), (True, 1)):
        kept = Kept({"host": "h", "pid": 7}, 1, reported_at)
        life = Life("s", "life", "handlers", ended, calls(), kept)
        process = process_of(life, reported_at + timedelta(seconds=age_s))
        shown = view(None, Known(made, [process], [], ()))
        said[process.state] = shown.tone, shown.text
    left_alone = "; the platform is left alone by 1 process"
    assert said["runs"] == (
        "bad",
        f"1 unavailable of 2 calls since processes first ran{left_alone}",
    )
    assert [said[state][0] for state in ("silent", "ended")] == ["look", "look"]
    assert left_alone not in said["silent"][1]


async def test_the_api_without_calls_and_without_nats_says_so(visitor: Visitor) -> None:
    async with where(visitor, counted=document(Figures())) as one:
        page = await one.get("/api")
    assert "no call was made" in page.text
    assert "those of this console have no [api]" in page.text
    unread = {**document(Figures()), "missing": ["processes: NATS is away"]}
    async with where(visitor, counted=unread) as one:
        page = await one.get("/api")
    assert "Unknown: processes: NATS is away" in page.text
    assert "unknown what processes report cannot be read" in page.text


async def test_the_system_shows_processes_the_server_streams_and_what_is_in_doubt(
    visitor: Visitor, reported: None
) -> None:
    await visitor.shelf.push("2745812000123456789")
    figures = Figures()
    expiry = datetime(2031, 1, 2, tzinfo=UTC)
    figures.gauge("yizhan_certificate_expiry_timestamp_seconds", value=expiry.timestamp())
    doubt = Durability("the server may acknowledge before it syncs", in_doubt=True)
    async with where(visitor, counted=document(figures), durability=doubt) as one:
        page, found = await one.get("/system"), await one.json("/system.json")
    kinds = {one["process"]["kind"]: one["process"] for one in found["processes"]}
    assert set(kinds) == {"receiver", "handlers"}
    for process in kinds.values():
        assert process["pid"] == os.getpid()
        assert (process["version"], process["python"]) == (
            found["console"]["version"],
            found["console"]["python"],
        )
        assert process["started_at"]
    assert found["server"]["version"] in page.text
    assert found["server"]["has_jetstream"]
    assert visitor.desk.subjects.stream in {one["document"]["stream"] for one in found["streams"]}
    assert found["certificate_at"] == "2031-01-02T00:00:00+00:00"
    assert f"▲ look {doubt.text}" in page.text
    assert f"receiver {ME}" in page.text
    assert f"{ROOT_PATH}/system.json" in page.links


async def test_without_nats_the_system_shows_what_this_machine_knows(visitor: Visitor) -> None:
    away = await status_without_nats(None, "NATS is away: no server", datetime.now(UTC))
    async with where(visitor, status={**away, "rates": None}) as one:
        page, found = await one.get("/system"), await one.json("/system.json")
    assert "Unknown: NATS is away: no server" in page.text
    assert (found["streams"], found["spool"]) == (None, None)
    assert f"Python {found['console']['python']}" in page.text
