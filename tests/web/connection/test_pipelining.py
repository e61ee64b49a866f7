"""What a sender pipelines is bounded on a connection and in all; an honest one notices nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.raw import PATIENCE_S, WHOLE, running

pytestmark = pytest.mark.usefixtures("both_ways")

ONE_READ_BYTES = 256 * 1024
"""The most that an event loop reads at once."""
FLOOD = WHOLE * 400_000  # some 20 MB: more than the kernel keeps for both sides


async def test_behind_a_request_that_waits_one_read_is_held_and_reading_stops() -> None:
    async with running(bodies_bytes=ONE_READ_BYTES) as server:
        server.app.hold = asyncio.Event()
        sender = await server.sender()
        sender.flood(FLOOD)
        assert await sender.stalled() > 0
        assert server.app.seen == 1
        assert server.refusals == []
        server.app.hold.set()


async def test_a_sender_that_reads_no_answers_is_not_served_on() -> None:
    async with running(bodies_bytes=ONE_READ_BYTES) as server:
        server.app.large = b"x" * 1_000_000
        sender = await server.sender()
        sender.flood(FLOOD)
        assert await sender.stalled() > 0
        assert 1 <= server.app.seen < 40  # what the buffers of the kernel take
        assert server.refusals == []
        await sender.close()


async def test_all_together_hold_so_much_and_what_is_under_way_is_answered() -> None:
    async with running(bodies_bytes=3_000) as server:
        server.app.hold = asyncio.Event()
        first, second = await server.sender(), await server.sender()
        for sender in (first, second):
            await sender.say(WHOLE * 41)
        async with asyncio.timeout(PATIENCE_S):
            while server.refusals != ["overloaded"] or server.app.seen < 2:
                await asyncio.sleep(0.01)
        server.app.hold.set()
        for sender in (first, second):
            sender.end()
        answers = [(await sender.rest()).count(b" 200 OK") for sender in (first, second)]
        assert sorted(answers) == [1, 41]


async def test_what_was_held_is_given_back() -> None:
    async with running(bodies_bytes=3_000) as server:
        for _ in range(5):
            server.app.hold = asyncio.Event()
            sender = await server.sender()
            await sender.say(WHOLE * 41)
            await asyncio.wait_for(server.app.begun.wait(), PATIENCE_S)
            server.app.hold.set()
            assert (await sender.hear())[0] == 200
            await sender.close()  # with most of it unanswered
        sender = await server.sender()
        await sender.say(WHOLE * 41)
        assert [(await sender.hear())[0] for _ in range(41)] == [200] * 41
        assert server.refusals == []


async def test_a_long_pipeline_whose_answers_are_read_is_answered_in_order() -> None:
    async with running() as server:
        sender = await server.sender()
        bodies = [b"%04d" % n for n in range(5_000)]
        whole = WHOLE[:-2].replace(b"length: 2", b"length: 4")
        sender.flood(b"".join(whole + body for body in bodies))
        assert [(await sender.hear())[2] for _ in bodies] == bodies


async def test_what_is_no_request_is_refused_after_the_answers_before_it() -> None:
    async with running() as server:
        server.app.hold = asyncio.Event()
        sender = await server.sender()
        await sender.say(WHOLE + b"hello\r\n\r\n" + WHOLE)
        await asyncio.wait_for(server.app.begun.wait(), PATIENCE_S)
        server.app.hold.set()
        assert [(await sender.hear())[0] for _ in range(2)] == [200, 400]
        assert await sender.rest() == b""
        assert server.app.seen == 1


async def test_a_refusal_is_read_by_a_sender_that_goes_on_sending() -> None:
    async with running() as server:
        sender = await server.sender()
        for data in (b"hello\r\n\r\n", *[b"x" * 1_000] * 20):
            await sender.say(data)
            await asyncio.sleep(0)
        assert (await sender.hear())[0] == 400
        assert await sender.rest() == b""
