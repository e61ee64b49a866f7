"""What a sender may take: time, connections, headers. Raw sockets against a real server."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from ipaddress import ip_network

import pytest

from receiver.web.connection.admission import PER_TURN
from tests.web.raw import PATIENCE_S, WHOLE, Server, running

pytestmark = pytest.mark.usefixtures("both_ways")


async def test_half_a_head_is_cut_off_with_408() -> None:
    async with running(receive_timeout_s=0.2) as server:
        sender = await server.sender()
        await sender.say(b"POST / HTTP/1.1\r\nhost:")
        assert (await sender.hear())[0] == 408
        assert await sender.rest() == b""
        assert server.refusals == ["too_slow"]


async def test_half_a_body_is_cut_off_and_the_application_gets_a_disconnect() -> None:
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
    async with running(receive_timeout_s=1.0, idle_timeout_s=PATIENCE_S) as server:
        sender = await server.sender()
        for _ in range(4):
            await sender.say(WHOLE[:-1])
            await asyncio.sleep(0.4)  # four of them are longer than the limit of one
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


CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_trailers_beyond_the_limit_get_431() -> None:
    async with running() as server:
        sender = await server.sender()
        await sender.say(CHUNKED + b"0\r\n" + b"t: xxxxxxxxxx\r\n" * 4_000)
        assert (await sender.hear())[0] == 431
        assert server.refusals == ["headers_too_large"]


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


async def test_a_request_whose_turn_comes_too_late_gets_503() -> None:
    async with running(queue_timeout_s=-1.0) as server:
        senders = [await server.sender() for _ in range(3 * PER_TURN)]
        for sender in senders:
            await sender.say(WHOLE)
            assert (await sender.hear())[0] == 200
        for sender in senders:
            sender.flood(WHOLE)
        statuses = Counter([(await sender.hear())[0] for sender in senders])
        assert statuses[200] >= PER_TURN
        assert statuses[503] == len(server.refusals) > 0
        assert set(server.refusals) == {"overloaded"}


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
