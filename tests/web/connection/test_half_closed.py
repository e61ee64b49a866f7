"""A sender that closes its half of the connection has sent all, and still reads its answers."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.raw import PATIENCE_S, WHOLE, running

pytestmark = pytest.mark.usefixtures("both_ways")


async def test_a_half_closed_sender_gets_its_answer_and_the_end() -> None:
    async with running() as server:
        server.app.hold = asyncio.Event()
        sender = await server.sender()
        await sender.say(WHOLE)
        sender.end()
        await asyncio.wait_for(server.app.begun.wait(), PATIENCE_S)
        server.app.hold.set()
        assert (await sender.hear())[2] == b"{}"
        assert await sender.rest() == b""


async def test_a_half_closed_sender_gets_every_answer_of_its_pipeline() -> None:
    async with running() as server:
        server.app.hold = asyncio.Event()
        sender = await server.sender()
        bodies = [b"%02d" % n for n in range(40)]
        await sender.say(b"".join(WHOLE[:-2] + body for body in bodies))
        sender.end()
        await asyncio.wait_for(server.app.begun.wait(), PATIENCE_S)
        server.app.hold.set()
        assert [(await sender.hear())[2] for _ in bodies] == bodies
        assert await sender.rest() == b""


@pytest.mark.parametrize("sent", [10, len(WHOLE) - 1], ids=["in the head", "in the body"])
async def test_half_a_request_and_the_end_is_closed_and_not_taken(sent: int) -> None:
    async with running() as server:
        sender = await server.sender()
        await sender.say(WHOLE)
        assert (await sender.hear())[0] == 200
        await sender.say(WHOLE[:sent])
        sender.end()
        assert await sender.rest() == b""
        assert server.app.seen == 1


async def test_half_a_request_behind_a_whole_one_takes_nothing_from_its_answer() -> None:
    async with running() as server:
        server.app.hold = asyncio.Event()
        sender = await server.sender()
        await sender.say(WHOLE + WHOLE[:-1])
        sender.end()
        await asyncio.wait_for(server.app.begun.wait(), PATIENCE_S)
        server.app.hold.set()
        assert (await sender.hear())[0] == 200
        assert await sender.rest() == b""
        assert server.app.seen == 1


async def test_a_half_closed_sender_that_reads_nothing_is_cut_off() -> None:
    async with running(answer_timeout_s=0.2, idle_timeout_s=0.2) as server:
        server.app.large = b"x" * 64 * 1024 * 1024
        sender = await server.sender()
        await sender.say(WHOLE)
        sender.end()
        async with asyncio.timeout(PATIENCE_S):
            while server.refusals != ["answer_not_read"]:
                await asyncio.sleep(0.01)
        assert len(await sender.rest()) < len(server.app.large)


async def test_the_last_answer_is_read_by_a_sender_that_goes_on_sending() -> None:
    async with running() as server:
        sender = await server.sender()
        await sender.say(WHOLE.replace(b"host: x", b"host: x\r\nconnection: close"))
        for _ in range(20):
            await sender.say(b"x" * 1_000)
            await asyncio.sleep(0)
        assert (await sender.hear())[0] == 200
        assert await sender.rest() == b""
