"""What a sender may take: time, connections, headers. Raw sockets against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from receiver.errors import ConfigurationError
from receiver.web.delivery import Delivery, Headers
from receiver.web.edge import EdgeLimits
from receiver.web.server import ServerConfig, bind, serving
from receiver.web.tls import Certificate
from receiver.web.turnstile import Turnstile
from tests.certificates import make_certificate

WHOLE = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
PATIENCE_S = 10.0


@pytest.fixture(params=[False, True], ids=["asgi", "lane"], autouse=True)
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test is run with a request that goes through ASGI, and with one past it."""
    monkeypatch.setattr(Sender, "target", b"POST /callbacks/s " if request.param else b"POST / ")


class App:
    """Reads a body and answers with it; `hold` keeps answers back, `large` makes them large.

    It is a `Lane`, too, that does the same.
    """

    limit_bytes = 1_000

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.hold: asyncio.Event | None = None
        self.begun = asyncio.Event()
        self.gone = asyncio.Event()
        self.large = b""
        self.taken: list[Delivery] = []
        self.headers: Headers = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                return
            body, more = body + message["body"], message["more_body"]
        self.begun.set()
        if self.hold is not None:
            await self.hold.wait()
        body += self.large
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

    def take(self, delivery: Delivery) -> None:
        self.begun.set()
        self.taken.append(delivery)
        self.headers = delivery.headers
        if self.hold is None:
            delivery.answer(200, delivery.body + self.large)
            return
        task = asyncio.create_task(self._answer(delivery, self.hold))
        self._tasks.add(task)

    async def _answer(self, delivery: Delivery, hold: asyncio.Event) -> None:
        await hold.wait()
        delivery.answer(200, delivery.body)

    def broken_off(self, delivery: Delivery) -> None:
        self.gone.set()


class Sender:
    """One connection, byte by byte."""

    target = b"POST / "

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, data: bytes) -> None:
        self._writer.write(data.replace(b"POST / ", self.target))
        await self._writer.drain()

    async def hear(self) -> tuple[int, bytes, bytes]:
        """One answer: its status, head and body."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            return int(head.split()[1]), head.lower(), await self._reader.readexactly(length)

    async def line(self) -> bytes:
        """A head without a body."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Server:
    """A running server with short limits."""

    def __init__(self, url: str, app: App, refusals: list[str]) -> None:
        self.app = app
        self.refusals = refusals
        self._port = int(url.rpartition(":")[2])
        self._senders: list[Sender] = []

    async def sender(self, tls: ssl.SSLContext | None = None) -> Sender:
        sender = Sender(*await asyncio.open_connection("127.0.0.1", self._port, ssl=tls))
        self._senders.append(sender)
        return sender

    async def close(self) -> None:
        for sender in self._senders:
            await sender.close()


@contextlib.asynccontextmanager
async def running(tls: Certificate | None = None, **limits: object) -> AsyncIterator[Server]:
    app, refusals = App(), list[str]()
    chosen = EdgeLimits(**({"receive_timeout_s": PATIENCE_S} | limits))  # type: ignore[arg-type]
    config = ServerConfig(limits=chosen, count=refusals.append, tls=tls)
    async with (
        contextlib.AsyncExitStack() as stack,
        serving(app, bind("127.0.0.1", 0), config, lane=app) as url,
    ):
        server = Server(url, app, refusals)
        stack.push_async_callback(server.close)
        yield server


async def test_half_a_head_is_cut_off_with_408() -> None:
    async with running(receive_timeout_s=0.2) as server:
        sender = await server.sender()
        await sender.say(b"POST / HTTP/1.1\r\nhost:")
        assert (await sender.hear())[0] == 408
        assert await sender.rest() == b""
        assert server.refusals == ["too_slow"]


async def test_half_a_body_is_cut_off_and_the_application_hears_of_it() -> None:
    async with running(receive_timeout_s=0.2) as server:
        sender = await server.sender()
        await sender.say(WHOLE[:-1])
        assert (await sender.hear())[0] == 408
        assert await sender.rest() == b""
        await asyncio.wait_for(server.app.gone.wait(), PATIENCE_S)


async def test_a_sender_of_a_byte_now_and_then_is_cut_off_too() -> None:
    async with running(receive_timeout_s=0.3) as server:
        sender = await server.sender()

        async def trickle() -> None:
            with contextlib.suppress(OSError):
                for byte in WHOLE[:-1].replace(b"POST / ", sender.target) * 100:
                    await sender.say(bytes([byte]))
                    await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        assert (await sender.hear())[0] == 408
        trickling.cancel()


async def test_the_time_begins_anew_with_each_request() -> None:
    async with running(receive_timeout_s=0.4, idle_timeout_s=PATIENCE_S) as server:
        sender = await server.sender()
        for _ in range(4):
            await sender.say(WHOLE[:-1])
            await asyncio.sleep(0.2)
            await sender.say(WHOLE[-1:])
            assert (await sender.hear())[0] == 200


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with running(receive_timeout_s=0.1) as server:
        assert await (await server.sender()).rest() == b""
        assert server.refusals == []


async def test_an_idle_connection_is_closed() -> None:
    async with running(idle_timeout_s=0.1) as server:
        sender = await server.sender()
        await sender.say(WHOLE)
        assert (await sender.hear())[0] == 200
        assert await sender.rest() == b""
        assert server.refusals == []


async def test_a_sender_that_does_not_read_its_answer_is_cut_off() -> None:
    async with running(answer_timeout_s=0.2, idle_timeout_s=0.2) as server:
        server.app.large = b"x" * 64 * 1024 * 1024
        sender = await server.sender()
        await sender.say(WHOLE)
        async with asyncio.timeout(PATIENCE_S):
            while server.refusals != ["answer_not_read"]:
                await asyncio.sleep(0.01)
        assert len(await sender.rest()) < len(server.app.large)


@pytest.mark.parametrize(
    "head",
    [
        b"".join(b"h%d: x\r\n" % n for n in range(70)),
        b"cookie: " + b"x" * 20_000 + b"\r\n",
        b"cookie: " + b"x" * 1_000_000,
        b"".join(b"h%d: %s\r\n" % (n, b"x" * 1000) for n in range(20)),
    ],
    ids=["too many", "one too long", "one without an end", "too large together"],
)
async def test_headers_beyond_the_limits_get_431(head: bytes) -> None:
    async with running() as server:
        sender = await server.sender()
        await sender.say(b"POST / HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n")
        assert (await sender.hear())[0] == 431
        assert server.refusals == ["headers_too_large"]


async def test_a_path_beyond_the_limit_gets_431() -> None:
    async with running() as server:
        sender = await server.sender()
        await sender.say(b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await sender.hear())[0] == 431


async def test_trailers_count_as_headers() -> None:
    async with running() as server:
        sender = await server.sender()
        await sender.say(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
        await sender.say(b"".join(b"t%d: x\r\n" % n for n in range(100)) + b"\r\n")
        assert (await sender.hear())[0] == 431


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /é HTTP/1.1\r\nhost: x\r\n\r\n".encode("latin-1"),
    ],
    ids=repr,
)
async def test_what_is_no_request_gets_400(data: bytes) -> None:
    async with running() as server:
        sender = await server.sender()
        await sender.say(data)
        assert (await sender.hear())[0] == 400
        assert await sender.rest() == b""
        assert server.refusals == ["not_http"]


async def test_an_offer_of_another_protocol_is_ignored() -> None:
    async with running() as server:
        sender = await server.sender()
        offer = b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length"
        await sender.say(WHOLE.replace(b"content-length", offer))
        status, _, body = await sender.hear()
        assert (status, body) == (200, b"{}")


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with running() as server:
        sender = await server.sender()
        bodies = [b"%02d" % n for n in range(40)]
        await sender.say(b"".join(WHOLE[:-2] + body for body in bodies))
        assert [(await sender.hear())[2] for _ in bodies] == bodies


async def test_a_pipeline_of_both_ways_is_answered_in_order() -> None:
    async with running() as server:
        server.app.hold = asyncio.Event()
        sender = await server.sender()
        plain, chunked = WHOLE[:-2] + b"1!", WHOLE.replace(b"content-length: 2", b"expect: nothing")
        chunked = chunked.replace(b"expect: nothing", b"transfer-encoding: chunked")
        chunked = chunked[:-2] + b"2\r\n2!\r\n0\r\n\r\n"
        await sender.say(plain + chunked + WHOLE[:-2] + b"3!" + chunked.replace(b"2!", b"4!"))
        await asyncio.wait_for(server.app.begun.wait(), PATIENCE_S)
        server.app.hold.set()
        assert [(await sender.hear())[2] for _ in range(4)] == [b"1!", b"2!", b"3!", b"4!"]


@pytest.mark.parametrize(
    ("request_", "in_lane"),
    [
        (b"POST /callbacks/s/t HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}", True),
        (b"POST /callbacks/s HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", True),
        (b"POST /callbacks/s HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n", False),
        (b"POST /callbacks/s HTTP/1.1\r\nhost: x\r\n\r\n", False),
        (b"POST /callbacks/s HTTP/1.0\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}", False),
        (b"POST /callbacks/%73 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}", False),
        (b"POST /callbacks/s?a=b HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}", False),
        (b"POST /callbacks/s/t/u HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}", False),
        (b"POST /callbacks/ HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}", False),
        (b"POST /other HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}", False),
        (b"PUT /callbacks/s HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}", False),
        (b"GET /callbacks/s HTTP/1.1\r\nhost: x\r\n\r\n", False),
    ],
    ids=repr,
)
async def test_only_a_plain_callback_goes_past_asgi(request_: bytes, in_lane: bool) -> None:
    async with running() as server:
        sender = await server.sender()
        await sender.say(request_ + b"x" * (1001 if b": 1001" in request_ else 0))
        assert (await sender.hear())[0] == 200
        assert bool(server.app.taken) is in_lane


async def test_a_delivery_in_the_lane_tells_what_came() -> None:
    async with running() as server:
        sender = await server.sender()
        body = b"x" * 900
        await sender.say(
            b"POST /callbacks/name/token HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\n"
            b"Content-Length: 900\r\nConnection: close\r\n\r\n" + body[:450]
        )
        await asyncio.sleep(0)
        await sender.say(body[450:])
        status, head, heard = await sender.hear()
        assert (status, heard) == (200, body)
        assert b"connection: close" in head
        assert await sender.rest() == b""
        (delivery,) = server.app.taken
        assert (delivery.source_name, delivery.path_token) == ("name", "token")
        assert (delivery.method, delivery.peer) == ("POST", "127.0.0.1")
        assert [value for name, value in server.app.headers if name == b"x-a"] == [b"1", b"2"]


async def test_a_sender_that_goes_on_and_reads_no_answer_is_cut_off() -> None:
    async with running(answer_timeout_s=0.3) as server:
        sender = await server.sender()
        server.app.large = b"x" * 1_000_000

        async def go_on() -> None:
            with contextlib.suppress(OSError):
                while True:
                    await sender.say(WHOLE)
                    await asyncio.sleep(0.001)

        going_on = asyncio.create_task(go_on())
        async with asyncio.timeout(PATIENCE_S):
            while server.refusals != ["answer_not_read"]:
                await asyncio.sleep(0.01)
        going_on.cancel()


async def test_an_idle_connection_keeps_nothing_of_its_last_delivery() -> None:
    async with running() as server:
        sender = await server.sender()
        await sender.say(WHOLE)
        assert (await sender.hear())[2] == b"{}"
        for delivery in server.app.taken:
            assert (delivery.body, delivery.headers) == (b"", ())


async def test_half_bodies_take_so_much_memory_together_and_no_more() -> None:
    async with running(bodies_bytes=1_000) as server:
        head = WHOLE.replace(b"content-length: 2", b"content-length: 900")[:-2]
        first, other, second, third = [await server.sender() for _ in range(4)]
        await first.say(head + b"x" * 600)
        await other.say(WHOLE)  # once this is answered, the first part is counted
        assert (await other.hear())[0] == 200
        await second.say(head + b"x" * 600)
        status, headers, _ = await second.hear()
        assert (status, b"retry-after:" in headers) == (503, True)
        assert server.refusals == ["overloaded"]
        await first.say(b"x" * 300)
        assert (await first.hear())[0] == 200
        await third.say(head + b"x" * 900)
        assert (await third.hear())[0] == 200


async def test_a_continue_is_sent_where_it_is_waited_for() -> None:
    async with running() as server:
        sender = await server.sender()
        head, body = WHOLE[:-2].replace(b"host", b"expect: 100-continue\r\nhost"), WHOLE[-2:]
        await sender.say(head)
        async with asyncio.timeout(PATIENCE_S):
            assert await sender.line() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await sender.say(body)
        assert (await sender.hear())[2] == b"{}"
        assert not server.app.taken


async def test_one_address_holds_so_many_connections_and_no_more() -> None:
    async with running(per_address=2) as server:
        first, second = await server.sender(), await server.sender()
        for sender in (first, second):
            await sender.say(WHOLE)
            assert (await sender.hear())[0] == 200
        status, head, _ = await (await server.sender()).hear()
        assert (status, b"retry-after:" in head) == (503, True)
        assert server.refusals == ["too_many_connections_of_address"]
        await first.close()
        await _until_served(server)


async def test_a_trusted_proxy_may_hold_more() -> None:
    proxies = (ip_network("127.0.0.0/8"),)
    async with running(per_address=1, trusted_proxies=proxies) as server:
        for _ in range(3):
            sender = await server.sender()
            await sender.say(WHOLE)
            assert (await sender.hear())[0] == 200


async def test_all_together_hold_so_many_connections_and_no_more() -> None:
    proxies = (ip_network("127.0.0.0/8"),)
    async with running(connections=1, trusted_proxies=proxies) as server:
        first = await server.sender()
        await first.say(WHOLE)
        assert (await first.hear())[0] == 200
        assert (await (await server.sender()).hear())[0] == 503
        assert server.refusals == ["too_many_connections"]
        await first.close()
        await _until_served(server)


async def _until_served(server: Server) -> None:
    """The server learns of a closed connection a moment later."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            sender = await server.sender()
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await sender.say(WHOLE)
                if (await sender.hear())[0] == 200:
                    return


async def test_every_answer_has_the_security_headers() -> None:
    async with running() as server:
        for data in (WHOLE, b"hello\r\n\r\n"):
            sender = await server.sender()
            await sender.say(data)
            _, head, _ = await sender.hear()
            for line in (
                b"x-content-type-options: nosniff",
                b"content-security-policy: default-src 'none'; frame-ancestors 'none'",
                b"referrer-policy: no-referrer",
                b"cross-origin-resource-policy: same-origin",
                b"cache-control: no-store",
            ):
                assert line in head
            assert b"\r\nserver:" not in head
            assert b"strict-transport-security" not in head


async def test_a_stop_answers_what_is_in_flight_and_takes_nothing_new() -> None:
    stack = contextlib.AsyncExitStack()
    server = await stack.enter_async_context(running())
    server.app.hold = asyncio.Event()
    waiting, half, idle = [await server.sender() for _ in range(3)]
    await waiting.say(WHOLE)
    await half.say(WHOLE[:-1])
    await idle.say(b"")
    await asyncio.wait_for(server.app.begun.wait(), PATIENCE_S)
    stopping = asyncio.create_task(stack.aclose())
    await _until_refused(server)
    server.app.hold.set()
    status, head, _ = await waiting.hear()
    assert (status, b"connection: close" in head) == (200, True)
    await asyncio.wait_for(stopping, PATIENCE_S)


async def _until_refused(server: Server) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await (await server.sender()).close()
            except OSError:
                return
            await asyncio.sleep(0.01)


async def test_requests_begin_a_few_a_turn_and_in_order() -> None:
    loop = asyncio.get_running_loop()
    turnstile = Turnstile(loop, patience_s=60, per_turn=2)
    begun: list[tuple[int, int]] = []
    turn = 0

    def count_turns() -> None:
        nonlocal turn
        turn += 1
        if len(begun) < 7:
            loop.call_soon(count_turns)

    loop.call_soon(count_turns)
    for number in range(7):
        turnstile.enter(lambda late, number=number: begun.append((number, turn)))  # type: ignore[misc]
    async with asyncio.timeout(PATIENCE_S):
        while len(begun) < 7:
            await asyncio.sleep(0)
    assert [number for number, _ in begun] == list(range(7))
    assert max(sum(at == when for _, at in begun) for _, when in begun) == 2


async def test_a_request_that_waited_too_long_is_told_so() -> None:
    turnstile = Turnstile(asyncio.get_running_loop(), patience_s=-1, per_turn=1)
    told: list[bool] = []
    turnstile.enter(told.append)
    turnstile.enter(told.append)
    async with asyncio.timeout(PATIENCE_S):
        while len(told) < 2:
            await asyncio.sleep(0)
    assert told == [False, True]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost and its key."""
    return make_certificate(tmp_path, "first")


def trusting(cert: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(cert))
    context.check_hostname = False
    return context


async def test_it_speaks_https_with_the_certificate_of_the_day(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    certificate = Certificate(*files)
    async with running(tls=certificate) as server:
        sender = await server.sender(trusting(files[0]))
        await sender.say(WHOLE)
        status, head, _ = await sender.hear()
        assert (status, b"strict-transport-security: max-age=" in head) == (200, True)
        renewed = make_certificate(tmp_path, "second")
        for old, new in zip(files, renewed, strict=True):
            shutil.copy(new, old)
        certificate.reload()
        later = await server.sender(trusting(renewed[0]))
        for both in (sender, later):
            await both.say(WHOLE)
            assert (await both.hear())[0] == 200


async def test_a_spoilt_certificate_is_a_sentence_and_the_old_one_stays(
    files: tuple[Path, Path],
) -> None:
    certificate = Certificate(*files)
    trusted = trusting(files[0])
    async with running(tls=certificate) as server:
        files[0].write_text("nonsense", encoding="utf-8")
        with pytest.raises(ConfigurationError, match=r"tls_cert_file.*PEM"):
            certificate.reload()
        sender = await server.sender(trusted)
        await sender.say(WHOLE)
        assert (await sender.hear())[0] == 200


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.pem: no such file"):
        Certificate(tmp_path / "none.pem", tmp_path / "none.key")
