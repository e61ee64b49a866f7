"""Plans: a selection is frozen, kept for a day, run once at a time, gone on with, and cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from nats.aio.client import Client

from receiver.bus.connection import Connection
from receiver.bus.dead_letters import Failure, encode_dead_letter
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.filters import Filters
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.replay.plan import Wish
from receiver.replay.sinks.subject import SubjectSink
from receiver.worker.replaying.pace import Pace
from receiver.worker.replaying.record import ReplayRecord
from schemas.events import OrderCreated, PaymentSucceeded
from tests.replay.place import Place, now
from tests.subscribed import subscribed


@pytest.fixture
async def place(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
) -> AsyncIterator[Place]:
    made = Place(connection, publisher, subjects)
    await made.store.ensure()
    for number in range(3):
        order = {"channel": "1688", "order_id": str(number)}
        await made.put(OrderCreated(**order), PaymentSucceeded(**order))
    yield made
    await made.store.stop()


async def selected(place: Place, **filters: Any) -> tuple[int, int, int]:
    wish = Wish(targets=["file:-"], filters=Filters(**filters))
    record = await place.planning.freeze("x", wish, "ann")
    return record.count, record.first_seq, record.last_seq


async def test_a_plan_has_the_exact_count_and_the_bounds_of_what_is_there(place: Place) -> None:
    await place.put(OrderCreated(channel="taobao", order_id="9"))
    assert await selected(place) == (7, 1, 7)
    assert await selected(place, event_type="payment") == (3, 2, 6)
    assert await selected(place, order_id="1") == (2, 3, 4)
    assert await selected(place, channel="taobao") == (1, 7, 7)
    assert await selected(place, origin="push") == (7, 1, 7)
    assert await selected(place, origin="sweep") == (0, 0, 0)
    assert await selected(place, event_type="payment", limit=2) == (2, 4, 6)
    assert await selected(place, order_id="no") == (0, 0, 0)
    third = (await place.replays.connection.jetstream.get_msg(place.subjects.stream, 3)).time
    assert third is not None
    assert await selected(place, since=third) == (5, 3, 7)
    assert await selected(place, until=third) == (2, 1, 2)


async def test_a_plan_shows_a_few_of_its_events_in_order(place: Place) -> None:
    record = await place.plan("one", filters=Filters(event_type="payment"))
    shown = [(one.seq, one.event_type, one.order_id) for one in record.sample]
    assert shown == [(2 * n, "payment.succeeded", str(n - 1)) for n in (1, 2, 3)]


async def test_single_events_are_selected_by_their_sequence(place: Place, client: Client) -> None:
    record = await place.plan("one", sequences=[6, 1, 6, 99], filters=Filters(channel="1688"))
    copies = await copied(place, client, record)
    assert record.count == 2
    assert [copy["ce-subject"] for copy in copies] == ["0", "2"]


async def test_the_events_of_dead_letters_are_selected_by_handler_and_cause(place: Place) -> None:
    for handler, cause, seq in (
        ("ship", "a" * 12, 2),
        ("ship", "b" * 12, 4),
        ("mail", "a" * 12, 6),
    ):
        found = await place.connection.jetstream.get_msg(place.subjects.stream, seq)
        failure = Failure(
            handler=handler,
            reason="ValueError: no",
            place="x",
            attempts=1,
            nats_subject=found.subject or "",
            stream_seq=seq,
            time=now(),
            fingerprint=cause,
        )
        letter = encode_dead_letter(found.headers or {}, found.data or b"", failure, place.subjects)
        await place.publisher.publish([letter])
    of_handler = await place.plan("a", filters=Filters(handler="ship"))
    of_cause = await place.plan("b", filters=Filters(handler="ship", cause="b" * 12))
    by_type = await place.plan("c", filters=Filters(cause="ValueError", order_id="2"))
    assert sorted(of_handler.wanted()) == [2, 4]
    assert sorted(of_cause.wanted()) == [4]
    assert sorted(by_type.wanted()) == [6]


async def copied(
    place: Place, client: Client, record: ReplayRecord, sink: SubjectSink | None = None
) -> Sequence[dict[str, str]]:
    """The headers of what a run gives to a subscriber."""
    got: list[dict[str, str]] = []

    async def receive(message: Any) -> None:
        got.append(message.headers)

    await client.subscribe(f"{place.subjects.root}.replay.>", cb=receive)
    await subscribed(client)
    running = await place.runs.begin(record, here=True)
    summary = await place.give(running, sink)
    async with asyncio.timeout(60):
        while len(got) < summary.delivered:
            await asyncio.sleep(0.01)
    return got


async def test_what_is_stored_after_the_plan_is_not_given_and_what_is_given_is_marked(
    place: Place, client: Client
) -> None:
    record = await place.plan("try1", filters=Filters(event_type="order.created"))
    await place.put(OrderCreated(channel="1688", order_id="later"))
    copies = await copied(place, client, record)
    assert [copy["ce-subject"] for copy in copies] == ["0", "1", "2"]
    assert {(copy["ce-origin"], copy["ce-replay"]) for copy in copies} == {("replay", "try1")}
    done = await place.runs.finish(record)
    assert done.state == "finished"
    assert await place.connection.jetstream.consumers_info(place.subjects.stream) == []


async def test_a_run_that_is_cut_off_goes_on_where_its_position_is(
    place: Place, client: Client
) -> None:
    await place.put(*[OrderCreated(channel="1688", order_id=f"m{n}") for n in range(400)])
    record = await place.plan("try1", filters=Filters(event_type="order.created"))

    class CutOff(SubjectSink):
        left = 300

        async def flush(self) -> None:
            await super().flush()
            self.left -= 200
            if self.left < 0:
                raise BusError("cut off")

    prefix = record.targets[0].removeprefix("subject:")
    cut = CutOff(place.connection, place.subjects, prefix, record.marks())
    with pytest.raises(BusError, match="cut off"):
        await copied(place, client, record, cut)
    copies = await copied(place, client, record)
    orders = [copy["ce-subject"] for copy in copies]
    assert orders == ["0", "1", "2", *(f"m{n}" for n in range(400))][200:]


async def test_of_two_runs_of_one_name_the_second_is_refused_while_the_first_lives(
    place: Place,
) -> None:
    record = await place.plan("one", filters=Filters(order_id="1"))
    await place.runs.begin(record, here=True)
    with pytest.raises(ConfigurationError, match="runs in another process already"):
        await place.other_runs().begin(await place.runs.of("one"), here=True)
    again = await place.planning.freeze("one", Wish(targets=["file:-"]), "bob")
    with pytest.raises(ConfigurationError, match="choose another name"):
        await place.planning.keep(again)


async def test_the_run_of_a_process_that_is_gone_is_taken_over(place: Place) -> None:
    record = await place.plan("one", filters=Filters(order_id="1"))
    await place.runs.begin(record, here=True)
    await place.replays.change("one", lambda one: one.moved("running", runner="gone"))
    taken = await place.runs.begin(await place.runs.of("one"), here=True)
    assert (taken.state, taken.plan) == ("running", record.plan)


async def test_what_is_cancelled_or_of_another_stream_is_not_run(place: Place) -> None:
    record = await place.plan("one", filters=Filters(order_id="1"))
    await place.runs.begin(record, here=True)
    await place.runs.cancel(record)
    with pytest.raises(ConfigurationError, match="is cancelled: plan another one"):
        await place.runs.runnable("one")
    assert await place.connection.jetstream.consumers_info(place.subjects.stream) == []
    other = replace_stream(await place.plan("two", filters=Filters(order_id="1")))
    await place.replays.change("two", lambda _: other)
    with pytest.raises(ConfigurationError, match="was made anew"):
        await place.runs.runnable("two")
    with pytest.raises(ConfigurationError, match=f"below the root {place.subjects.root}"):
        await place.runs.runnable("three")


def replace_stream(record: ReplayRecord) -> ReplayRecord:
    return record.model_copy(update={"of_stream": "2020-01-01T00:00:00Z"})


async def test_a_run_whose_position_is_gone_does_not_begin_anew(place: Place) -> None:
    record = await place.plan("one", filters=Filters(order_id="1"))
    running = await place.runs.begin(record, here=True)
    jetstream = place.connection.jetstream
    await jetstream.delete_consumer(place.subjects.stream, record.durable(record.targets[0]))
    with pytest.raises(ConfigurationError, match="how far the replay one had come"):
        await place.runs.begin(running, here=True)


def test_a_pace_keeps_its_rate_and_comes_up_to_it() -> None:
    at = [0.0]
    pace = Pace(100.0, 10.0, clock=lambda: at[0])
    given = []
    for second in range(20):
        count = 0
        for step in range(100):
            at[0] = second + step / 100
            count += pace.take(50)
        given.append(count)
    assert given[0] <= 15
    assert 40 <= given[5] <= 70
    assert all(99 <= count <= 101 for count in given[11:])
    assert Pace(0, 0, clock=lambda: 0.0).take(7) == 7
