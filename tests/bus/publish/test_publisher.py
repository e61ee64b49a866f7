"""What a publish promises, for the plain publisher and for group commit alike."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.api import StreamConfig, SubjectTransform

from receiver.bus.connection import Connection
from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.bus.publish.contract import (
    NonceClaimedError,
    Publisher,
    Result,
    TooSlowError,
    UnsendableError,
    read_ack,
)
from receiver.bus.publish.group_commit import MIN_BATCH, SECOND_COMMIT, GroupCommitPublisher
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.testing import eventually


@pytest.fixture(params=["plain", "group commit", "group commit without memory"])
async def any_publisher(
    request: pytest.FixtureRequest, connection: Connection
) -> AsyncIterator[Publisher]:
    if request.param == "plain":
        yield JetStreamPublisher(connection, timeout_s=10)
        return
    running = GroupCommitPublisher(
        connection, timeout_s=10, remember=0 if "without" in request.param else 1000
    )
    yield running
    await running.stop()


class Messages:
    """Makes messages below one root."""

    def __init__(self, subjects: Subjects) -> None:
        self._subjects = subjects

    def event(self, msg_id: str = "") -> OutgoingMessage:
        headers = {MSG_ID: msg_id or secrets.token_hex(8)}
        return OutgoingMessage.of(self._subjects.raw("s"), headers, headers[MSG_ID].encode())

    def claim(self, nonce: str, owner: str) -> OutgoingMessage:
        headers = {MSG_ID: nonce, "Nats-TTL": "60s"}
        return OutgoingMessage.of(self._subjects.nonce("s", nonce), headers, owner.encode())


@pytest.fixture
def make(subjects: Subjects) -> Messages:
    return Messages(subjects)


def by_hand(subjects: Subjects, **more: Any) -> StreamConfig:
    """A stream that stores where ours does and is nothing else of what ours is."""
    transform = SubjectTransform(src=subjects.all_input, dest=subjects.everything)
    return StreamConfig(
        name=subjects.stream, subjects=[subjects.all_input], subject_transform=transform, **more
    )


async def state(jetstream: JetStreamContext, subjects: Subjects) -> Any:
    return (await jetstream.stream_info(subjects.stream)).state


async def test_what_is_acknowledged_is_in_the_stream(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    messages = [make.event(), make.event()]
    stored = await any_publisher.publish(messages)
    for message, where in zip(messages, stored, strict=True):
        found = await connection.jetstream.get_msg(subjects.stream, where.stream_seq)
        assert (found.data, where.duplicate) == (message.body, False)


async def test_many_at_once_are_each_stored_where_the_receipt_names(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    bundles = [[make.event(), make.event()] for _ in range(MIN_BATCH * 20)]
    results = await asyncio.gather(*map(any_publisher.publish, bundles))
    for messages, stored in zip(bundles, results, strict=True):
        for message, where in zip(messages, stored, strict=True):
            found = await connection.jetstream.get_msg(subjects.stream, where.stream_seq)
            assert found.data == message.body
    assert (await state(connection.jetstream, subjects)).messages == len(bundles) * 2


async def test_a_duplicate_is_acknowledged_and_not_stored(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    messages = [make.event("a"), make.event("b")]
    first = await any_publisher.publish(messages)
    again = await any_publisher.publish(messages)
    assert [s.stream_seq for s in first] == [s.stream_seq for s in again]
    assert all(s.duplicate for s in again)
    assert (await state(connection.jetstream, subjects)).messages == 2


async def test_a_duplicate_among_many_spoils_none_of_them(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    await any_publisher.publish([make.event("seen")])
    bundles = [[make.event(str(n))] for n in range(MIN_BATCH * 3)] + [[make.event("seen")]]
    bundles += [[make.event("twice")], [make.event("twice")]]
    results = await asyncio.gather(*map(any_publisher.publish, bundles))
    assert results[-3][0].duplicate
    assert sorted(r[0].duplicate for r in results[-2:]) == [False, True]
    assert (await state(connection.jetstream, subjects)).messages == MIN_BATCH * 3 + 2


async def test_what_was_half_stored_is_completed(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    raw, event = make.event("raw"), make.event("event")
    await any_publisher.publish([raw])
    stored = await any_publisher.publish([raw, event], claim=make.claim("n1", "me"))
    assert stored[0].stream_seq == 1
    assert not stored[1].duplicate
    found = await connection.jetstream.get_msg(subjects.stream, stored[1].stream_seq)
    assert found.data == event.body

    async def complete() -> bool:  # the claim comes last, and is not waited for
        return bool((await state(connection.jetstream, subjects)).messages == 3)

    await eventually(complete)


async def test_a_guard_that_is_taken_stores_nothing(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    await any_publisher.publish([make.event("mine")], claim=make.claim("n1", "me"))
    with pytest.raises(NonceClaimedError) as taken:
        await any_publisher.publish([make.event("other")], claim=make.claim("n1", "other"))
    assert taken.value.claimed_by == "me"
    assert (await state(connection.jetstream, subjects)).messages == 2


async def test_a_guard_that_is_taken_and_last_in_the_stream_stores_nothing(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    first = JetStreamPublisher(connection, timeout_s=10)
    await first.publish([make.event("mine")])
    await first.publish([make.event("mine")], claim=make.claim("n1", "me"))
    with pytest.raises(NonceClaimedError):
        await any_publisher.publish([make.event("other")], claim=make.claim("n1", "other"))
    assert (await state(connection.jetstream, subjects)).messages == 2


async def test_ones_own_guard_does_not_stand_in_the_way(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    await any_publisher.publish([make.event("raw")], claim=make.claim("n1", "me"))
    bundle = [make.event("raw"), make.event("late event")]
    stored = await any_publisher.publish(bundle, claim=make.claim("n1", "me"))
    assert [s.duplicate for s in stored] == [True, False]


async def test_a_duplicate_uses_up_its_own_guard(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    await any_publisher.publish([make.event("mine")], claim=make.claim("n1", "me"))
    again = await any_publisher.publish([make.event("mine")], claim=make.claim("n2", "me"))
    with pytest.raises(NonceClaimedError):
        await any_publisher.publish([make.event("other")], claim=make.claim("n2", "other"))
    assert [s.duplicate for s in again] == [True]
    assert (await state(connection.jetstream, subjects)).messages == 3


async def test_duplicates_among_many_spoil_no_batch(
    publisher: GroupCommitPublisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    await publisher.publish([make.event("mine")], claim=make.claim("n", "me"))
    calls = [
        publisher.publish([make.event(known)], claim=make.claim(f"n{n}", "me"))
        for n, known in enumerate(["mine", "", "mine", ""] * MIN_BATCH)
    ]
    results = await asyncio.gather(*calls)
    assert [r[0].duplicate for r in results] == [True, False] * 2 * MIN_BATCH
    assert (await state(connection.jetstream, subjects)).messages == 2 + 6 * MIN_BATCH


async def test_a_guard_that_has_expired_does_not_stand_in_the_way(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    first = JetStreamPublisher(connection, timeout_s=10)
    (claim,) = await first.publish([make.claim("n1", "me")])
    await connection.jetstream.delete_msg(subjects.stream, claim.stream_seq)
    bundle = [make.event("raw"), make.event("event")]
    stored = await any_publisher.publish(bundle, claim=make.claim("n1", "me"))
    assert [s.duplicate for s in stored] == [False, False]


async def test_a_replay_to_another_receiver_is_refused(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects, make: Messages
) -> None:
    other = GroupCommitPublisher(connection, timeout_s=10)
    for number in range(20):  # each right behind the honest one, before or after its claim
        await publisher.publish(
            [make.event(f"raw{number}"), make.event(f"event{number}")],
            claim=make.claim(f"n{number}", f"honest{number}"),
        )
        with pytest.raises(NonceClaimedError) as taken:
            await other.publish(
                [make.event(f"forged{number}"), make.event(f"false{number}")],
                claim=make.claim(f"n{number}", f"forged{number}"),
            )
        assert taken.value.claimed_by == f"honest{number}"
    assert (await state(connection.jetstream, subjects)).messages == 60


async def test_two_messages_of_one_publish_stand_behind_each_other(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects, make: Messages
) -> None:
    other = JetStreamPublisher(connection, timeout_s=10)
    pairs = [[make.event(), make.event()] for _ in range(30)]
    for pair in pairs:
        (first, second), _ = await asyncio.gather(
            publisher.publish(pair), other.publish([make.event()])
        )
        for message, where in zip(pair, (first, second), strict=True):
            found = await connection.jetstream.get_msg(subjects.stream, where.stream_seq)
            assert (found.data, where.duplicate) == (message.body, False)
    assert (await state(connection.jetstream, subjects)).messages == 90


async def test_what_was_given_up_while_it_waited_is_not_sent(
    connection: Connection, subjects: Subjects, make: Messages
) -> None:
    running = GroupCommitPublisher(connection, timeout_s=10)
    told: list[Result] = []
    running.submit([make.event("first")], None, told.append)
    running.submit([make.event("late")], None, told.append, 1e-9)
    running._sweep()
    await running.stop()
    assert [type(result) for result in told] == [TooSlowError, list]
    assert (await state(connection.jetstream, subjects)).messages == 1


async def batched(jetstream: JetStreamContext, subjects: Subjects) -> list[bool]:
    """Of each stored message, whether it came in a batch."""
    last = (await state(jetstream, subjects)).last_seq
    stored = [await jetstream.get_msg(subjects.stream, seq) for seq in range(1, last + 1)]
    return ["Nats-Batch-Id" in (message.headers or {}) for message in stored]


async def test_a_lone_bundle_goes_plainly_and_many_go_as_a_batch(
    publisher: GroupCommitPublisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    await publisher.publish([make.event(), make.event()])
    assert await batched(connection.jetstream, subjects) == [False, False]
    await asyncio.gather(*(publisher.publish([make.event()]) for _ in range(MIN_BATCH)))
    assert await batched(connection.jetstream, subjects) == [False] * 2 + [True] * MIN_BATCH


async def test_a_stream_without_batches_takes_each_by_itself(
    publisher: GroupCommitPublisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    jetstream = connection.jetstream
    await jetstream.delete_stream(subjects.stream)
    await jetstream.add_stream(by_hand(subjects))
    for _ in range(2):
        bundles = [[make.event(), make.event()] for _ in range(MIN_BATCH)]
        results = await asyncio.gather(*map(publisher.publish, bundles))
        assert not any(stored.duplicate for result in results for stored in result)
    assert await batched(jetstream, subjects) == [False] * 4 * MIN_BATCH


@pytest.mark.parametrize("limits", [{"max_pending": 3}, {"max_pending_bytes": 3}])
async def test_more_than_may_wait_is_refused_at_once(
    connection: Connection, make: Messages, limits: dict[str, Any]
) -> None:
    publisher = GroupCommitPublisher(connection, timeout_s=10, **limits)
    results = await asyncio.gather(
        *(publisher.publish([make.event(name)]) for name in "abcde"), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, BusError)]
    assert [str(error) for error in refused] == ["too many callbacks are waiting for the log"] * 2
    await publisher.publish([make.event("later")])
    await publisher.stop()


async def test_no_event_is_acknowledged_whose_raw_message_is_refused(
    publisher: GroupCommitPublisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    jetstream = connection.jetstream
    await jetstream.delete_stream(subjects.stream)
    await jetstream.add_stream(by_hand(subjects, max_msg_size=1000))
    large = OutgoingMessage.of(subjects.raw("s"), {MSG_ID: "raw"}, b"x" * 2000)
    for events in (["0"], ["0", "1"]):
        with pytest.raises(BusError):
            await publisher.publish([large, *map(make.event, events)])
    assert (await state(jetstream, subjects)).messages == 0


async def test_a_commit_that_is_given_up_leaves_nothing_behind(
    connection: Connection, subjects: Subjects, make: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connection.client
    monkeypatch.setattr(client, "write", lambda _: None)  # a server that answers nothing
    running = GroupCommitPublisher(connection, timeout_s=0.05)
    bundles = [[make.event()] for _ in range(MIN_BATCH)]
    results = await asyncio.gather(*map(running.publish, bundles), return_exceptions=True)
    await running.stop()
    assert all(isinstance(result, BusError) for result in results)
    assert client._expected == {}


async def test_among_many_only_the_forged_one_is_refused(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    calls = [
        any_publisher.publish([make.event(f"m{n}")], claim=make.claim(f"n{n % 30}", f"m{n}"))
        for n in range(60)
    ]
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [r for r in results if isinstance(r, NonceClaimedError)]
    assert len(refused) == 30
    assert (await state(connection.jetstream, subjects)).messages == 60


async def test_guarded_and_plain_publishers_side_by_side_lose_nothing(
    connection: Connection, publisher: Publisher, subjects: Subjects, make: Messages
) -> None:
    other = JetStreamPublisher(connection, timeout_s=10)
    calls = []
    for n in range(100):
        bundle = [make.event(), make.event()]
        calls.append(publisher.publish(bundle, claim=make.claim(f"n{n}", f"o{n}")))
        calls.append(other.publish([make.event()], claim=make.claim(f"p{n}", f"o{n}")))
    await asyncio.gather(*calls)
    assert (await state(connection.jetstream, subjects)).messages == 500


async def test_a_caller_that_is_cancelled_does_not_cancel_the_write(
    publisher: GroupCommitPublisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    task = asyncio.create_task(publisher.publish([make.event("kept")]))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    async with asyncio.timeout(60):
        while (await state(connection.jetstream, subjects)).messages < 1:
            await asyncio.sleep(0.01)


async def test_what_is_under_way_at_the_stop_is_stored(
    connection: Connection, subjects: Subjects, make: Messages
) -> None:
    running = GroupCommitPublisher(connection, timeout_s=10)
    publishing = asyncio.create_task(running.publish([make.event()], claim=make.claim("n", "o")))
    for _ in range(3):  # it is taken up, and waits for the server
        await asyncio.sleep(0)
    await running.stop()
    async with asyncio.timeout(60):
        (stored,) = await publishing
    found = await connection.jetstream.get_msg(subjects.stream, stored.stream_seq)
    assert found.headers is not None
    assert not stored.duplicate


async def test_a_refusal_of_the_server_is_a_bus_error(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    await connection.jetstream.delete_stream(subjects.stream)
    with pytest.raises(BusError):
        await any_publisher.publish([make.event()])
    await connection.probe()  # sets the stream up again


async def test_a_message_that_cannot_be_sent_spoils_none_of_the_others(
    any_publisher: Publisher, connection: Connection, subjects: Subjects, make: Messages
) -> None:
    huge = OutgoingMessage.of(subjects.raw("s"), {MSG_ID: "huge"}, b"x" * (9 * 1024 * 1024))
    good = [[make.event()] for _ in range(MIN_BATCH * 2)]
    calls = [any_publisher.publish(bundle) for bundle in ([huge], *good)]
    first, *rest = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(first, BusError)
    assert not any(isinstance(result, BaseException) for result in rest)
    await any_publisher.publish([make.event("after")])
    stored = (await state(connection.jetstream, subjects)).messages
    assert stored >= len(good) + 1


@pytest.mark.parametrize("others", [0, MIN_BATCH * 2])
async def test_a_message_too_large_by_its_headers_does_not_cost_the_connection(
    any_publisher: Publisher, connection: Connection, make: Messages, others: int
) -> None:
    client, event = connection.client, make.event("large")
    large = OutgoingMessage.of(event.subject, event.headers, b"x" * (client.max_payload - 10))
    bundles = [*([make.event()] for _ in range(others)), [large]]
    *results, refused = await asyncio.gather(
        *map(any_publisher.publish, bundles), return_exceptions=True
    )
    assert isinstance(refused, UnsendableError)
    assert not any(isinstance(result, BaseException) for result in results)
    await any_publisher.publish([make.event()])
    assert connection.client is client


async def test_a_stopped_connection_refuses_at_once(
    nats_url: str, subjects: Subjects, make: Messages
) -> None:
    away = Connection("nats://127.0.0.1:9", ())
    assert not await away.start(patience_s=0.05)
    running = GroupCommitPublisher(away, timeout_s=10)
    with pytest.raises(BusError, match="away"):
        await running.publish([make.event()])
    await running.stop()
    await away.stop()


@pytest.mark.parametrize("reply", [b"", b"[]", b"{}", b"null", b'{"seq":', b'{"error":{}}'])
def test_a_reply_that_is_no_ack_is_a_bus_error(reply: bytes) -> None:
    with pytest.raises(BusError):
        read_ack(reply)


@pytest.mark.parametrize(("lifetime_s", "conditional"), [(3 * 3600, False), (3 * 3600 + 1, True)])
async def test_a_guard_that_outlives_its_id_is_known_by_its_subject_in_a_batch(
    publisher: GroupCommitPublisher,
    connection: Connection,
    subjects: Subjects,
    make: Messages,
    lifetime_s: int,
    *,
    conditional: bool,
) -> None:
    def claim(number: int) -> OutgoingMessage:
        headers = {MSG_ID: f"n{number}", "Nats-TTL": f"{lifetime_s}s"}
        return OutgoingMessage.of(subjects.nonce("s", f"n{number}"), headers, b"me")

    await asyncio.gather(
        *(publisher.publish([make.event()], claim=claim(n)) for n in range(MIN_BATCH))
    )
    stored = await connection.jetstream.get_last_msg(subjects.stream, subjects.nonce("s", "n1"))
    headers = stored.headers or {}
    assert "Nats-Batch-Id" in headers
    assert ("Nats-Expected-Last-Subject-Sequence" in headers) == conditional


async def test_of_two_commits_under_way_the_first_to_claim_a_nonce_wins(
    connection: Connection, make: Messages
) -> None:
    first = GroupCommitPublisher(connection, timeout_s=10)
    await first.publish([make.event("seen")])
    staged = GroupCommitPublisher(connection, timeout_s=10, staged=lambda: True)
    refused_as_a_batch = [
        asyncio.create_task(staged.publish([make.event("seen")])),
        asyncio.create_task(staged.publish([make.event("mine")], claim=make.claim("n", "me"))),
    ]
    for _ in range(3):  # their commit is under way
        await asyncio.sleep(0)
    others = [[make.event(f"other{n}")] for n in range(SECOND_COMMIT)]
    late = asyncio.gather(
        staged.publish([make.event("late")], claim=make.claim("n", "late")),
        *map(staged.publish, others),
        return_exceptions=True,
    )
    (seen,), (mine,) = await asyncio.gather(*refused_as_a_batch)
    taken, *stored = await late
    await staged.stop()
    assert (seen.duplicate, mine.duplicate) == (True, False)
    assert isinstance(taken, NonceClaimedError)
    assert taken.claimed_by == "me"
    assert not any(isinstance(result, BaseException) for result in stored)
