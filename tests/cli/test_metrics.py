"""`yizhan metrics` beside what was sent, through kills and restarts of every process."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from nats.aio.client import Client
from prometheus_client.parser import text_string_to_metric_families

from receiver.bus.subjects import Subjects
from receiver.observability.metric_row import TRIES
from receiver.observability.metric_table import ROWS
from receiver.signatures import xport_signature
from receiver.simulator.serving import served
from receiver.testing import eventually
from tests.cli.conftest import Running, Yizhan
from tests.cli.test_changed_consumer import base_of, push
from tests.cli.test_check_and_up import SOURCE
from tests.operations.test_alerting import SECRET, Endpoint

HANDLERS = """\
from receiver.worker.retry_policy import RetryPolicy
from schemas.events import PaymentSucceeded
from yizhan import Context, Event, Router

router = Router()


@router.on(PaymentSucceeded, start="all", retry=RetryPolicy(max_attempts=1))
async def slow(event: Event[PaymentSucceeded], ctx: Context) -> None:
    if event.order_id.startswith("9"):
        raise ValueError("no such shelf")
"""
SIGNED = """\
[[sources]]
name = "signed"
dialect = "xport"
verification = "signature"
access_key = "key"
secrets = ["the secret of the settings"]
"""
STORED = "yizhan_callbacks_total outcome=stored source=s"
DONE, DEAD = (
    f"yizhan_handler_runs_total handler=slow outcome={outcome}"
    for outcome in ("done", "dead_lettered")
)


@dataclass
class Place:
    """Two receivers, three workers, and what collects their metrics."""

    yizhan: Yizhan
    environ: dict[str, str]
    endpoint: Endpoint
    url: str = ""
    seen: list[dict[str, float]] = field(default_factory=list)
    sent: int = 0

    async def start(self, command: str) -> Running:
        return await self.yizhan.start(command, **self.environ)

    async def push(self, base: str, *orders: str) -> None:
        await push(base, *orders)
        self.sent += len(orders)

    async def push_signed(self, base: str, secret: str, *, late_s: int = 0) -> int:
        """What a callback with such a signature is answered."""
        timestamp, nonce = str(int(time.time()) - late_s), uuid4().hex
        headers = {
            "access-key": "key",
            "timestamp": timestamp,
            "nonce-str": nonce,
            "signature": xport_signature("key", timestamp, nonce, secret),
        }
        async with httpx2.AsyncClient(base_url=base, timeout=60) as http:
            body = {"messageType": "ORDER_CREATE"}
            return (await http.post("/callbacks/signed", headers=headers, json=body)).status_code

    async def explained(self) -> dict[str, dict[str, Any]]:
        """What `yizhan status` says of each source."""
        ended = await self.yizhan.run("status", "--json", within_s=90, **self.environ)
        return {one["source"]: one for one in json.loads(ended.out)["sources"]}

    async def scrape(self) -> dict[str, float]:
        """Everything on the page; no counter may be less than it was."""
        async with httpx2.AsyncClient(timeout=60) as http:
            answer = await http.get(self.url)
        found = {
            " ".join((sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items())))): (
                family.type,
                sample.value,
            )
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }
        for before in self.seen[-1:]:
            back = {
                name: (value, found.get(name))
                for name, value in before.items()
                if found.get(name, ("", -1.0))[1] < value
            }
            assert back == {}
        self.seen.append(
            {
                name: value
                for name, (kind, value) in found.items()
                if kind in {"counter", "histogram"}
            }
        )
        return {name: value for name, (_, value) in found.items()}

    async def shows(self, **expected: float) -> dict[str, float]:
        """The page, once it shows that so many were stored and done by what processes report."""
        page: dict[str, float] = {}

        async def shown() -> bool:
            page.update(await self.scrape())
            return all(page.get(globals()[name]) == value for name, value in expected.items())

        await eventually(shown, within_s=120)
        return page


@pytest.fixture
async def place(
    yizhan: Yizhan, nats_url: str, client: Client, subjects: Subjects
) -> AsyncIterator[Place]:
    (yizhan.directory / "my.py").write_text(HANDLERS)
    file = yizhan.directory / "yizhan.toml"
    environ = {"YIZHAN_NATS__URL": nats_url, "YIZHAN_NATS__SUBJECT_ROOT": subjects.root}
    endpoint = Endpoint()
    async with served(endpoint) as url:
        alerts = f'[alerts]\nurl = "{url}"\nsecret = "{SECRET}"\n'
        rest = f'[handlers]\nload = ["my:router"]\n[metrics]\nport = 0\n{alerts}'
        file.write_text(f"{SOURCE}{SIGNED}{rest}")
        file.chmod(0o600)
        yield Place(yizhan, environ, endpoint)
        await yizhan.kill_all()
    for stream in (subjects.stream, subjects.dead_stream, subjects.metrics_stream):
        await client.request(f"$JS.API.STREAM.DELETE.{stream}", b"", timeout=60)


async def test_counters_never_go_back_and_what_the_log_knows_is_exact(place: Place) -> None:
    serving = await place.start("metrics")
    receivers = [await place.start("receive") for _ in range(2)]
    workers = [await place.start("work") for _ in range(3)]
    line = await serving.line(lambda line: "metrics_served" in line)
    place.url = json.loads(line)["url"]
    bases = [await base_of(running) for running in receivers]
    for number, base in enumerate(bases):
        await place.push(base, f"1{number}", f"2{number}", f"9{number}")
    first = await place.shows(STORED=6, DONE=4, DEAD=2)
    for running in (receivers[0], *workers):
        running.process.send_signal(signal.SIGKILL)
    receivers[0], *workers = [
        await place.start(command) for command in ("receive", "work", "work", "work")
    ]
    await place.push(await base_of(receivers[0]), "32", "92")
    await place.shows(STORED=8, DONE=5, DEAD=3)
    assert await receivers[1].stop() == 0
    assert await workers[0].stop() == 0
    receivers[1], workers[0] = await place.start("receive"), await place.start("work")
    base = await base_of(receivers[1])
    await place.push(base, "41")
    last = await place.shows(STORED=9, DONE=6, DEAD=3)
    await eventually(lambda: len(place.endpoint.taken) > 0, within_s=100)

    refusals = [await place.push_signed(base, "the secret of yesterday") for _ in range(3)]
    refusals.append(await place.push_signed(base, "the secret of the settings", late_s=20_000))

    stream = place.environ["YIZHAN_NATS__SUBJECT_ROOT"].upper()
    assert first["yizhan_processes kind=handlers"] == 3
    assert first["yizhan_handler_owned handler=slow"] == 1
    assert last["yizhan_callbacks_stored source=s"] == place.sent == 9
    assert last["yizhan_handler_behind handler=slow"] == 9
    assert last["yizhan_handler_pending handler=slow"] == 0
    assert last["yizhan_dead_letters handler=slow"] == 3
    assert last[f"yizhan_stream_stored_total stream={stream}"] == 18
    assert last["yizhan_ack_seconds_count source=s"] == 9
    judged = [last.get(f"yizhan_first_try_total outcome={o} source=s", 0) for o in TRIES]
    assert sum(judged) == 9
    assert last["yizhan_source_never_sent source=signed"] == 1
    assert "yizhan_source_silence_improbability source=s" not in last
    assert all(last[f"yizhan_collected part={p}"] == 1 for p in ("processes", "handlers"))
    assert ("firing", "YizhanDeadLetters") in place.endpoint.said()
    names = {name.partition(" ")[0] for name in last}
    known = {row.exported for row in ROWS if "collected" in row.pages}
    parts = {f"{row.name}_{part}" for row in ROWS for part in ("bucket", "sum", "count")}
    assert names <= known | parts
    await asyncio.gather(serving.stop(), *(one.stop() for one in (*receivers, *workers)))
    sources: dict[str, dict[str, Any]] = {}

    async def none_runs() -> bool:  # one that was killed counts as running until it is missed
        sources.update(await place.explained())
        return "No receiver reports that it runs." in sources["signed"]["explained"]

    await eventually(none_runs, within_s=100)
    assert refusals == [401] * 4
    assert (sources["s"]["is_refused"], sources["signed"]["is_refused"]) == (False, True)
    text = sources["signed"]["explained"]
    assert "Of signed nothing was ever stored. 4 of its deliveries were refused since " in text
    assert "and none was stored: bad_signature (3), stale_timestamp (1)." in text
    assert "signs with another secret than the settings have" in text
    assert "not enough history" in sources["s"]["explained"]
