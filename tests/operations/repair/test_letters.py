"""Dead letters, listed by cause, given back and dropped, on a real server with real workers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.dead_letters import Failure, encode_dead_letter, read_history
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import Publisher, Stored
from receiver.bus.read.filters import Filters
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError, YizhanError
from receiver.event import Event
from receiver.operations.repair.letter_acts import LetterActs
from receiver.operations.repair.letters import Letters, letter_view, ref_of
from receiver.operations.repair.tally import Tally
from receiver.testing import eventually, make_event
from receiver.worker.interface import Context
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Router
from schemas.events import EventData, OrderClosed, OrderCreated
from tests.worker.conftest import Bench, bench

__all__ = ["bench"]

NONE = Filters()


class Desk:
    """A handler `ship` that fails on the orders in `broken`, and notes what it has handled."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.broken: set[str] = set()
        self.handled: list[str] = []
        self.letters = Letters(bench.connection, bench.subjects)
        self.router = Router()

        @self.router.on(OrderCreated, retry=RetryPolicy(max_attempts=1))
        async def ship(event: Event[OrderCreated], ctx: Context) -> None:
            if event.order_id in self.broken:
                raise KeyError(event.order_id)
            self.handled.append(event.id)

    async def bury(self, *orders: str) -> list[Event[EventData]]:
        """Have the handler give up on these orders, and a worker stay."""
        self.broken = set(orders)
        created = [OrderCreated(channel="1688", order_id=order) for order in orders]
        events = await self.bench.store(*created)
        await self.bench.work(self.router)
        await eventually(lambda: self._buried(len(orders)), within_s=60)
        return events

    async def retry(self, filters: Filters = NONE, publisher: Publisher | None = None) -> Tally:
        tally = Tally()
        acts = LetterActs(self.letters, publisher or self.bench.publisher)
        await acts.retry(await self.letters.chosen(filters), tally)
        return tally

    async def _buried(self, count: int) -> bool:
        return len(await self.letters.chosen(NONE)) == count


@pytest.fixture
def desk(bench: Bench) -> Desk:
    return Desk(bench)


def letter(
    subjects: Subjects, order: str, number: int, *, cause: str = "0a1b2c3d4e5f"
) -> OutgoingMessage:
    """A letter of `ship` that no worker made."""
    event = make_event(OrderCreated(channel="1688", order_id=order))
    message = encode_event(event, subjects)
    failure = Failure(
        handler="ship",
        reason="ValueError: no such shelf",
        place="my.ship:7",
        attempts=3,
        nats_subject=message.subject,
        stream_seq=number,
        time=datetime.now(UTC),
        fingerprint=cause,
    )
    return encode_dead_letter(message.headers, message.body, failure, subjects)


async def test_letters_are_listed_by_cause_without_reading_each(desk: Desk) -> None:
    subjects, publisher = desk.bench.subjects, desk.bench.publisher
    await publisher.publish([letter(subjects, str(n), n) for n in range(1, 4)])
    await publisher.publish([letter(subjects, "9", 9, cause="ffffffffffff")])
    await desk.bench.connection.jetstream.publish(f"{subjects.root}.dead.old", b"{}")
    first, *others = await desk.letters.groups(NONE)
    assert (first.handler, first.cause, first.count) == ("ship", "0a1b2c3d4e5f", 3)
    assert (first.error, first.place, first.newest) == ("ValueError", "my.ship:7", 3)
    assert first.first <= first.last
    assert [(g.handler, g.cause, g.count, g.error) for g in others] == [
        ("old", None, 1, None),
        ("ship", "ffffffffffff", 1, "ValueError"),
    ]


@pytest.mark.parametrize(
    ("filters", "counts"),
    [
        (Filters(handler="ship"), [3, 1]),
        (Filters(cause="ffffffffffff"), [1]),
        (Filters(cause="ValueError"), [3, 1]),
        (Filters(cause="KeyError"), []),
        (Filters(order_id="9"), [1]),
        (Filters(event_type="order"), [3, 1]),
        (Filters(event_type="payment"), []),
        (Filters(until=datetime(2020, 1, 1, tzinfo=UTC)), []),
    ],
)
async def test_every_filter_counts_alike(desk: Desk, filters: Filters, counts: list[int]) -> None:
    subjects, publisher = desk.bench.subjects, desk.bench.publisher
    await publisher.publish([letter(subjects, str(n), n) for n in range(1, 4)])
    await publisher.publish([letter(subjects, "9", 9, cause="ffffffffffff")])
    groups = await desk.letters.groups(filters)
    assert [group.count for group in groups] == counts
    assert len(await desk.letters.chosen(filters)) == sum(counts)


async def test_a_letter_is_found_by_sequence_event_or_its_own_id(desk: Desk) -> None:
    subjects = desk.bench.subjects
    one = letter(subjects, "1", 1)
    await desk.bench.publisher.publish([one, letter(subjects, "2", 2)])
    for text, seq in (("#1", 1), (one.headers["ce-id"], None), (one.msg_id, None)):
        assert ref_of(await desk.letters.one(text, seq)) == (1, 1, "ship")
    with pytest.raises(YizhanError, match=r"#7: the stream .* holds no such letter"):
        await desk.letters.one("#7", 7)
    with pytest.raises(YizhanError, match="no letter has this id; it looks like an order id"):
        await desk.letters.one("2745812000123456789", None)


async def test_an_event_with_two_letters_is_asked_which(desk: Desk) -> None:
    subjects = desk.bench.subjects
    one = letter(subjects, "1", 1)
    other = one._replace(subject=subjects.dead("pack", "f" * 12), msg_id="another")
    head = other.head.replace(one.msg_id.encode(), b"another")
    await desk.bench.publisher.publish([one, other._replace(head=head)])
    with pytest.raises(
        YizhanError, match="several letters: name one of '#1' of ship, '#2' of pack"
    ):
        await desk.letters.one(one.headers["ce-id"], None)


async def test_a_letter_is_shown_with_its_event_and_personal_data_masked(desk: Desk) -> None:
    await desk.bury("1")
    (ref,) = await desk.letters.chosen(NONE)
    shown = letter_view(await desk.letters.one("", ref.seq), reveal=False)
    assert shown["letter"]["reason"] == "KeyError: '1'"
    assert shown["letter"]["traceback"].endswith("KeyError: '1'")
    assert len(shown["letter"]["history"]) == 1
    assert (shown["event"]["stream_seq"], shown["event"]["order_id"]) == (1, "1")


async def test_what_is_given_back_runs_once_in_the_order_of_the_events(desk: Desk) -> None:
    events = await desk.bury("1", "2", "3")
    before = await desk.letters.chosen(NONE)
    desk.broken = {"2"}
    tally = await desk.retry()
    await eventually(lambda: len(desk.handled) == 2, within_s=60)
    await eventually(lambda: desk._buried(1), within_s=60)
    assert tally.numbers == {"retried": 3}
    assert [ref.event_seq for ref in before] == [1, 2, 3]
    assert sorted(desk.handled) == sorted([events[0].id, events[2].id])
    assert (await desk.letters.groups(NONE))[0].count == 1


async def test_letters_of_one_order_go_back_in_the_order_of_its_events(desk: Desk) -> None:
    subjects = desk.bench.subjects
    later, earlier = letter(subjects, "1", 20), letter(subjects, "1", 10)
    await desk.bench.publisher.publish([later, earlier])
    await desk.bench.work(desk.router)
    await desk.retry()
    await eventually(lambda: len(desk.handled) == 2, within_s=60)
    assert desk.handled == [earlier.headers["ce-id"], later.headers["ce-id"]]


async def test_a_letter_that_fails_again_is_another_one_with_the_whole_history(desk: Desk) -> None:
    (event,) = await desk.bury("1")
    (first,) = await desk.letters.chosen(NONE)
    await desk.retry()

    async def again() -> bool:
        return [ref.seq for ref in await desk.letters.chosen(NONE)] not in ([], [first.seq])

    await eventually(again, within_s=60)
    (second,) = await desk.letters.chosen(NONE)
    letter = await desk.letters.one("", second.seq)
    assert letter.headers["ce-id"] == event.id
    assert letter.headers["yizhan-streamseq"] == str(first.event_seq)
    times = [attempt.time for attempt in read_history(letter.headers)]
    assert len(times) == 2
    assert times == sorted(times)


async def test_of_two_operators_who_retry_one_letter_one_wins(desk: Desk) -> None:
    await desk.bury("1")
    desk.broken = set()
    chosen = await desk.letters.chosen(NONE)
    tallies = Tally(), Tally()
    acts = LetterActs(desk.letters, desk.bench.publisher)
    await asyncio.gather(*(acts.retry(chosen, tally) for tally in tallies))
    await eventually(lambda: len(desk.handled) == 1, within_s=60)
    await desk.bench.handled(desk.router)
    assert sorted(str(tally.numbers) for tally in tallies) == ["{'retried': 1}", "{'taken': 1}"]
    assert len(desk.handled) == 1
    assert await desk.letters.chosen(NONE) == []


class CutOff:
    """A publisher whose process ends, or whose acknowledgement is lost, at the first publish."""

    def __init__(self, publisher: Publisher, error: BaseException) -> None:
        self._publisher = publisher
        self._errors = [error]

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, claim: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        stored = await self._publisher.publish(messages)
        if self._errors:
            raise self._errors.pop()
        return stored


async def test_a_retry_cut_off_before_the_letter_is_deleted_runs_the_event_once(desk: Desk) -> None:
    await desk.bury("1")
    desk.broken = set()
    with pytest.raises(asyncio.CancelledError):
        await desk.retry(publisher=CutOff(desk.bench.publisher, asyncio.CancelledError()))
    left = len(await desk.letters.chosen(NONE))
    tally = await desk.retry()
    await eventually(lambda: len(desk.handled) == 1, within_s=60)
    await desk.bench.handled(desk.router)
    assert (left, tally.numbers) == (1, {"taken": 1})
    assert await desk.letters.chosen(NONE) == []
    assert len(desk.handled) == 1


async def test_a_lost_acknowledgement_counts_as_given_back(desk: Desk) -> None:
    await desk.bury("1")
    desk.broken = set()
    tally = await desk.retry(publisher=CutOff(desk.bench.publisher, BusError("no answer")))
    await eventually(lambda: len(desk.handled) == 1, within_s=60)
    assert tally.numbers == {"retried": 1}
    assert await desk.letters.chosen(NONE) == []


async def test_what_holds_no_event_stays_and_is_named(desk: Desk) -> None:
    subjects = desk.bench.subjects
    await desk.bench.connection.jetstream.publish(f"{subjects.root}.dead.ship", b"{}")
    tally = await desk.retry()
    assert tally.numbers == {"failed": 1}
    assert tally.reasons[0].startswith("#1: it holds no event: the header ce-specversion")
    assert len(await desk.letters.chosen(NONE)) == 1


async def test_a_letter_of_the_old_subject_goes_back_too(desk: Desk) -> None:
    await desk.bench.work(desk.router)
    subjects = desk.bench.subjects
    old = letter(subjects, "1", 1)
    headers = {k: v for k, v in old.headers.items() if not k.startswith("yizhan-")}
    await desk.bench.connection.jetstream.publish(
        f"{subjects.root}.dead.ship", old.body, headers=headers
    )
    tally = await desk.retry(Filters(handler="ship"))
    await eventually(lambda: len(desk.handled) == 1, within_s=60)
    assert tally.numbers == {"retried": 1}


async def test_handlers_that_are_gone_or_renamed_are_known(desk: Desk) -> None:
    router = Router()

    @router.on(OrderClosed, was="ship")
    async def send(event: Event[OrderClosed], ctx: Context) -> None:
        raise AssertionError("nothing is stored for it")

    await desk.bench.work(router)
    taking = await desk.letters.taking(["ship", "pack"])
    assert taking["pack"] is None
    assert taking["ship"] is not None
    assert taking["ship"].handler == "send"
    with pytest.raises(ConfigurationError, match="'snd': no such handler: did you mean send"):
        await desk.letters.chosen(Filters(handler="snd"))


async def test_dropped_letters_are_gone_and_their_events_are_not(
    desk: Desk, connection: Connection
) -> None:
    await desk.bury("1", "2")
    chosen = await desk.letters.chosen(NONE)
    acts, tally, late = LetterActs(desk.letters, desk.bench.publisher), Tally(), Tally()
    await acts.drop(chosen, tally)
    await acts.drop(chosen, late)
    events = await desk.bench.stored("order.created")
    assert (tally.numbers, late.numbers) == ({"dropped": 2}, {"taken": 2})
    assert await desk.letters.groups(NONE) == []
    assert len(events) == 2


async def test_a_selection_is_that_of_its_moment(desk: Desk) -> None:
    subjects = desk.bench.subjects
    await desk.bench.publisher.publish([letter(subjects, "1", 1)])
    chosen = await desk.letters.chosen(NONE)
    await desk.bench.publisher.publish([letter(subjects, "2", 2)])
    await LetterActs(desk.letters, desk.bench.publisher).drop(chosen, Tally())
    assert [ref.event_seq for ref in await desk.letters.chosen(NONE)] == [2]
