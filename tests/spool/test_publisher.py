"""The spool in place of a log that is away, and beside one that is back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from receiver.bus.connection import Connection
from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.bus.publish.contract import NonceClaimedError, UnsendableError, awaited
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.spool.publisher import SpoolFallbackPublisher
from receiver.spool.queue import Spool


@pytest.fixture
async def away(nats_url: str, subjects: Subjects) -> AsyncIterator[Connection]:
    """A connection that was not started yet."""
    connection = Connection(nats_url, plans(subjects, [timedelta(hours=1)]))
    yield connection
    for stream in (subjects.stream, subjects.dead_stream):
        await connection.jetstream.delete_stream(stream)
    await connection.stop()


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    opened = Spool(tmp_path / "spool.sqlite3", limit_bytes=10**6, put_timeout_s=10)
    yield opened
    await opened.close()


def signed(
    subjects: Subjects, owner: str, nonce: str = "n1"
) -> tuple[list[OutgoingMessage], OutgoingMessage]:
    claim = OutgoingMessage.of(subjects.nonce("s", nonce), {MSG_ID: nonce}, owner.encode())
    return [OutgoingMessage.of(subjects.raw("s"), {MSG_ID: owner}, b"{}")], claim


async def test_a_signature_that_is_in_the_spool_is_refused_by_a_log_that_is_back(
    away: Connection, spool: Spool, subjects: Subjects
) -> None:
    inner = GroupCommitPublisher(away, timeout_s=10)
    publisher = SpoolFallbackPublisher(inner, spool, ack_budget_s=10)
    (messages, claim), (forged, same_guard) = signed(subjects, "honest"), signed(subjects, "forged")
    (first,) = await awaited(publisher, messages, claim)
    assert await away.start(patience_s=10)
    with pytest.raises(NonceClaimedError):
        await awaited(publisher, forged, same_guard)
    (again,) = await awaited(publisher, messages, claim)
    assert (first.spooled, again.spooled) == (True, False)
    await inner.stop()


async def test_what_can_never_be_sent_is_not_spooled(
    connection: Connection, publisher: GroupCommitPublisher, spool: Spool, subjects: Subjects
) -> None:
    large = b"x" * (connection.client.max_payload - 10)  # too much with its headers
    message = OutgoingMessage.of(subjects.raw("s"), {MSG_ID: "large"}, large)
    with pytest.raises(UnsendableError):
        await awaited(SpoolFallbackPublisher(publisher, spool, ack_budget_s=10), [message])
    assert (await spool.state()).depth == 0


async def test_what_can_never_be_sent_is_not_spooled_while_nats_is_away(
    away: Connection, spool: Spool, subjects: Subjects
) -> None:
    inner = GroupCommitPublisher(away, timeout_s=10)
    limits_bytes = iter([0, 1000])
    publisher = SpoolFallbackPublisher(
        inner, spool, ack_budget_s=10, max_payload_bytes=lambda: next(limits_bytes)
    )
    message = OutgoingMessage.of(subjects.raw("s"), {MSG_ID: "large"}, b"x" * 1000)
    (unknown,) = await awaited(publisher, [message])
    assert unknown.spooled
    with pytest.raises(UnsendableError):
        await awaited(publisher, [message._replace(msg_id="other")])
    assert (await spool.state()).depth == 1
    assert await away.start(patience_s=10)
    await inner.stop()


async def test_signatures_in_the_spool_are_known_after_a_restart_and_to_another_process(
    away: Connection, spool: Spool, subjects: Subjects
) -> None:
    inner = GroupCommitPublisher(away, timeout_s=10)
    first = SpoolFallbackPublisher(inner, spool, ack_budget_s=10)
    for nonce in ("n1", "n2"):  # the second is of a duplicate
        await awaited(first, *signed(subjects, "honest", nonce))
    assert await away.start(patience_s=10)
    other = SpoolFallbackPublisher(GroupCommitPublisher(away, timeout_s=10), spool, ack_budget_s=10)
    await other.learn()
    for nonce in ("n1", "n2"):
        with pytest.raises(NonceClaimedError):
            await awaited(other, *signed(subjects, "forged", nonce))
    await inner.stop()
