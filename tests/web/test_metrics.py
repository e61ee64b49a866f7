"""`/metrics` tells depth and age of the spool, what was delivered, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route

from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.bus.publish.contract import Bundle
from receiver.errors import BusError
from receiver.observability.counters import DeliveryCounts
from receiver.spool.queue import Spool
from receiver.web.metrics import MetricsEndpoint


async def well() -> None:
    """The log is there."""


async def away() -> None:
    raise BusError("NATS is away")


async def scraped(endpoint: MetricsEndpoint) -> dict[str, float]:
    app = Starlette(routes=[Route("/metrics", endpoint.metrics)])
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://receiver") as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_the_spool_is_reported_by_depth_and_age(tmp_path: Path) -> None:
    now = 1_000.0
    spool = Spool(
        tmp_path / "spool.sqlite3", limit_bytes=10**6, put_timeout_s=10, clock=lambda: now
    )
    for msg_id in "ab":
        await spool.put(Bundle([OutgoingMessage.of("t.callbacks.s", {MSG_ID: msg_id}, b"{}")]))
    now += 90.0
    counts = DeliveryCounts()
    for outcome in ("stored", "spooled", "spooled"):
        counts.add(outcome)
    told = await scraped(MetricsEndpoint(counts, away, spool.state, worker=3))
    size_bytes = told.pop("yizhan_spool_bytes")
    assert size_bytes > 0
    assert told == {
        "yizhan_deliveries_total stored 3": 1,
        "yizhan_deliveries_total spooled 3": 2,
        "yizhan_log_ready": 0,
        "yizhan_batches_in_memory": 0,
        "yizhan_spool_readable": 1,
        "yizhan_spool_callbacks": 2,
        "yizhan_spool_oldest_age_seconds": 90,
    }
    await spool.close()


async def test_a_spool_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "spool.sqlite3", limit_bytes=10**6)
    told = await scraped(MetricsEndpoint(DeliveryCounts(), well, spool.state))
    assert told == {
        "yizhan_log_ready": 1,
        "yizhan_batches_in_memory": 0,
        "yizhan_spool_readable": 0,
    }
    await spool.close()


async def test_without_a_spool_none_is_reported() -> None:
    told = await scraped(MetricsEndpoint(DeliveryCounts(), well, staged=lambda: True))
    assert told == {"yizhan_log_ready": 1, "yizhan_batches_in_memory": 1}
