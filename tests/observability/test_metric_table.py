"""The table of metrics, beside the code that counts and the pages that export."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import Response

from receiver.ingest.storing import Outcome as TakenOutcome
from receiver.ingest.tries import TryOutcome
from receiver.observability.call_counts import CallCounts, CallOutcome
from receiver.observability.call_metrics import CallCollector
from receiver.observability.counters import DeliveryCounts
from receiver.observability.figures import Figures
from receiver.observability.metric_families import families
from receiver.observability.metric_row import (
    ANSWERS,
    CALL_OUTCOMES,
    EFFECT_STATES,
    NAMES,
    RUN_BOUNDS_S,
    RUN_OUTCOMES,
    TRIES,
)
from receiver.observability.metric_table import BY_NAME, ROWS
from receiver.spool.queue import Spool
from receiver.web.handler_metrics import Backlog, HandlerMetricsEndpoint
from receiver.web.metrics import MetricsEndpoint, exposition
from receiver.web.metrics_access import Serve
from receiver.worker.effects.states import State
from receiver.worker.outcomes import Outcome as RunOutcome
from receiver.worker.status import HandlerStatus, WorkerStatus
from tests.pages import ROOT


def test_words_of_labels_are_those_of_the_code() -> None:
    assert set(get_args(RunOutcome)) == set(RUN_OUTCOMES)
    assert set(get_args(CallOutcome)) == set(CALL_OUTCOMES)
    assert set(get_args(State)) == set(EFFECT_STATES)
    assert set(get_args(TakenOutcome)) < set(ANSWERS)
    assert get_args(TryOutcome) == TRIES


def test_every_row_is_of_its_kind() -> None:
    assert len(BY_NAME) == len(ROWS)
    for row in ROWS:
        assert row.name.startswith("yizhan_")
        assert not row.name.endswith("_total")
        assert bool(row.bounds) == (row.kind == "histogram")
        assert list(row.bounds) == sorted(row.bounds)
        assert row.help.endswith(".")


def test_figures_become_the_metrics_of_their_rows() -> None:
    figures = Figures()
    for row in ROWS:
        labels = ["x" if words == NAMES else words[0] for words in row.labels.values()]
        if row.kind == "counter":
            figures.count(row.name, *labels, by=2)
        elif row.kind == "gauge":
            figures.gauge(row.name, *labels, value=3)
        else:
            figures.observe(row.name, *labels, value=row.bounds[0])
            figures.observe(row.name, *labels, value=row.bounds[-1] + 1)
    made = {family.name: family for family in families(figures)}
    assert made.keys() == BY_NAME.keys()
    for row in ROWS:
        family = made[row.name]
        assert (family.type, family.documentation) == (row.kind, row.help)
        assert {*family.samples[0].labels} - {"le"} == {*row.labels}
    buckets = [sample.value for sample in made["yizhan_ack_seconds"].samples]
    assert (buckets[0], buckets[-3], buckets[-2]) == (1, 2, 2)


async def well() -> None:
    """The log is there."""


async def nothing_waits() -> list[Backlog]:
    return [Backlog("note", 0, 0, 0.0, 0, paused=False)]


async def one_worker() -> dict[int, WorkerStatus]:
    status = HandlerStatus(
        role="owner",
        running=0,
        waiting=0,
        unanswered=0,
        owner_changes=1,
        outcomes={"done": 1},
        buckets=(1,) * (len(RUN_BOUNDS_S) + 1),
        seconds=1.0,
    )
    return {0: WorkerStatus.here("a1", {"note": status})}


async def families_of(serve: Serve) -> dict[str, dict[str, str]]:
    """The kind of each metric on a page, and the names of its labels."""
    request = Request({"type": "http", "headers": [], "client": ("127.0.0.1", 1)})
    page = bytes((await serve(request)).body).decode()
    return {
        family.name: {"kind": family.type, **dict.fromkeys(family.samples[0].labels, "")}
        for family in text_string_to_metric_families(page)
    }


async def test_the_pages_of_processes_have_what_the_table_says(tmp_path: Path) -> None:
    counts = DeliveryCounts()
    counts.add("stored")
    counts.taken("shop", "duplicate", 0.1)
    counts.aged("shop", -2.0)
    counts.tried("shop", "good")
    counts.retried("shop", "5", "failed", last=True)
    spool = Spool(tmp_path / "spool.sqlite3", limit_bytes=10**6, put_timeout_s=10)
    calls = CallCounts()
    calls.ended("row", "ok")
    calls.tried("row", 0.1, again=True)

    async def of_calls(_: Request) -> Response:
        return exposition(CallCollector(calls).collect())

    pages = {
        "receiver": MetricsEndpoint(counts, well, spool.state).metrics,
        "handlers": HandlerMetricsEndpoint(one_worker, nothing_waits).metrics,
        "api": of_calls,
    }
    for page, serve in pages.items():
        found = await families_of(serve)
        expected = {row.name: row for row in ROWS if page in row.pages}
        assert found.keys() == expected.keys(), page
        for name, row in expected.items():
            assert found[name].pop("kind") == row.kind
            assert {*found[name]} - {"le", "worker"} == {*row.labels}, name
    await spool.close()


def test_every_row_of_the_collected_page_is_counted_somewhere() -> None:
    table = {"metric_table.py", "process_metrics.py", "metric_row.py"}
    code = "".join(
        file.read_text(encoding="utf-8")
        for file in (ROOT / "receiver").rglob("*.py")
        if file.name not in table
    )
    unknown = [row.name for row in ROWS if "collected" in row.pages and f'"{row.name}"' not in code]
    assert unknown == []
