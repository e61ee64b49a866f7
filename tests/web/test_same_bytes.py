"""The same bytes get the same answers, however they are cut and whichever way they go."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest

from receiver.bus.subjects import Subjects
from receiver.dialects import DIALECTS
from receiver.errors import DeliveryError
from receiver.ingest.intake import Intake
from receiver.ingest.sources import Sources
from receiver.observability.counters import DeliveryCounts
from receiver.settings import SourceSettings
from receiver.web import answers
from receiver.web.app import create_app
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.delivery import Delivery
from receiver.web.health import HealthEndpoints
from receiver.web.server import bind, serving
from tests.web.raw import Sender

MAX_BYTES = 1_000
SOURCE = SourceSettings(name="s", dialect="xport", verification="none")


class NoPublisher:
    """Nothing gets so far."""

    def submit(self, *_: object) -> None:
        raise AssertionError

    def used_by(self, _: object) -> None:
        raise AssertionError


class Mirror(CallbackEndpoint):
    """Answers with what a callback would be judged by."""

    def take(self, delivery: Delivery) -> None:
        try:
            self._admit(delivery)
        except DeliveryError as error:
            delivery.answer(error.status, answers.BODIES[error.status])
            return
        seen = (delivery.method, delivery.source_name, delivery.path_token)
        delivery.answer(200, repr((*seen, delivery.headers, delivery.body)).encode())


async def ready() -> None:
    """Always."""


@pytest.fixture(scope="module")
async def servers() -> AsyncIterator[list[str]]:
    """One that sends plain callbacks past ASGI and one that does not."""
    intake = Intake(NoPublisher(), Subjects("t"), DIALECTS)
    mirror = Mirror(intake, Sources([SOURCE]), limit_bytes=MAX_BYTES, counts=DeliveryCounts())
    app = create_app(mirror, HealthEndpoints(ready))
    async with (
        serving(app, bind("127.0.0.1", 0), fast_path=mirror) as first,
        serving(app, bind("127.0.0.1", 0)) as second,
    ):
        yield [first, second]


def post(body: bytes, *lines: bytes, target: bytes = b"/callbacks/s") -> bytes:
    """A POST with a Content-Length, and with more lines before it."""
    head = b"".join(line + b"\r\n" for line in lines)
    return b"POST %b HTTP/1.1\r\n%bcontent-length: %d\r\n\r\n%b" % (target, head, len(body), body)


def chunked(rest: bytes, *lines: bytes, version: bytes = b"1.1") -> bytes:
    """A POST in chunks; `rest` is what comes behind its head."""
    head = b"".join(line + b"\r\n" for line in (b"transfer-encoding: chunked", *lines))
    return b"POST /callbacks/s HTTP/%b\r\n%b\r\n%b" % (version, head, rest)


def sized(*values: bytes, body: bytes = b"{}") -> bytes:
    """A POST with these Content-Lengths."""
    lines = b"".join(b"content-length: %b\r\n" % value for value in values)
    return b"POST /callbacks/s HTTP/1.1\r\n%b\r\n%b" % (lines, body)


GOOD = post(b"{}", b"host: x")
TABLE: dict[str, tuple[bytes, list[int]]] = {
    "plain": (GOOD, [200]),
    "pipelined": (GOOD + post(b"\r\n\r\n") + post(b""), [200, 200, 200]),
    "both kinds pipelined": (GOOD + chunked(b"2\r\n{}\r\n0\r\n\r\n") + GOOD, [200, 200, 200]),
    "chunked": (chunked(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"), [200]),
    "empty lines in chunks": (
        chunked(b"4\r\n\r\n\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n") + GOOD,
        [200, 200],
    ),
    "chunk extension": (chunked(b'2;a=b;c="d"\r\n{}\r\n0;e\r\n\r\n') + GOOD, [200, 200]),
    "trailers": (
        chunked(b"2\r\n{}\r\n0\r\nx-forwarded-for: 10.1.2.3\r\nsignature: x\r\n\r\n") + GOOD,
        [200, 200],
    ),
    "trailers of framing": (
        chunked(b"2\r\n{}\r\n0\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n") + GOOD,
        [400],
    ),
    "many trailers": (chunked(b"0\r\n" + b"t: x\r\n" * 200 + b"\r\n"), [200]),
    "too large trailers": (chunked(b"0\r\nt: " + b"x" * 40_000 + b"\r\n\r\n"), [431]),
    "bad chunk size": (chunked(b"x\r\n{}\r\n0\r\n\r\n"), [400]),
    "huge chunk size": (chunked(b"f" * 17 + b"\r\n{}"), [400]),
    "chunk longer than it says": (chunked(b"1\r\n{}\r\n0\r\n\r\n"), [400]),
    "space behind a chunk size": (chunked(b"2 \r\n{}\r\n0\r\n\r\n"), [400]),
    "bare LF behind a chunk size": (chunked(b"2\n{}\r\n0\r\n\r\n"), [400]),
    "half a chunk": (chunked(b"2\r\n{"), []),
    "no last chunk": (chunked(b"2\r\n{}\r\n"), []),
    "unknown source in bad chunks": (
        chunked(b"2\r\n{}\r\nx").replace(b"/callbacks/s", b"/callbacks/x"),
        [400],
    ),
    "continue": (post(b"{}", b"expect: 100-continue"), [100, 200]),
    "other expectation": (post(b"{}", b"expect: something"), [200]),
    "negative length": (sized(b"-1"), [400]),
    "signed length": (sized(b"+2"), [400]),
    "length in letters": (sized(b"two"), [400]),
    "hexadecimal length": (sized(b"0x2"), [400]),
    "empty length": (sized(b""), [400]),
    "two numbers as length": (sized(b"2 2"), [400]),
    "list of lengths": (sized(b"2, 2"), [400]),
    "endless length": (sized(b"9" * 30), [400]),
    "length twice": (sized(b"2", b"2"), [400]),
    "two lengths": (sized(b"2", b"3"), [400]),
    "length with zeros": (sized(b"0002"), [200]),
    "too long a body": (post(b"x" * (MAX_BYTES + 1)), [413]),
    "far too long a body": (post(b"x" * MAX_BYTES * 20), [413]),
    "longest body": (post(b"x" * MAX_BYTES), [200]),
    "half a body": (GOOD[:-1], []),
    "half a head": (GOOD[:20], []),
    "whole and half": (GOOD + GOOD[:-1], [200]),
    "length and chunked": (chunked(b"0\r\n\r\n", b"content-length: 5"), [400]),
    "chunked and length": (post(b"{}", b"transfer-encoding: chunked"), [400]),
    "another coding": (post(b"", b"transfer-encoding: gzip")[:-21] + b"\r\n", [400]),
    "chunked not last": (chunked(b"0\r\n\r\n", b"transfer-encoding: gzip"), [400]),
    "folded header": (post(b"{}", b"x-a: 1", b" 2"), [400]),
    "space before colon": (post(b"{}", b"x-a : 1"), [400]),
    "no colon": (post(b"{}", b"x-a"), [400]),
    "NUL in a header": (post(b"{}", b"x-a: \0"), [400]),
    "bytes beyond ASCII in a header": (post(b"{}", b"x-a: \xe9"), [200]),
    "bare LF": (GOOD.replace(b"\r\n", b"\n"), [400]),
    "bare CR": (post(b"{}", b"x-a: 1\rx-b: 2"), [400]),
    "empty lines before": (b"\r\n\r\n\r\n" + GOOD + b"\r\n\r\n" + GOOD + b"\r\n", [200, 200]),
    "absolute form": (post(b"{}", target=b"http://other/callbacks/s"), [200]),
    "absolute form of elsewhere": (post(b"{}", target=b"http://other/x"), [404]),
    "query": (post(b"{}", target=b"/callbacks/s?a=b"), [200]),
    "fragment": (post(b"{}", target=b"/callbacks/s#a"), [200]),
    "percent-encoded": (post(b"{}", target=b"/callbacks/%73/a%2Fb"), [200]),
    "no path": (post(b"{}", target=b"x"), [400]),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\n\r\n", [404]),
    "odd characters in the path": (post(b"{}", target=b'/callbacks/s/a|b"<>^`{}'), [200]),
    "tab in the path": (post(b"{}", target=b"/callbacks/s/\t"), [400]),
    "bytes beyond ASCII in the path": (post(b"{}", target=b"/callbacks/\xe9"), [400]),
    "HTTP/1.0 with length": (GOOD.replace(b"1.1", b"1.0"), [200]),
    "HTTP/1.0 without length": (b"POST /callbacks/s HTTP/1.0\r\n\r\n{}", [400]),
    "HTTP/1.0 without length or body": (b"POST /callbacks/s HTTP/1.0\r\n\r\n", [400]),
    "HTTP/1.0 GET": (b"GET /callbacks/s HTTP/1.0\r\n\r\n", [200]),
    "HTTP/1.0 in chunks": (chunked(b"2\r\n{}\r\n0\r\n\r\n", version=b"1.0"), [400]),
    "HTTP/2.0": (GOOD.replace(b"1.1", b"2.0"), [400]),
    "HTTP/0.9": (b"GET /callbacks/s\r\n\r\n", [400]),
    "HTTP/1.1 without length": (b"POST /callbacks/s HTTP/1.1\r\n\r\n", [200]),
    "HTTP/1.1 without length, with a body": (b"POST /callbacks/s HTTP/1.1\r\n\r\n{}", [200, 400]),
    "GET": (b"GET /callbacks/s HTTP/1.1\r\n\r\n", [200]),
    "HEAD": (b"HEAD /callbacks/s HTTP/1.1\r\n\r\n" + GOOD, [200, 200]),
    "another method": (
        b"PUT /callbacks/s HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}" + GOOD,
        [405, 200],
    ),
    "no method": (b"FROB /callbacks/s HTTP/1.1\r\n\r\n", [400]),
    "close": (post(b"{}", b"connection: close") + GOOD, [200]),
    "offer of HTTP/2": (
        post(b"{}", b"connection: upgrade, http2-settings", b"upgrade: h2c") + GOOD,
        [200, 200],
    ),
    "offer of HTTP/2 in chunks": (
        chunked(b"2\r\n{}\r\n0\r\na: b\r\n\r\n", b"connection: upgrade", b"upgrade: h2c") + GOOD,
        [200, 200],
    ),
    "preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400]),
    "good, then bad": (GOOD + b"hello\r\n\r\n" + GOOD, [200, 400]),
    "largest head": (post(b"{}", b"a: " + b"x" * (16 * 1024 - len(post(b"", b"a: ")))), [200]),
    "a byte more than the largest head": (
        post(b"{}", b"a: " + b"x" * (16 * 1024 + 1 - len(post(b"", b"a: ")))) + GOOD,
        [431],
    ),
    "too large a head": (post(b"{}", b"a: " + b"x" * 17_000), [431]),
    "a fault behind the largest head": (post(b"{}", b"a: " + b"x" * 17_000 + b"\0"), [431]),
    "a fault in a large head": (post(b"{}", b"a: " + b"x" * 15_000 + b"\0" + b"x" * 2_000), [400]),
    "too many headers": (post(b"{}", *[b"a: b"] * 70), [431]),
}


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def told(url: str, data: bytes, size: int) -> bytes:
    """All that a sender of `data` in pieces of `size` reads until the end; without the dates."""
    host, port = url.removeprefix("http://").split(":")
    sender = Sender(*await asyncio.open_connection(host, int(port)))
    for piece in pieces(data, size):
        await sender.say(piece)
        await asyncio.sleep(0)
    sender.end()
    heard = await sender.rest()
    await sender.close()
    return re.sub(rb"date: [^\r]*\r\n", b"", heard)


@pytest.mark.parametrize("name", TABLE)
async def test_neither_cuts_nor_the_way_change_an_answer(servers: list[str], name: str) -> None:
    data, statuses = TABLE[name]
    sizes = [len(data), 1021, 7, 1] if len(data) < 1_500 else [len(data), 16_384, 1021, 7]
    heard = {await told(url, data, size) for url in servers for size in sizes}
    assert len(heard) == 1
    assert [int(s) for s in re.findall(rb"HTTP/1\.1 (\d+) ", heard.pop())] == statuses


async def test_a_trailer_is_no_header(servers: list[str]) -> None:
    trailers = b"x-forwarded-for: 10.1.2.3\r\nsignature: x\r\n"
    for url in servers:
        heard = await told(url, chunked(b"2\r\n{}\r\n0\r\n%b\r\n" % trailers), 1_000)
        assert b"transfer-encoding" in heard
        assert b"signature" not in heard
        assert b"forwarded" not in heard
