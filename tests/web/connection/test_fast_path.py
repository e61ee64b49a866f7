"""Which requests go past ASGI, and that the answers are the same."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.raw import PATIENCE_S, WHOLE, running

pytestmark = pytest.mark.usefixtures("both_ways")


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
    ("request_", "on_fast_path"),
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
async def test_only_a_plain_callback_goes_past_asgi(request_: bytes, on_fast_path: bool) -> None:
    async with running() as server:
        sender = await server.sender()
        await sender.say(request_ + b"x" * (1001 if b": 1001" in request_ else 0))
        assert (await sender.hear())[0] == 200
        assert bool(server.app.taken) is on_fast_path


async def test_a_delivery_on_the_fast_path_holds_what_came() -> None:
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


async def test_an_idle_connection_keeps_nothing_of_its_last_delivery() -> None:
    async with running() as server:
        sender = await server.sender()
        await sender.say(WHOLE)
        assert (await sender.hear())[2] == b"{}"
        for delivery in server.app.taken:
            assert (delivery.body, delivery.headers) == (b"", ())


async def test_an_answer_that_says_close_ends_the_connection() -> None:
    async with running() as server:
        server.app.status = 413
        sender = await server.sender()
        await sender.say(b"POST /callbacks/s HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}")
        status, head, _ = await sender.hear()
        assert (status, head.count(b"connection: close")) == (413, 1)
        assert await sender.rest() == b""
