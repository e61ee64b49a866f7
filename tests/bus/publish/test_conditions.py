"""The conditions that go out with a message: which the server gets, and what it makes of them."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import pytest
from nats.js.errors import BadRequestError

from receiver.bus.connection import Connection
from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.bus.publish.contract import NonceClaimedError, Publisher
from receiver.bus.publish.group_commit import MIN_BATCH, GroupCommitPublisher
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects, input_subject
from receiver.errors import BusError
from tests.bus.relay import relayed

CONDITION = "Nats-Expected-Last-Subject-Sequence"


def callback(subjects: Subjects, name: str, *, more_bytes: int = 0) -> list[OutgoingMessage]:
    event = subjects.event("1688", "payment.succeeded", name)
    return [
        OutgoingMessage.of(subjects.raw("s"), {MSG_ID: name}, b"x" * more_bytes),
        OutgoingMessage.of(event, {MSG_ID: f"{name}.0"}, b"{}"),
    ]


def claim(subjects: Subjects, nonce: str, owner: str) -> OutgoingMessage:
    return OutgoingMessage.of(subjects.nonce("s", nonce), {MSG_ID: nonce}, owner.encode())


async def every_way(connection: Connection, subjects: Subjects) -> None:
    """Lone and many, honest and forged, new and double, with and without memory."""
    publishers: list[Publisher] = [
        JetStreamPublisher(connection, timeout_s=10),
        GroupCommitPublisher(connection, timeout_s=10),
        GroupCommitPublisher(connection, timeout_s=10, remember=0),
    ]
    for at, publisher in enumerate(publishers):
        for name in ("a", "a", "b"):
            with contextlib.suppress(NonceClaimedError):
                mine = claim(subjects, f"n{at}", f"{name}{at}")
                await publisher.publish(callback(subjects, f"{name}{at}"), claim=mine)
        await publisher.publish(callback(subjects, f"unguarded{at}"))
        many = [callback(subjects, f"{at}.{n % 30}") for n in range(MIN_BATCH * 4)]
        await asyncio.gather(
            *(publisher.publish(m, claim=claim(subjects, m[0].msg_id + "n", "o")) for m in many)
        )


async def test_no_message_is_bound_to_the_id_of_the_last(nats_url: str, subjects: Subjects) -> None:
    """A stream with replicas would have no leader any more after one refusal."""
    sent = bytearray()
    async with relayed(nats_url, sent=sent) as url:
        connection = Connection(url, plans(subjects, [timedelta(hours=1)]))
        assert await connection.start(patience_s=10)
        await every_way(connection, subjects)
        for stream in (subjects.stream, subjects.dead_stream):
            await connection.jetstream.delete_stream(stream)
        await connection.stop()
    assert f"{CONDITION}: 0".encode() in sent
    assert f"HPUB {subjects.root}.in.events.".encode() in sent
    assert b"expected-last-msg-id" not in bytes(sent).lower()
    assert f"HPUB {subjects.root}.events.".encode() not in sent


@pytest.mark.parametrize("named", ["stored", "input"])
async def test_only_a_condition_on_the_stored_subject_holds(
    connection: Connection, subjects: Subjects, named: str
) -> None:
    used, jetstream = subjects.nonce("s", "n1"), connection.jetstream
    await jetstream.publish(input_subject(used), b"owner")
    subject = used if named == "stored" else input_subject(used)
    headers = {CONDITION: "0", f"{CONDITION}-Subject": subject}
    event = input_subject(subjects.event("1688", "order.created", "1"))
    if named == "stored":
        with pytest.raises(BadRequestError, match="wrong last sequence"):
            await jetstream.publish(event, b"{}", headers=headers)
    else:  # which is why no condition may ever name it
        assert (await jetstream.publish(event, b"{}", headers=headers)).seq == 2


async def test_what_goes_out_names_the_stored_subject_of_the_guard(
    nats_url: str, subjects: Subjects
) -> None:
    sent = bytearray()
    async with relayed(nats_url, sent=sent) as url:
        connection = Connection(url, plans(subjects, [timedelta(hours=1)]))
        assert await connection.start(patience_s=10)
        publisher = GroupCommitPublisher(connection, timeout_s=10)
        await publisher.publish(callback(subjects, "a"), claim=claim(subjects, "n1", "a"))
        await publisher.stop()
        for stream in (subjects.stream, subjects.dead_stream):
            await connection.jetstream.delete_stream(stream)
        await connection.stop()
    lines = [line for line in bytes(sent).split(b"\r\n") if line.startswith(CONDITION.encode())]
    assert set(lines) == {
        f"{CONDITION}: 0".encode(),
        f"{CONDITION}-Subject: {subjects.root}.nonces.s.n1".encode(),
    }


async def test_no_event_is_stored_whose_raw_message_is_refused_for_its_size(
    connection: Connection, subjects: Subjects
) -> None:
    jetstream = connection.jetstream
    config = (await jetstream.stream_info(subjects.stream)).config
    config.max_msg_size = 1000
    await jetstream.update_stream(config)
    publisher = GroupCommitPublisher(connection, timeout_s=10)
    with pytest.raises(BusError, match="refused"):
        await publisher.publish(
            callback(subjects, "large", more_bytes=2000), claim=claim(subjects, "n", "large")
        )
    await publisher.stop()
    assert (await jetstream.stream_info(subjects.stream)).state.messages == 0
