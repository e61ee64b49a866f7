"""Every answer to a delivery, over a real uvicorn and a real nats-server (docs/bad-input.md)."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import httpx2
import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from receiver.bus.codec import decode_event
from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import OnResult, Submitter
from receiver.bus.subjects import Subjects
from receiver.dialects import DIALECTS
from receiver.errors import BusError
from receiver.ingest.intake import Intake
from receiver.ingest.sources import Sources
from receiver.observability.counters import DeliveryCounts
from receiver.settings import SourceSettings
from receiver.settings.networks import Network
from receiver.signatures import xport_signature
from receiver.web.app import create_app
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.health import HealthEndpoints
from receiver.web.server import bind, serving
from tests.subscribed import subscribed

MAX_BYTES = 1024 * 1024
KEY, SECRET, OLD_SECRET, TOKEN = "key-1", "secret-new", "secret-old", "t" * 32
ORDER_ID = "2745812000123456789"


def source(name: str, verification: str, **values: Any) -> SourceSettings:
    return SourceSettings.model_validate(
        {"name": name, "dialect": "xport", "verification": verification} | values
    )


SIGNED = {"access_key": KEY, "secrets": [SECRET, OLD_SECRET]}
SOURCES = (
    source("signed", "signature", **SIGNED),
    source("token", "path_token", path_token=TOKEN),
    source("both", "both", path_token=TOKEN, **SIGNED),
    source("open", "none"),
    source("inside", "none", allow_networks=["10.0.0.0/8"]),
    source("marking", "signature", replay_check="mark", **SIGNED),
    source("trusting", "signature", replay_check="off", **SIGNED),
)


def paid(order_id: str = ORDER_ID, pushed_at: str = "1700000000000") -> bytes:
    inner: dict[str, object] = {"orderId": order_id, "orderStatus": "WAITING_FOR_SENT"}
    inner |= {"totalAmount": 1200, "payTime": "2026-01-31 08:00:00"}
    envelope = {"messageType": "ORDER_PAY_SUCCESS", "messagePlatform": 1, "timestamp": pushed_at}
    return json.dumps(envelope | {"messageBody": json.dumps(inner)}).encode()


def signed_headers(secret: str = SECRET, **replaced: str) -> dict[str, str]:
    timestamp = replaced.get("timestamp", str(int(time.time() * 1000)))
    nonce = replaced.pop("nonce-str", secrets.token_hex(16))
    return {
        "content-type": "application/json",
        "access-key": KEY,
        "timestamp": timestamp,
        "nonce-str": nonce,
        "user-id": "1",
        "signature": xport_signature(KEY, timestamp, nonce, secret),
    } | replaced


@dataclass
class Stack:
    """A running receiver and what to look at behind it."""

    http: httpx2.AsyncClient
    counts: DeliveryCounts
    connection: Connection
    subjects: Subjects

    async def stored(self) -> list[Any]:
        info = await self.connection.jetstream.stream_info(self.subjects.stream)
        messages = [
            await self.connection.jetstream.get_msg(self.subjects.stream, seq)
            for seq in range(1, info.state.last_seq + 1)
        ]
        nonces = f"{self.subjects.root}.nonces."
        return [message for message in messages if not str(message.subject).startswith(nonces)]


async def serve_stack(
    publisher: Submitter,
    connection: Connection,
    subjects: Subjects,
    *,
    fast_path: bool = True,
    sources: Sequence[SourceSettings] = SOURCES,
    trusted: Sequence[Network] = (ip_network("127.0.0.0/8"),),
) -> AsyncIterator[Stack]:
    counts = DeliveryCounts()
    endpoint = CallbackEndpoint(
        Intake(publisher, subjects, DIALECTS),
        Sources(sources),
        limit_bytes=MAX_BYTES,
        trusted_proxies=trusted,
        counts=counts,
    )
    app = create_app(endpoint, HealthEndpoints(connection.probe))
    async with (
        serving(app, bind("127.0.0.1", 0), fast_path=endpoint if fast_path else None) as url,
        httpx2.AsyncClient(base_url=url) as http,
    ):
        yield Stack(http, counts, connection, subjects)


@pytest.fixture(params=[True, False], ids=["fast_path", "asgi"])
async def stack(
    publisher: Submitter,
    connection: Connection,
    subjects: Subjects,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Stack]:
    async for running in serve_stack(publisher, connection, subjects, fast_path=request.param):
        yield running


async def test_a_signed_callback_is_stored_raw_and_as_its_event(stack: Stack) -> None:
    body = paid()
    answer = await stack.http.post("/callbacks/signed", content=body, headers=signed_headers())
    assert answer.status_code == 200
    raw, event = await stack.stored()
    assert raw.data == body
    assert raw.subject == f"{stack.subjects.root}.callbacks.signed"
    assert raw.headers["yizhan-trust"] == "headers"
    assert event.subject == f"{stack.subjects.root}.events.1688.payment.succeeded.{ORDER_ID}"
    decoded = decode_event(event.headers, event.data)
    assert decoded.id == f"{answer.json()['callback_id']}.0"
    assert decoded.data.order_id == ORDER_ID
    assert json.loads(event.data)["amounts"]["total"] == {"amount": "12.00", "currency": "CNY"}


async def test_a_sender_that_offers_http2_is_heard_as_any_other(stack: Stack) -> None:
    """Java's client does so with every request that goes without TLS."""
    offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAEA"}
    headers = signed_headers() | offer
    answer = await stack.http.post("/callbacks/signed", content=paid(), headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "stored")
    assert (await stack.stored())[0].data == paid()


async def test_the_same_callback_again_gets_200_and_stores_nothing(stack: Stack) -> None:
    first = await stack.http.post("/callbacks/signed", content=paid(), headers=signed_headers())
    again = await stack.http.post("/callbacks/signed", content=paid(), headers=signed_headers())
    assert (first.json()["status"], again.json()["status"]) == ("stored", "duplicate")
    assert first.json()["callback_id"] == again.json()["callback_id"]
    assert len(await stack.stored()) == 2


async def test_every_configured_secret_is_accepted(stack: Stack) -> None:
    headers = signed_headers(OLD_SECRET)
    answer = await stack.http.post("/callbacks/signed", content=paid(), headers=headers)
    assert answer.status_code == 200
    assert (await stack.stored())[0].headers["yizhan-secretindex"] == "1"


NOW_S = str(int(time.time()))
BAD_CREDENTIALS: Mapping[str, tuple[str, dict[str, str], str]] = {
    "changed signature": ("/callbacks/signed", {"signature": "0" * 32}, "bad_signature"),
    "short signature": ("/callbacks/signed", {"signature": "AB"}, "bad_signature"),
    "letters as time": ("/callbacks/signed", {"timestamp": "yesterday"}, "bad_timestamp"),
    "time of 1970": ("/callbacks/signed", {"timestamp": "1000000000"}, "stale_timestamp"),
    "nanoseconds": ("/callbacks/signed", {"timestamp": NOW_S + "0" * 9}, "bad_timestamp"),
    "another key": ("/callbacks/signed", {"access-key": "key-2"}, "bad_access_key"),
    "hostile bytes": ("/callbacks/signed", {"signature": "\xff" * 32}, "hostile_header"),
    "no signature": ("/callbacks/signed", {"signature": ""}, "missing_signature"),
    "no token": ("/callbacks/token", {}, "missing_path_token"),
    "bad token": ("/callbacks/token/" + "x" * 32, {}, "bad_path_token"),
    "signature without token": ("/callbacks/both", {}, "missing_path_token"),
    "token without signature": (f"/callbacks/both/{TOKEN}", {"signature": ""}, "missing_signature"),
}


@pytest.mark.parametrize("case", BAD_CREDENTIALS)
async def test_bad_credentials_get_a_constant_401(stack: Stack, case: str) -> None:
    path, replaced, reason = BAD_CREDENTIALS[case]
    headers = [
        (name.encode(), value.encode("latin-1"))
        for name, value in signed_headers(**replaced).items()
    ]
    answer = await stack.http.post(path, content=paid(), headers=headers)
    assert (answer.status_code, answer.content) == (401, b'{"error":"unauthorized"}')
    assert stack.counts.read() == {reason: 1}
    assert await stack.stored() == []


async def test_seconds_and_milliseconds_are_accepted(stack: Stack) -> None:
    headers = signed_headers(timestamp=str(int(time.time())))
    answer = await stack.http.post("/callbacks/signed", content=paid(), headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("path", [f"/callbacks/token/{TOKEN}", "/callbacks/open"])
async def test_a_source_without_signature_takes_a_plain_post(stack: Stack, path: str) -> None:
    assert (await stack.http.post(path, content=paid())).status_code == 200
    assert len(await stack.stored()) == 2


@pytest.mark.parametrize("path", ["/callbacks/signed", f"/callbacks/token/{TOKEN}"])
@pytest.mark.parametrize(
    ("method", "content"),
    [("GET", None), ("HEAD", None), ("POST", b""), ("POST", b"{}"), ("POST", b" { }\n")],
)
async def test_a_console_check_gets_200_and_stores_nothing(
    stack: Stack, path: str, method: str, content: bytes | None
) -> None:
    answer = await stack.http.request(method, path, content=content)
    assert answer.status_code == 200
    assert stack.counts.read() == {"checked": 1}
    assert await stack.stored() == []


async def test_a_console_check_of_a_mistyped_secret_url_gets_401(stack: Stack) -> None:
    assert (await stack.http.get("/callbacks/token/" + "x" * 32)).status_code == 401


QUARANTINED = {
    "not JSON": b"order paid!",
    "an array": b"[1,2]",
    "no envelope": b'{"hello":"world"}',
    "10,000 levels": b'{"messageType":"X","messageBody":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "body not JSON": b'{"messageType":"ORDER_CREATE","messageBody":"{oops"}',
    "no order id": b'{"messageType":"ORDER_CREATE","messageBody":{}}',
    "an order id of 10 kB": paid("9" * 10_000),
}


@pytest.mark.parametrize("case", QUARANTINED)
async def test_a_verified_callback_that_cannot_be_read_is_quarantined(
    stack: Stack, case: str
) -> None:
    body = QUARANTINED[case]
    answer = await stack.http.post("/callbacks/signed", content=body, headers=signed_headers())
    assert answer.status_code == 200
    (kept,) = await stack.stored()
    assert kept.data == body
    assert kept.subject == f"{stack.subjects.root}.quarantine.signed"
    assert kept.headers["yizhan-reason"]
    assert kept.headers["yizhan-place"]


@pytest.mark.parametrize("case", QUARANTINED)
async def test_an_unparseable_body_without_verification_gets_400(stack: Stack, case: str) -> None:
    answer = await stack.http.post("/callbacks/open", content=QUARANTINED[case])
    assert answer.status_code == 400
    assert await stack.stored() == []


async def test_a_type_nobody_knows_is_kept_as_unknown_received(stack: Stack) -> None:
    body = b'{"messageType":"TOMORROW","messageBody":{"orderId":2745812000123456789}}'
    answer = await stack.http.post("/callbacks/signed", content=body, headers=signed_headers())
    assert answer.status_code == 200
    event = (await stack.stored())[1]
    assert event.subject.endswith(f".events.unknown.unknown.received.{ORDER_ID}")


@pytest.mark.parametrize("order_id", ["a.b", "*", ">", "two words", "中文", "a\tb\x00", "_"])
async def test_an_odd_order_id_is_one_token_of_the_subject(stack: Stack, order_id: str) -> None:
    body = paid(order_id)
    answer = await stack.http.post("/callbacks/signed", content=body, headers=signed_headers())
    assert answer.status_code == 200
    event = (await stack.stored())[1]
    assert len(event.subject.split(".")) == 6
    assert decode_event(event.headers, event.data).order_id == order_id


async def test_an_unknown_source_gets_404(stack: Stack) -> None:
    assert (await stack.http.post("/callbacks/nobody", content=paid())).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_gets_405(stack: Stack, method: str) -> None:
    answer = await stack.http.request(method, "/callbacks/signed")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/html"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-encoding": "gzip"},
    ],
)
async def test_another_kind_of_content_gets_415_where_it_is_not_signed(
    stack: Stack, headers: dict[str, str]
) -> None:
    unsigned = signed_headers() | {"signature": "0" * 32} | headers
    answer = await stack.http.post("/callbacks/signed", content=paid(), headers=unsigned)
    assert answer.status_code == 415


async def _chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536):
        yield b"x" * 65536


@pytest.mark.parametrize("announced", [True, False])
async def test_two_mebibytes_get_413_with_and_without_content_length(
    stack: Stack, announced: bool
) -> None:
    size = 2 * MAX_BYTES
    content = b"x" * size if announced else _chunks(size)
    answer = await stack.http.post("/callbacks/open", content=content)
    assert answer.status_code == 413
    assert (await stack.http.get("/healthz")).status_code == 200


@dataclass
class BrokenPublisher:
    """A log that takes nothing."""

    asked: list[OutgoingMessage] = field(default_factory=list)

    def submit(
        self, messages: Sequence[OutgoingMessage], claim: OutgoingMessage | None, done: OnResult
    ) -> None:
        self.asked.extend(messages)
        done(BusError("no acknowledgement in time"))

    def used_by(self, claim: OutgoingMessage) -> bytes | None:
        return None


@pytest.mark.parametrize("fast_path", [True, False])
async def test_a_publish_failure_answers_503(
    connection: Connection, subjects: Subjects, fast_path: bool
) -> None:
    async for stack in serve_stack(BrokenPublisher(), connection, subjects, fast_path=fast_path):
        answer = await stack.http.post("/callbacks/open", content=paid())
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0


class DefectivePublisher:
    """A defect of ours, at once or when the answer comes."""

    def __init__(self, *, late: bool) -> None:
        self._late = late

    def submit(
        self, messages: Sequence[OutgoingMessage], claim: OutgoingMessage | None, done: OnResult
    ) -> None:
        if not self._late:
            raise LookupError("a bug")
        asyncio.get_running_loop().call_soon(done, [object()])  # type: ignore[arg-type]

    def used_by(self, claim: OutgoingMessage) -> bytes | None:
        return None


@pytest.mark.parametrize("fast_path", [True, False])
@pytest.mark.parametrize("late", [True, False])
async def test_a_defect_answers_500_and_the_process_lives_on(
    connection: Connection, subjects: Subjects, fast_path: bool, late: bool
) -> None:
    async for stack in serve_stack(
        DefectivePublisher(late=late), connection, subjects, fast_path=fast_path
    ):
        answer = await stack.http.post("/callbacks/open", content=paid())
        assert (answer.status_code, answer.content) == (500, b'{"error":"internal"}')
        assert (await stack.http.get("/healthz")).status_code == 200


async def test_a_sender_that_hangs_up_leaves_the_write_alone(stack: Stack, client: Client) -> None:
    events = await client.subscribe(stack.subjects.all_events)
    await subscribed(client)
    url = stack.http.base_url
    _, writer = await asyncio.open_connection(url.host, url.port)
    body = paid()
    head = f"POST /callbacks/open HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    writer.transport.abort()
    await events.next_msg(timeout=60)
    raw, _ = await stack.stored()
    assert raw.data == body


async def test_half_a_body_stores_nothing(stack: Stack) -> None:
    url = stack.http.base_url
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST /callbacks/open HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(60):
        while not stack.counts.read().get("gone"):
            await asyncio.sleep(0.01)
    assert await stack.stored() == []


async def test_a_signature_seen_with_another_body_is_a_forgery(stack: Stack) -> None:
    headers = signed_headers()
    first = await stack.http.post("/callbacks/signed", content=paid(), headers=headers)
    forged = await stack.http.post("/callbacks/signed", content=paid("666"), headers=headers)
    again = await stack.http.post("/callbacks/signed", content=paid(), headers=headers)
    assert [a.status_code for a in (first, forged, again)] == [200, 401, 200]
    assert stack.counts.read() == {"stored": 1, "replayed_signature": 1, "duplicate": 1}
    assert len(await stack.stored()) == 2


async def test_a_replay_with_digits_moved_between_timestamp_and_nonce_is_refused(
    stack: Stack,
) -> None:
    headers = signed_headers()
    await stack.http.post("/callbacks/signed", content=paid(), headers=headers)
    timestamp, nonce = headers["timestamp"], headers["nonce-str"]
    moved = headers | {"timestamp": timestamp[:10], "nonce-str": timestamp[10:] + nonce}
    forged = await stack.http.post("/callbacks/signed", content=paid("666"), headers=moved)
    assert forged.status_code == 401
    assert len(await stack.stored()) == 2


async def test_a_replay_can_be_marked_instead(stack: Stack) -> None:
    headers = signed_headers()
    first = await stack.http.post("/callbacks/marking", content=paid(), headers=headers)
    again = await stack.http.post("/callbacks/marking", content=paid("666"), headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    events = [m for m in await stack.stored() if ".events." in m.subject]
    assert [m.headers.get("ce-replayof") for m in events] == [None, first.json()["callback_id"]]


async def test_the_replay_check_can_be_off(stack: Stack) -> None:
    headers = signed_headers()
    for order_id in ("1", "2"):
        body = paid(order_id)
        answer = await stack.http.post("/callbacks/trusting", content=body, headers=headers)
        assert answer.status_code == 200
    assert len(await stack.stored()) == 4


async def test_a_source_takes_deliveries_from_its_networks_only(stack: Stack) -> None:
    refused = await stack.http.post("/callbacks/inside", content=paid())
    forwarded = {"x-forwarded-for": "203.0.113.9, 10.1.2.3"}
    accepted = await stack.http.post("/callbacks/inside", content=paid(), headers=forwarded)
    assert (refused.status_code, accepted.status_code) == (401, 200)
    assert (await stack.stored())[0].headers["yizhan-client"] == "10.1.2.3"


async def test_a_sender_without_nonces_is_not_refused(stack: Stack) -> None:
    headers = signed_headers(**{"nonce-str": "short"})
    for order_id in ("1", "2"):
        body = paid(order_id)
        answer = await stack.http.post("/callbacks/signed", content=body, headers=headers)
        assert answer.status_code == 200


async def test_the_same_words_under_another_push_time_are_a_retransmission(stack: Stack) -> None:
    for pushed_at in ("1700000000000", "1700001800000"):
        body = paid(pushed_at=pushed_at)
        await stack.http.post("/callbacks/signed", content=body, headers=signed_headers())
    raw, event, _, again = await stack.stored()
    assert "ce-retransmissionof" not in event.headers
    assert again.headers["ce-retransmissionof"] == raw.headers["yizhan-callbackid"]
    assert stack.counts.read() == {"stored": 1, "retransmission": 1}
    *ages, total = stack.counts.figures().histograms["yizhan_push_age_seconds", "signed"]
    assert (sum(ages), ages[-1]) == (1, 1)  # the first push alone
    assert total > 3600


async def test_a_log_line_tells_the_reason_and_no_secret(stack: Stack) -> None:
    with capture_logs() as lines:
        await stack.http.post("/callbacks/signed", content=paid(), headers=signed_headers("wrong"))
        await stack.http.post(f"/callbacks/token/{TOKEN}", content=paid())
    text = json.dumps(lines)
    assert [line["event"] for line in lines] == ["delivery_rejected", "callback_stored"]
    assert lines[0]["reason"] == "bad_signature"
    assert lines[1]["order_id"] == ORDER_ID
    for secret in (SECRET, OLD_SECRET, TOKEN):
        assert secret not in text


async def test_readyz_reports_whether_a_message_can_be_stored(stack: Stack) -> None:
    assert (await stack.http.get("/readyz")).status_code == 200
