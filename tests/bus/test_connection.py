"""A connection that comes back, whatever the server says, and says so."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from receiver.bus.connection import Connection
from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.stream_plan import StreamPlan, plans
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.errors import BusError, ConfigurationError
from receiver.testing import eventually
from tests.bus.relay import relayed


@contextlib.asynccontextmanager
async def jetstream_of(server: EmbeddedServer) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(server.url)
    yield client.jetstream()
    await client.close()


async def reason(connection: Connection) -> str:
    """Why nothing can be published; empty where it can."""
    try:
        connection.client  # noqa: B018 - raises
    except BusError as error:
        return str(error)
    return ""


def message(subjects: Subjects) -> OutgoingMessage:
    return OutgoingMessage.of(subjects.raw("s"), {MSG_ID: secrets.token_hex(8)}, b"{}")


async def test_an_error_that_the_server_reports_is_no_end(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
) -> None:
    reconnects: list[bool] = []
    connection.on_reconnect(lambda: reconnects.append(connection.ready))
    before = connection.client
    await before._send_command(b"NONSENSE\r\n")  # there is no public way to offend a server
    await before._flush_pending()

    async def back() -> bool:
        return before.is_closed and connection.ready

    await eventually(back, within_s=60)
    assert reconnects == [True]
    (stored,) = await publisher.publish([message(subjects)])
    assert not stored.duplicate


async def test_a_stream_that_contradicts_the_settings_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.bus.connection._MENDED_S", 0.05)
    config = EmbeddedServerConfig(tmp_path, port=0)
    async with EmbeddedServer(config) as server:
        opened = Connection(server.url, [StreamPlan("S", ["s"], timedelta(0))])
        assert await opened.start()
        await server.stop()
        async with EmbeddedServer(config) as other, jetstream_of(other) as jetstream:
            await jetstream.delete_stream("S")
            await jetstream.add_stream(name="S", subjects=["s"], max_msgs_per_subject=1)
        await server.start()

        async def contradicted() -> bool:
            return "drops the older" in await reason(opened)

        await eventually(contradicted, within_s=60)
        async with jetstream_of(server) as jetstream:
            await jetstream.delete_stream("S")

        async def well() -> bool:
            return not await reason(opened)

        await eventually(well, within_s=60)
        await opened.probe()
        await opened.stop()


async def test_what_a_stream_held_that_is_gone_counts_as_not_stored(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
) -> None:
    kept = message(subjects)
    await publisher.publish([kept])
    await connection.jetstream.delete_stream(subjects.stream)
    await connection.probe()
    (again,) = await publisher.publish([kept])
    assert not again.duplicate
    assert (await connection.jetstream.get_msg(subjects.stream, again.stream_seq)).data == b"{}"


@pytest.mark.parametrize("version", ["2.13.9", "1.99.9"])
async def test_a_server_that_is_too_old_stops_the_start(
    nats_url: str, subjects: Subjects, client: Client, version: str
) -> None:
    found = str(client.connected_server_version).encode()
    named = re.search(rb"\d+\.\d+\.\d+", found)
    assert named is not None
    old = version.ljust(len(named[0]))[: len(named[0])].encode()
    rewritten = (b'"version":"%b"' % named[0], b'"version":"%b"' % old)
    async with relayed(nats_url, rewritten=rewritten) as url:
        connection = Connection(url, plans(subjects, [timedelta(hours=1)]))
        with pytest.raises(ConfigurationError, match=r"too old: Yizhan needs 2\.14 or later"):
            await connection.start(patience_s=10)
        await connection.stop()
