"""Alerts posted to a real endpoint by one of several processes, on a real stream."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from receiver.bus.client import PipeliningClient
from receiver.bus.connection import Connection
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.observability.figures import Figures
from receiver.operations.alerting.record import AlertRecord
from receiver.operations.alerting.standing import StandingAlerts
from receiver.operations.alerting.watch import EVERY_S, AlertWatch
from receiver.operations.alerting.webhook import AlertWebhook
from receiver.settings.alerts import webhook_key
from receiver.simulator.serving import served

SECRET = f"whsec_{base64.b64encode(b'k' * 32).decode()}"


@dataclass
class Endpoint:
    """Takes what is posted, if its signature is right."""

    status: int = 204
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        headers, body = dict(request.headers), await request.body()
        Webhook(SECRET).verify(body, headers)
        if self.status == 204:
            self.taken.append((headers["webhook-id"], json.loads(body)))
        else:
            self.refused.append(headers["webhook-id"])
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def said(self) -> list[tuple[str, str]]:
        """What was posted since it was asked last: firing or resolved, and of what."""
        found = [(body["type"].rpartition(".")[2], body["data"]["alert"]) for _, body in self.taken]
        self.taken.clear()
        return found


class Line(Connection):
    """A connection that can be cut off for a while."""

    is_cut = False

    @property
    def client(self) -> PipeliningClient:
        if self.is_cut:
            raise BusError("cut off")
        return super().client


@dataclass
class Place:
    """Processes that watch the same metrics, whose clock is ours."""

    connection: Connection
    subjects: Subjects
    http: httpx2.AsyncClient
    url: str
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    letters: int = 3
    last_tries: int = 0
    collected: int = 1

    async def figures(self) -> Figures:
        figures = Figures()
        figures.gauge("yizhan_build_info", "1", "3", value=1)
        figures.gauge("yizhan_collected", "processes", value=self.collected)
        if self.collected:
            figures.count("yizhan_handler_runs", "ship", "dead_lettered", by=self.letters)
            figures.count("yizhan_last_tries", "shop", "late", by=self.last_tries)
        return figures

    async def explained(self, source: str) -> str:
        return f"Of {source} nothing was ever stored."

    def process(self, connection: Connection | None = None) -> AlertWatch:
        return AlertWatch(
            self.figures,
            AlertRecord(connection or self.connection, self.subjects),
            AlertWebhook(self.http, self.url, webhook_key(SECRET)),
            self.explained,
            runbook="https://docs.example.com/runbook.md",
            now=lambda: self.now,
        )

    async def look(self, *processes: AlertWatch, minutes: float = EVERY_S / 60) -> None:
        """Time goes on, and each looks once."""
        self.now += timedelta(minutes=minutes)
        for process in processes:
            await process.look()


@pytest.fixture
async def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def place(
    connection: Connection, subjects: Subjects, endpoint: Endpoint
) -> AsyncIterator[Place]:
    async with served(endpoint) as url, httpx2.AsyncClient(trust_env=False, verify=False) as http:
        yield Place(connection, subjects, http, f"{url}/hooks/token")


@pytest.fixture
async def line(nats_url: str) -> AsyncIterator[Line]:
    made = Line(nats_url, ())
    assert await made.start(patience_s=10)
    yield made
    await made.stop()


async def test_who_looks_later_takes_up_what_another_has_seen_begin(place: Place) -> None:
    watching = place.process()
    await place.look(watching)
    place.letters += 1
    await place.look(watching)
    figures, record = await place.figures(), AlertRecord(place.connection, place.subjects)
    known = await record.watched(place.now)
    found = StandingAlerts().look(figures, place.now, known)
    assert [(one.alert, one.fires) for one in found] == [("YizhanDeadLetters", True)]
    assert StandingAlerts().look(figures, place.now) == []
    assert await record.watched(place.now + timedelta(minutes=2)) is None


async def test_one_of_two_processes_posts_what_begins_and_what_is_over(
    place: Place, endpoint: Endpoint
) -> None:
    first, second = place.process(), place.process()
    await place.look(first, second)
    place.letters += 1
    await place.look(first, second)
    ((_, body),) = endpoint.taken
    fired = endpoint.said()
    await place.look(first, second)
    restarted = place.process()
    for _ in range(3):
        await place.look(restarted, second, minutes=2)  # the first is gone
    in_between = endpoint.said()
    for _ in range(70):
        await place.look(restarted, minutes=1)

    assert body["data"] | {"since": ""} == {
        "alert": "YizhanDeadLetters",
        "severity": "warning",
        "labels": {"handler": "ship"},
        "summary": "The handler ship has given up on events.",
        "description": "Look at the letters by cause; repair the handler, then retry them.",
        "since": "",
        "runbook_url": "https://docs.example.com/runbook.md#yizhandeadletters",
    }
    assert fired == [("firing", "YizhanDeadLetters")]
    assert in_between == []
    assert endpoint.said() == [("resolved", "YizhanDeadLetters")]


async def test_what_the_endpoint_does_not_take_is_posted_later_by_whoever_is_there(
    place: Place, endpoint: Endpoint
) -> None:
    endpoint.status = 503
    first = place.process()
    await place.look(first)
    place.letters += 1
    await place.look(first)
    endpoint.status = 204
    await place.look(place.process(), minutes=5)

    assert [name for name, _ in endpoint.taken] == endpoint.refused
    assert endpoint.said() == [("firing", "YizhanDeadLetters")]


async def test_what_the_endpoint_refuses_for_good_does_not_hold_back_what_comes_later(
    place: Place, endpoint: Endpoint
) -> None:
    process = place.process()
    await place.look(process)
    tried = []
    for endpoint.status in (429, 400):
        place.letters += 1
        await place.look(process)
        tried.append(len(endpoint.refused))
    endpoint.status = 204
    place.last_tries = 1
    await place.look(process)

    assert tried == [1, 2]
    assert len(set(endpoint.refused)) == 1  # 429: tried again
    assert endpoint.said() == [("firing", "YizhanLastTry")]


async def test_an_alert_of_a_source_says_what_is_known_of_it(
    place: Place, endpoint: Endpoint
) -> None:
    process = place.process()
    await place.look(process)
    place.last_tries = 1
    await place.look(process)

    ((_, body),) = endpoint.taken
    assert body["data"]["alert"] == "YizhanLastTry"
    assert body["data"]["explained"] == "Of shop nothing was ever stored."


async def test_the_one_that_posts_goes_on_without_nats(
    place: Place, endpoint: Endpoint, line: Line
) -> None:
    first, second = place.process(line), place.process()
    await place.look(first, second)
    line.is_cut = True
    place.collected = 0
    for _ in range(3):
        await place.look(first, minutes=1)
    without = endpoint.said()
    place.collected = 1
    line.is_cut = False
    await place.look(first, second, minutes=1)
    await place.look(first, second, minutes=1)

    assert without == [("firing", "YizhanNatsAway")]
    assert endpoint.said() == [("resolved", "YizhanNatsAway")]


async def test_one_that_was_cut_off_takes_over_what_the_one_in_its_place_has_kept(
    place: Place, endpoint: Endpoint, line: Line
) -> None:
    first, second = place.process(line), place.process()
    await place.look(first, second)
    line.is_cut = True
    await place.look(first)
    place.letters += 1
    await place.look(second, minutes=2)
    apart = endpoint.said()
    line.is_cut = False
    await place.look(first, second)
    place.last_tries = 1
    await place.look(first, second)

    assert apart == [("firing", "YizhanDeadLetters")]
    assert endpoint.said() == [("firing", "YizhanLastTry")]
