"""The short way out and in, against a real server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.errors import ConnectionClosedError
from nats.errors import TimeoutError as NatsTimeoutError

from receiver.bus.client import PipeliningClient
from receiver.bus.message import MSG_ID, OutgoingMessage, encode_hpub
from receiver.bus.publish.contract import UnsendableError
from receiver.bus.publish.direct import check_sendable
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.testing import eventually
from tests.freezing import freeze
from tests.subscribed import subscribed

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z-]{0,20}", fullmatch=True)


@pytest.fixture
async def wire(nats_url: str) -> AsyncIterator[PipeliningClient]:
    opened = PipeliningClient()
    await opened.connect(nats_url)
    await opened.listen()
    yield opened
    await opened.close()


@given(st.dictionaries(NAMES, WORDS, max_size=5), st.binary(max_size=50))
def test_a_message_round_trips(headers: dict[str, str], body: bytes) -> None:
    headers = {MSG_ID: "1", **headers}
    message = OutgoingMessage.of("s", headers, body)
    assert message.headers == headers
    assert (message.subject, message.msg_id, message.body) == ("s", headers[MSG_ID], body)


@pytest.mark.parametrize("value", ["a\nb: c", "a\r\nb", "\r", "\ud800"], ids=ascii)
def test_a_header_that_cannot_be_sent_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"line break|surrogate"):
        OutgoingMessage.of("s", {MSG_ID: "1", "x": value}, b"")


def test_a_message_needs_an_id() -> None:
    with pytest.raises(KeyError):
        OutgoingMessage.of("s", {}, b"")


async def test_a_round_trip_that_is_given_up_leaves_the_connection_well(tmp_path: Path) -> None:
    async with EmbeddedServer(EmbeddedServerConfig(tmp_path, port=0)) as server:
        wire = PipeliningClient()
        await wire.connect(server.url, ping_interval=3600)
        await freeze(server.pid)
        with pytest.raises(NatsTimeoutError):
            await wire.round_trip(timeout_s=0.1)
        os.kill(server.pid, signal.SIGCONT)
        await wire.round_trip(timeout_s=60)
        heard = await wire.subscribe("wire.again")
        await wire.publish("wire.again", b"here")
        assert (await heard.next_msg(timeout=60)).data == b"here"
        await wire.close()


async def test_a_subscriber_gets_what_was_written(wire: PipeliningClient, client: Client) -> None:
    heard = await client.subscribe("wire.>")
    await subscribed(client)
    message = OutgoingMessage.of("wire.a", {MSG_ID: "1", "x": "ä"}, b"\r\n\x00")
    wire.write(encode_hpub(message) + encode_hpub(message, b"more: yes\r\n", b"back.here"))
    first = await heard.next_msg(timeout=60)
    second = await heard.next_msg(timeout=60)
    assert (first.headers, first.data, first.reply) == (message.headers, message.body, "")
    assert second.headers == {**message.headers, "more": "yes"}
    assert second.reply == "back.here"


async def test_each_answer_finds_who_waits_for_it(wire: PipeliningClient, client: Client) -> None:
    async def echo(message: object) -> None:
        await message.respond(message.data)  # type: ignore[attr-defined]

    await client.subscribe("wire.echo", cb=echo)
    await subscribed(client)
    heard: dict[int, bytes] = {}
    everything = asyncio.Event()

    def hear(number: int, data: bytes) -> None:
        heard[number] = data
        if len(heard) == 20:
            everything.set()

    for number in range(20):
        reply = wire.expect(lambda data, number=number: hear(number, data))  # type: ignore[misc]
        message = OutgoingMessage.of("wire.echo", {MSG_ID: "1"}, b"%d" % number)
        wire.write(encode_hpub(message, reply=reply))
    await asyncio.wait_for(everything.wait(), 60)
    assert heard == {number: b"%d" % number for number in range(20)}


async def test_an_answer_that_is_not_waited_for_any_more_is_nothing(
    wire: PipeliningClient, client: Client
) -> None:
    told: list[bytes] = []
    reply = wire.expect(told.append)
    wire.forget(reply)
    wire.forget(reply)
    await client.publish(reply.decode(), b"late")
    await client.publish(reply.decode().rpartition(".")[0] + ".none", b"foreign")
    await subscribed(client)
    await wire.flush()
    assert told == []


async def test_a_subject_without_listeners_answers_with_nothing(wire: PipeliningClient) -> None:
    told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    reply = wire.expect(told.set_result)
    wire.write(encode_hpub(OutgoingMessage.of("wire.nobody", {MSG_ID: "1"}, b""), reply=reply))
    assert await asyncio.wait_for(told, 60) == b""


async def test_what_the_library_has_yet_to_send_goes_first(
    wire: PipeliningClient, client: Client
) -> None:
    heard = await client.subscribe("wire.order")
    await subscribed(client)
    for number in range(50):
        await wire.publish("wire.order", b"%d" % (2 * number))
        message = OutgoingMessage.of("wire.order", {MSG_ID: "1"}, b"%d" % (2 * number + 1))
        wire.write(encode_hpub(message))
    received = [(await heard.next_msg(timeout=60)).data for _ in range(100)]
    assert received == [b"%d" % number for number in range(100)]


async def test_nothing_is_written_where_the_connection_is_away(wire: PipeliningClient) -> None:
    await wire.close()
    with pytest.raises(ConnectionClosedError):
        wire.write(b"PING\r\n")


async def test_a_command_larger_than_the_server_takes_is_refused(wire: PipeliningClient) -> None:
    limit_bytes = wire.max_payload
    check_sendable(wire, [b"x" * limit_bytes])
    with pytest.raises(UnsendableError):
        check_sendable(wire, [b"", b"x" * (limit_bytes + 1)])


async def test_answers_come_after_a_reconnect_as_before(tmp_path: Path) -> None:
    async with EmbeddedServer(EmbeddedServerConfig(tmp_path, port=0)) as server:
        wire = PipeliningClient()
        await wire.connect(server.url, reconnect_time_wait=0, max_reconnect_attempts=-1)
        await wire.listen()
        await server.stop()
        await server.start()

        async def back() -> bool:
            return wire.is_connected

        await eventually(back, within_s=60)
        told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        message = OutgoingMessage.of("$JS.API.INFO", {MSG_ID: "1"}, b"")
        wire.write(encode_hpub(message, reply=wire.expect(told.set_result)))
        assert b"account_info" in await asyncio.wait_for(told, 60)
        await wire.close()


async def test_what_is_written_soon_arrives_in_order_and_before_what_is_written_next(
    wire: PipeliningClient, client: Client
) -> None:
    got: list[bytes] = []
    subscription = await client.subscribe("t.soon", max_msgs=4)
    await subscribed(client)
    wire.write_soon(b"PUB t.soon 1\r\n1\r\n")
    wire.write_soon(b"PUB t.soon 1\r\n2\r\n")
    wire.write(b"PUB t.soon 1\r\n3\r\n")
    wire.write_soon(b"PUB t.soon 1\r\n4\r\n")
    async for message in subscription.messages:
        got.append(message.data)
        if len(got) == 4:
            break
    assert got == [b"1", b"2", b"3", b"4"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"a", b"Nats-Msg-Id", b" b ", b"c d", b"\xff", b"", b"x" * 80]),
            st.sampled_from([b":", b": ", b":\t", b""]),
            st.binary(max_size=5),
        )
    )
)
def test_headers_are_read_as_the_library_reads_them(
    parts: list[tuple[bytes, bytes, bytes]],
) -> None:
    raw = b"\r\n".join(b"".join(part) for part in parts)
    assert PipeliningClient._parse_header_lines(raw) == Client._parse_header_lines(raw)
