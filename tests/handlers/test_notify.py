"""Forwarding events to a real HTTP endpoint, verified by the library of Standard Webhooks."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import runpy
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from handlers.notify import NotifySettings, gone, router
from receiver.operations.handlers import HandlerOperations
from receiver.simulator.serving import served
from receiver.testing import HandlerRun, eventually, make_event, run_handler
from receiver.worker.outcomes import NakWithDelay
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler
from schemas.events import EventData, OrderCreated, OrderSynced, PaymentSucceeded
from tests.worker.conftest import Bench, bench

__all__ = ["bench"]

OLD, NEW = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2))
CREATED = OrderCreated(channel="1688", order_id="2745812000123456789")
PATH = "/hooks/url-token"
EXAMPLE = Path(__file__).parents[2] / "examples" / "webhook_endpoint.py"


@dataclass
class Endpoint:
    """Takes what is posted, and answers with `statuses` in turn, the last one ever after."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    endless: bool = False
    silent: bool = False
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    clients: list[tuple[str, int]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.taken.append((dict(request.headers), await request.body()))
        self.paths.append(scope["path"])
        self.clients.append(scope["client"])
        if self.silent:
            await receive()  # until the client is gone
            return
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        while self.endless:
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})

    def settings(self, **changed: Any) -> NotifySettings:
        return NotifySettings(**{"url": self.url, "secret": OLD} | changed)

    def handler(self, **changed: Any) -> Handler:
        """Of a worker: with its settings, and retries that a test can wait for."""
        (handler,) = router.handlers
        policy = RetryPolicy(max_attempts=3, delays_s=(0.1,), jitter=lambda: 0.0)
        options = replace(handler.options, retry=policy)
        return replace(handler, settings=self.settings(**changed), options=options)

    async def run(
        self,
        data: EventData = CREATED,
        *,
        attempt: int = 1,
        simulated: bool = False,
        **changed: Any,
    ) -> HandlerRun:
        event = make_event(data, simulated=simulated)
        settings = self.settings(**changed)
        return await run_handler(router.handlers[0], event, settings=settings, attempt=attempt)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    async with served(made) as url:
        made.url = f"{url}{PATH}?key=query-token"
        yield made
        gone.clear()


async def test_an_event_of_the_stream_is_posted_and_verified(
    bench: Bench, endpoint: Endpoint
) -> None:
    handler = endpoint.handler()
    (event,) = await bench.store(CREATED)
    await bench.work(handler)
    await bench.handled(handler)
    ((headers, body),) = endpoint.taken
    posted = Webhook(OLD).verify(body, headers)
    assert headers["webhook-id"] == event.fact_id
    assert headers["content-type"] == "application/json"
    assert (posted["id"], posted["factid"]) == (event.id, event.fact_id)
    assert (posted["type"], posted["specversion"]) == ("yizhan.order.created.v1", "1.0")
    assert (posted["channel"], posted["subject"]) == ("1688", CREATED.order_id)
    assert posted["timestamp"] == posted["time"] == event.time.isoformat()
    assert OrderCreated.model_validate(posted["data"]) == CREATED


async def test_a_failed_delivery_is_repeated_under_its_id(bench: Bench, endpoint: Endpoint) -> None:
    endpoint.statuses = [500, 503, 200]
    handler = endpoint.handler()
    (event,) = await bench.store(CREATED)
    await bench.work(handler)
    await bench.handled(handler)
    assert [headers["webhook-id"] for headers, _ in endpoint.taken] == [event.fact_id] * 3
    assert len({body for _, body in endpoint.taken}) == 1
    assert await bench.dead() == []


async def test_what_the_endpoint_never_takes_becomes_a_dead_letter_without_secrets(
    bench: Bench, endpoint: Endpoint
) -> None:
    endpoint.statuses = [404]
    handler = endpoint.handler(headers={"authorization": "Bearer header-token"})
    await bench.store(CREATED)
    await bench.work(handler)
    await bench.handled(handler)
    (letter,) = await bench.dead()
    assert letter["yizhan-reason"] == "EndpointError: 127.0.0.1 answered 404"
    assert [headers["authorization"] for headers, _ in endpoint.taken] == [
        "Bearer header-token"
    ] * 3
    for secret in ("url-token", "query-token", "header-token", OLD):
        assert secret not in str(letter)


async def test_two_reports_of_one_fact_are_one_message(endpoint: Endpoint) -> None:
    for number in range(2):
        event = replace(make_event(CREATED), id=f"callback-{number}.0")
        await run_handler(router.handlers[0], event, settings=endpoint.settings())
    first, second = (headers["webhook-id"] for headers, _ in endpoint.taken)
    assert first == second
    assert re.fullmatch("[0-9a-f]{32}", first)


async def test_while_a_secret_is_exchanged_both_verify(endpoint: Endpoint) -> None:
    await endpoint.run(secret=f"{NEW} {OLD}")
    ((headers, body),) = endpoint.taken
    posted = [Webhook(secret).verify(body, headers)["type"] for secret in (OLD, NEW)]
    assert posted == ["yizhan.order.created.v1"] * 2


async def test_headers_of_the_settings_are_sent_and_may_name_the_content_type(
    endpoint: Endpoint,
) -> None:
    kind = "application/cloudevents+json"
    await endpoint.run(headers={"Content-Type": kind, "X-Desk": "7"})
    ((headers, body),) = endpoint.taken
    assert (headers["content-type"], headers["x-desk"]) == (kind, "7")
    assert Webhook(OLD).verify(body, headers)


@pytest.mark.parametrize("simulated", [False, True])
async def test_an_invented_event_is_sent_only_where_that_is_wished(
    endpoint: Endpoint, *, simulated: bool
) -> None:
    ran = [
        await endpoint.run(simulated=simulated),
        await endpoint.run(simulated=simulated, include_simulated=True),
    ]
    assert [run.outcome for run in ran] == ["done", "done"]
    assert len(endpoint.taken) == (1 if simulated else 2)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "done"),
        (204, "done"),
        (299, "done"),
        (301, "retried"),
        (307, "retried"),
        (400, "retried"),
        (404, "retried"),
        (410, "dropped"),
        (429, "retried"),
        (500, "retried"),
        (504, "retried"),
    ],
)
async def test_the_status_decides(endpoint: Endpoint, status: int, outcome: str) -> None:
    endpoint.statuses, endpoint.headers = [status], {"location": "/elsewhere"}
    ran = await endpoint.run()
    assert ran.outcome == outcome
    assert endpoint.paths == [PATH]  # no redirect is followed


async def test_an_endpoint_that_is_gone_gets_no_more_events(endpoint: Endpoint) -> None:
    endpoint.statuses = [410]
    ran, next_one = await endpoint.run(), await endpoint.run()
    assert "127.0.0.1 answered 410: it wants no more events: switch notify off" in ran.error
    assert [(line["event"], line["level"]) for line in ran.logs] == [
        ("notify_endpoint_gone", "error")
    ]
    assert "the endpoint answered 410 before: switch notify off" in next_one.error
    assert (next_one.outcome, endpoint.paths) == ("dropped", [PATH])


async def test_the_last_attempt_ends_in_a_dead_letter(endpoint: Endpoint) -> None:
    endpoint.statuses = [500]
    ran = await endpoint.run(attempt=10)
    assert ran.outcome == "dead_lettered"


@pytest.mark.parametrize(
    ("wish", "attempt", "outcome", "least", "most"),
    [
        ("7", 1, "postponed", 7, 7),
        ("999999999", 1, "postponed", 86_400, 86_400),
        ("in-30-minutes", 1, "postponed", 1500, 1800),
        ("soon", 1, "retried", 5, 7),
        ("7", 11, "dead_lettered", 0, 0),
    ],
)
async def test_retry_after_is_kept_to_for_a_while(
    endpoint: Endpoint, wish: str, attempt: int, outcome: str, least: int, most: int
) -> None:
    until = datetime.now(UTC) + timedelta(minutes=30)
    said = format_datetime(until, usegmt=True) if wish == "in-30-minutes" else wish
    endpoint.statuses, endpoint.headers = [503], {"retry-after": said}
    ran = await endpoint.run(attempt=attempt)
    assert ran.outcome == outcome
    delay_s = ran.decision.delay_s if isinstance(ran.decision, NakWithDelay) else 0
    assert least <= delay_s <= most


async def test_no_answer_in_time_is_a_failure(endpoint: Endpoint) -> None:
    endpoint.silent = True
    ran = await endpoint.run(timeout_s=0.2)
    assert (ran.outcome, ran.error) == (
        "retried",
        "EndpointError: 127.0.0.1: no answer within 0.2 s",
    )


async def test_an_endpoint_that_is_away_is_a_failure_without_the_url() -> None:
    own = NotifySettings(url=f"http://127.0.0.1:9{PATH}", secret=SecretStr(OLD))
    ran = await run_handler(router.handlers[0], make_event(CREATED), settings=own)
    error = "EndpointError: 127.0.0.1: no answer (ConnectError)"
    assert (ran.outcome, ran.error) == ("retried", error)


async def test_an_endless_answer_is_not_read_to_its_end(endpoint: Endpoint) -> None:
    endpoint.endless = True
    assert (await endpoint.run()).outcome == "done"


async def test_one_connection_is_used_again_and_closed_at_the_stop(bench: Bench) -> None:
    opened, closed = [], asyncio.Event()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                await reader.readexactly(int(length[1]) if length else 0)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        writer.close()
        closed.set()

    async with await asyncio.start_server(on_connection, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        handler = Endpoint(url=f"http://127.0.0.1:{port}").handler()
        await bench.store(*(OrderCreated(channel="1688", order_id="1") for _ in range(3)))
        worker = await bench.work(handler)
        await bench.handled(handler)
        assert len(opened) == 1
        await worker.stop()
        await closed.wait()


async def test_a_paused_notify_sends_what_waited_once_it_is_resumed(
    bench: Bench, endpoint: Endpoint
) -> None:
    handler = endpoint.handler()
    operating = HandlerOperations(
        bench.connection, bench.subjects, [handler], kept=timedelta(days=90)
    )
    await bench.store(CREATED)
    await bench.work(handler)
    await bench.handled(handler)
    await operating.pause("notify", reason="repairs", by="root@desk", now=datetime.now(UTC))
    await bench.store(PaymentSucceeded(channel="1688", order_id="2"))
    (view,) = await operating.look()
    assert view.durable is not None
    assert (view.durable.pending, len(endpoint.taken)) == (1, 1)
    await operating.resume("notify", by="ann")
    await eventually(lambda: len(endpoint.taken) == 2, within_s=60)


async def test_what_handlers_make_is_forwarded_too(endpoint: Endpoint) -> None:
    synced = OrderSynced(channel="taobao", order_id="5")
    assert (await endpoint.run(synced)).outcome == "done"
    ((headers, body),) = endpoint.taken
    assert Webhook(OLD).verify(body, headers)["type"] == "yizhan.order.synced.v1"


async def test_the_example_of_an_endpoint_does_a_fact_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", OLD)
    app = runpy.run_path(str(EXAMPLE))["app"]
    async with served(app) as url:
        ran = [
            await Endpoint(url=f"{url}/").run(secret=secret)
            for secret in (f"{NEW} {OLD}", OLD, NEW)
        ]
    assert [run.outcome for run in ran] == ["done", "done", "retried"]
    lines = capsys.readouterr().out.splitlines()
    assert lines.count(f"yizhan.order.created.v1 {CREATED.order_id}") == 1


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"url": "desk.example/hook"}, "write a URL with http or https and a host"),
        ({"url": "ftp://desk.example"}, "write a URL with http or https and a host"),
        ({"url": "https://me:pw@desk.example"}, "credentials go into headers"),
        ({"secret": None}, "add a secret"),
        ({"secret": "plain-password"}, "the base64 of 24 to 64 bytes"),
        ({"secret": "whsec_c2hvcnQ="}, "the base64 of 24 to 64 bytes"),
        ({"secret": f"{OLD} whsec_%%%"}, "the base64 of 24 to 64 bytes"),
        ({"secret": " "}, "the base64 of 24 to 64 bytes"),
        ({"timeout_s": 61}, "less than or equal to 60"),
        ({"headers": {"Webhook-Id": "1"}}, "Webhook-Id is not yours to set"),
        ({"headers": {"Host": "other"}}, "Host is not yours to set"),
        ({"headers": {"x-token": "a\r\nb: c"}}, "names and values of HTTP headers"),
        ({"headers": {"x token": "a"}}, "names and values of HTTP headers"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Endpoint(url="https://desk.example/hook").settings(**changed)


def test_no_secret_is_shown_by_the_settings() -> None:
    own = Endpoint(url=f"https://desk.example{PATH}").settings(headers={"x-token": "header-token"})
    for secret in ("url-token", "header-token", OLD):
        assert secret not in repr(own)
