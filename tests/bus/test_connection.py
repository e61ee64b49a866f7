"""A connection that comes back, whatever the server says, and says so."""

from __future__ import annotations

import secrets

from receiver.bus.codec import MSG_ID, OutgoingMessage
from receiver.bus.connection import Connection
from receiver.bus.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from receiver.testing import eventually


def message(subjects: Subjects) -> OutgoingMessage:
    return OutgoingMessage(subjects.raw("s"), {MSG_ID: secrets.token_hex(8)}, b"{}")


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

    await eventually(back, within_s=10)
    assert reconnects == [True]
    (stored,) = await publisher.publish([message(subjects)])
    assert not stored.duplicate


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
