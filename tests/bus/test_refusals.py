"""What a server refuses is said in its own words, and never taken for an outage."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.refusals import Refusals
from receiver.bus.rights import stream_rights
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.testing import eventually
from tests.bus.plain_server import plain_server

USER = "authorization {{ users: [{{ user: u, password: p, permissions: {{ publish: [{}] }} }}] }}"


def to(url: str, subjects: Subjects) -> Connection:
    rights = tuple(stream_rights(subjects))
    return Connection(url, plans(subjects, [timedelta(hours=1)]), rights=rights)


async def refused(url: str, subjects: Subjects) -> str:
    """The sentence with which a start ends."""
    connection = to(url, subjects)
    try:
        with pytest.raises(ConfigurationError) as caught:
            await connection.start(patience_s=20)
    finally:
        await connection.stop()
    return str(caught.value)


async def test_a_server_without_jetstream_stops_the_start(
    tmp_path: Path, subjects: Subjects
) -> None:
    async with plain_server(tmp_path, "", stores=False) as address:
        said = await refused(f"nats://{address}", subjects)
    assert "runs without JetStream: add a jetstream block" in said


@pytest.mark.parametrize(
    ("allowed", "missing"),
    [
        ('"ROOT.>"', "$js.api.stream.info."),
        ('"$JS.API.>"', ".in.callbacks.yizhan-check"),
        ('"$JS.API.>", "ROOT.in.>"', ".dead.yizhan-check"),
    ],
)
async def test_a_permission_that_is_missing_stops_the_start(
    tmp_path: Path, subjects: Subjects, allowed: str, missing: str
) -> None:
    user = USER.format(allowed.replace("ROOT", subjects.root))
    async with plain_server(tmp_path, user) as address:
        said = await refused(f"nats://u:p@{address}", subjects)
    assert "NATS refuses: permissions violation for publish" in said.lower().replace("nats", "NATS")
    assert missing in said.lower()


def test_a_refusal_outlives_the_reset_that_follows_it_and_not_the_server() -> None:
    refusals = Refusals()
    refused = NatsError("nats: 'Authorization Violation'")
    new = [refusals.note(error) for error in (refused, ConnectionResetError(), refused)]
    assert (new, refusals.words) == ([True, False, False], "Authorization Violation")
    refusals.note(ConnectionRefusedError())
    assert refusals.words == ""


async def test_what_lacks_no_permission_starts(tmp_path: Path, subjects: Subjects) -> None:
    root = subjects.root
    user = USER.format(f'"$JS.API.>", "{root}.in.>", "{root}.dead.>"')
    async with plain_server(tmp_path, user) as address:
        connection = to(f"nats://u:p@{address}", subjects)
        assert await connection.start(patience_s=20)
        await connection.stop()


async def test_room_that_a_stream_does_not_get_stops_the_start(
    tmp_path: Path, subjects: Subjects
) -> None:
    async with plain_server(tmp_path, "") as address:
        asked = plans(subjects, [timedelta(hours=1)], max_bytes=2**55)
        connection = Connection(f"nats://{address}", asked)
        with pytest.raises(ConfigurationError, match=r"insufficient storage .* nats\.max_bytes"):
            await connection.start(patience_s=20)
        await connection.stop()


async def test_nothing_is_stored_on_a_stream_that_comes_to_contradict(
    connection: Connection,
    publisher: GroupCommitPublisher,
    client: Client,
    subjects: Subjects,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("receiver.bus.connection._MENDED_S", 0.05)
    config = (await client.jetstream().stream_info(subjects.stream)).config
    config.max_msgs = 5
    await client.jetstream().update_stream(config)

    async def noticed() -> bool:
        return not connection.ready

    await eventually(noticed, within_s=60)
    with pytest.raises(BusError, match="keeps 5 messages and drops older ones"):
        await publisher.publish([OutgoingMessage.of(subjects.raw("s"), {MSG_ID: "m"}, b"{}")])
    config.max_msgs = -1
    await client.jetstream().update_stream(config)

    async def well() -> bool:
        return connection.ready

    await eventually(well, within_s=60)
    (stored,) = await publisher.publish(
        [OutgoingMessage.of(subjects.raw("s"), {MSG_ID: "m"}, b"{}")]
    )
    assert stored.stream_seq == 1
