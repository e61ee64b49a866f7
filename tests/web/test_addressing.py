"""URLs and addresses as senders and proxies write them, and what the log says where they fail."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from receiver.bus.connection import Connection
from receiver.bus.publish.contract import Submitter
from receiver.bus.subjects import Subjects
from receiver.settings import load_settings
from tests.web.raw import Sender
from tests.web.test_callbacks import SIGNED, Stack, paid, serve_stack, signed_headers, source

CASES = Path(__file__).parents[1] / "fixtures/cases"
TOKEN = "Ab/cd+ef0123456789=="
INSIDE = {"allow_networks": ["10.0.0.0/8"]}


@pytest.fixture(params=[True, False], ids=["fast_path", "asgi"])
async def stack(
    publisher: Submitter,
    connection: Connection,
    subjects: Subjects,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Stack]:
    settings = load_settings(CASES / "29-path-token-with-slash/settings.toml")
    sources = [
        *settings.sources,
        source("signed", "signature", **SIGNED),
        source("inside", "none", **INSIDE),
        source("淘宝-1", "none"),
    ]
    async for running in serve_stack(
        publisher, connection, subjects, fast_path=request.param, sources=sources
    ):
        yield running


async def say(stack: Stack, request: bytes) -> tuple[int, bytes]:
    """The answer to raw bytes: a client would change the path."""
    url = stack.http.base_url
    sender = Sender(*await asyncio.open_connection(url.host, url.port))
    await sender.say(request)
    status, _, body = await sender.hear()
    await sender.close()
    return status, body


def to(path: str, body: bytes) -> bytes:
    return b"POST %b HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (path.encode(), len(body), body)


def named(lines: list[EventDict], event: str) -> list[EventDict]:
    return [line for line in lines if line["event"] == event]


@pytest.mark.parametrize(
    "path",
    [
        "/callbacks/tok/Ab/cd+ef0123456789==",
        "/callbacks/tok/Ab%2Fcd%2Bef0123456789%3D%3D",
        "/callbacks/tok/Ab%2fcd+ef0123456789%3d=",
        "/callbacks/tok/%41b/cd+ef0123456789==",
        "/callbacks/tok/Ab/cd+ef0123456789==/",
        "//callbacks//tok//Ab/cd+ef0123456789==",
        "/callbacks/tok/Ab/cd+ef0123456789==?from=console",
        "http://example.com/callbacks/tok/Ab/cd+ef0123456789==",
    ],
)
async def test_a_path_token_arrives_however_it_is_written(stack: Stack, path: str) -> None:
    assert (await say(stack, to(path, paid())))[0] == 200
    assert stack.counts.read() == {"stored": 1}


@pytest.mark.parametrize(
    "path",
    [
        "/callbacks/tok/Ab/cd ef0123456789==".replace(" ", "%20"),
        "/callbacks/tok/Ab%252Fcd+ef0123456789==",
        "/callbacks/tok/Abcd+ef0123456789==",
        "/callbacks/tok/ab/cd+ef0123456789==",
        "/callbacks/tok/Ab/cd+ef0123456789==/more",
        "/callbacks/tok/%FF",
    ],
)
async def test_another_token_gets_401_and_a_line_without_it(stack: Stack, path: str) -> None:
    with capture_logs() as lines:
        assert (await say(stack, to(path, paid())))[0] == 401
    assert stack.counts.read() == {"bad_path_token": 1}
    assert [line["reason"] for line in named(lines, "delivery_rejected")] == ["bad_path_token"]
    assert "0123456789" not in json.dumps(lines)
    assert "FF" not in json.dumps(lines)


@pytest.mark.parametrize(
    "path",
    [
        "/callbacks/%E6%B7%98%E5%AE%9D-1",
        "/callbacks/%E6%B7%98%E5%AE%9D%2D1/",
        "/callbacks//%e6%b7%98%e5%ae%9d-1",
    ],
)
async def test_a_source_is_found_under_its_percent_encoded_name(stack: Stack, path: str) -> None:
    assert (await say(stack, to(path, paid())))[0] == 200


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/callbacks/hush-hush", "unknown_source"),
        ("/callbacks/SIGNED", "unknown_source"),
        ("/callbacks/%FF%00/x", "unknown_source"),
        ("/callbacks/a%2Fb", "unknown_source"),
        ("/callbacks", "unknown_path"),
        ("/callbacks//", "unknown_path"),
        ("/hush-hush", "unknown_path"),
        ("/", "unknown_path"),
    ],
)
async def test_a_url_of_no_source_gets_404_a_line_and_a_count(
    stack: Stack, path: str, reason: str
) -> None:
    with capture_logs() as lines:
        assert (await say(stack, to(path, paid())))[0] == 404
    assert stack.counts.read() == {reason: 1}
    assert [line["reason"] for line in named(lines, "delivery_rejected")] == [reason]
    assert "hush" not in json.dumps(lines)


async def test_a_flood_of_unknown_sources_and_checks_writes_a_bounded_number_of_lines(
    stack: Stack,
) -> None:
    url, times = stack.http.base_url, 2_000
    sender = Sender(*await asyncio.open_connection(url.host, url.port))
    with capture_logs() as lines:
        check = b"GET /callbacks/signed HTTP/1.1\r\n\r\n"
        sender.flood((check + to("/callbacks/nobody", b"{}")) * times)
        for _ in range(2 * times):
            await sender.hear()
    await sender.close()
    assert stack.counts.read() == {"checked": times, "unknown_source": times}
    assert 1 <= len(named(lines, "console_checked")) < times / 2
    assert 1 <= len(named(lines, "delivery_rejected")) < times / 2


@pytest.mark.parametrize(
    "forwarded",
    [
        "10.1.2.3",
        "10.1.2.3:4711",
        '"10.1.2.3"',
        "::ffff:10.1.2.3",
        "[::ffff:10.1.2.3]:80",
        "x,10.1.2.3,",
    ],
)
async def test_a_proxy_may_write_an_address_in_many_ways(stack: Stack, forwarded: str) -> None:
    headers = {"x-forwarded-for": forwarded}
    answer = await stack.http.post("/callbacks/inside", content=paid(), headers=headers)
    assert answer.status_code == 200
    assert (await stack.stored())[0].headers["yizhan-client"] == "10.1.2.3"


@pytest.mark.parametrize(
    ("headers", "reason", "advice"),
    [
        ({"x-forwarded-for": "unknown"}, "forwarded_for_unreadable", "client_not_known"),
        ({"x-forwarded-for": "10.0.0.1, _x"}, "forwarded_for_unreadable", "client_not_known"),
        ({"forwarded": "for=10.1.2.3"}, "network_not_allowed", "forwarded_not_read"),
    ],
)
async def test_a_client_that_is_not_known_is_refused_and_the_log_says_what_to_change(
    stack: Stack, headers: dict[str, str], reason: str, advice: str
) -> None:
    with capture_logs() as lines:
        for _ in range(2):
            answer = await stack.http.post("/callbacks/inside", content=paid(), headers=headers)
            assert answer.status_code == 401
    assert stack.counts.read() == {reason: 2}
    assert [line["source"] for line in named(lines, advice)] == ["inside"]
    assert "10." not in json.dumps([line.get("advice") for line in lines])


async def test_a_peer_that_is_no_proxy_of_ours_is_not_believed_and_the_log_says_so(
    publisher: Submitter, connection: Connection, subjects: Subjects
) -> None:
    inside = [source("inside", "none", **INSIDE)]
    async for stack in serve_stack(publisher, connection, subjects, sources=inside, trusted=[]):
        with capture_logs() as lines:
            headers = {"x-forwarded-for": "10.1.2.3"}
            answer = await stack.http.post("/callbacks/inside", content=paid(), headers=headers)
        assert answer.status_code == 401
        assert [line["source"] for line in named(lines, "proxy_not_trusted")] == ["inside"]


async def test_a_trailer_does_not_say_whose_request_it_is(stack: Stack) -> None:
    head = b"POST /callbacks/inside HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    body = b"%x\r\n%b\r\n0\r\nx-forwarded-for: 10.1.2.3\r\n\r\n" % (len(paid()), paid())
    assert (await say(stack, head + body))[0] == 401
    assert await stack.stored() == []


async def test_an_unsigned_push_of_unknown_form_is_logged_once_with_what_to_set(
    stack: Stack,
) -> None:
    body = (CASES / "33-unsigned-verification-push/body.json").read_bytes()
    with capture_logs() as lines:
        for _ in range(3):
            assert (await stack.http.post("/callbacks/signed", content=body)).status_code == 401
    (line,) = named(lines, "unsigned_push")
    assert line["source"] == "signed"
    assert 'verification = "path_token"' in line["advice"]
    assert "verify_info" not in json.dumps(lines)


async def test_http_1_0_without_a_length_is_no_console_check(stack: Stack) -> None:
    head, _, body = (CASES / "28-signed-but-empty-is-200/b.http").read_bytes().partition(b"\n\n")
    lines = [line for line in head.split(b"\n")[1:] if not line.startswith(b"(")]
    signed = [f"{name}: {value}".encode() for name, value in signed_headers().items()]
    first = b"POST /callbacks/signed HTTP/1.0"
    request = b"\r\n".join([first, *lines, *signed, b"", body])
    assert (await say(stack, request))[0] == 400
    assert stack.counts.read() == {}
    assert await stack.stored() == []


async def test_a_half_closed_sender_is_answered(stack: Stack, tmp_path: Path) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in signed_headers().items())
    head = f"POST /callbacks/signed HTTP/1.1\r\n{lines}content-length: {len(paid())}\r\n\r\n"
    request = tmp_path / "request"
    request.write_bytes(head.encode() + paid())
    script = CASES / "27-half-closed-sender-gets-no-answer/half_close.py"
    sending = await asyncio.create_subprocess_exec(
        sys.executable,
        script,
        str(stack.http.base_url.port),
        request,
        stdout=asyncio.subprocess.PIPE,
    )
    heard, _ = await sending.communicate()
    assert b"HTTP/1.1 200 OK" in heard
    assert stack.counts.read() == {"stored": 1}
