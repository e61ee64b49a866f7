"""The state of orders on a real server: folded from the log, whoever folds it, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.message import OutgoingMessage, StoredMessage
from receiver.bus.publish.contract import Publisher
from receiver.bus.read.history import Span, opened_history
from receiver.bus.read.order_log import OrderLog
from receiver.bus.state.keys import order_key
from receiver.bus.state.store import StateStore
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.event import Event
from receiver.projection.orders import fold
from receiver.projection.state import MAX_HISTORY, OrderState, empty
from receiver.testing import NOON, make_event
from receiver.worker.order_states import OrderStates
from schemas.events import (
    EventData,
    LogisticsShipped,
    OrderCreated,
    OrderStatusChanged,
    Parcel,
    PaymentSucceeded,
)
from schemas.statuses import OrderStatus

ORDER = "2745812000123456789"


def status(word: OrderStatus, minute: int, order_id: str = ORDER) -> Event[EventData]:
    data = OrderStatusChanged(channel="1688", order_id=order_id, status=word)
    time = NOON + timedelta(minutes=minute)
    return make_event(data, id=f"{order_id}-{word}-{minute}.0", time=time, received_at=time)


LIFE: Sequence[Event[EventData]] = (
    make_event(OrderCreated(channel="1688", order_id=ORDER, status=OrderStatus.AWAITING_PAYMENT)),
    make_event(
        PaymentSucceeded(channel="1688", order_id=ORDER, status=OrderStatus.AWAITING_SHIPMENT),
        time=NOON + timedelta(minutes=1),
    ),
    make_event(
        LogisticsShipped(
            channel="1688", order_id=ORDER, parcels=(Parcel(carrier="YTO", waybill_no="YT1"),)
        ),
        time=NOON + timedelta(minutes=2),
    ),
)


@dataclass
class House:
    """A stream of events, and a store of states beside it."""

    connection: Connection
    publisher: Publisher
    subjects: Subjects
    store: StateStore
    processes: list[OrderStates] = field(default_factory=list)

    def states(self) -> OrderStates:
        """What one process has."""
        made = OrderStates(self.store, OrderLog(self.connection, self.subjects))
        self.processes.append(made)
        return made

    async def put(self, *events: Event[EventData]) -> list[StoredMessage]:
        """The events as the stream holds them."""
        for event in events:
            await self.publisher.publish([encode_event(event, self.subjects)])
        return (await self.stored())[-len(events) :]

    async def stored(self) -> list[StoredMessage]:
        span = Span((self.subjects.all_events,))
        async with opened_history(self.connection, self.subjects.stream, span) as history:
            return [stored async for stored in history.read()]

    async def entry(self, order_id: str = ORDER) -> bytes | None:
        """What is kept once all is written."""
        for states in self.processes:
            await states.flush()
        return (await self.store.get(order_key("1688", order_id))).value

    async def delete_states(self) -> None:
        await call(self.connection.client, f"STREAM.DELETE.{self.subjects.state_stream}", {})


@pytest.fixture
async def house(
    connection: Connection, publisher: Publisher, subjects: Subjects
) -> AsyncIterator[House]:
    store = StateStore(connection, subjects)
    await store.ensure()
    made = House(connection, publisher, subjects, store)
    yield made
    for states in made.processes:
        await states.flush()
    await store.stop()
    await made.delete_states()


def folded(events: Sequence[Event[EventData]], stored: Sequence[StoredMessage]) -> OrderState:
    state = empty("1688", ORDER)
    for event, message in zip(events, stored, strict=True):
        state, _ = fold(state, event, message.stream_seq)
    return state


async def test_what_came_before_is_folded_in_with_an_event(house: House) -> None:
    stored = await house.put(*LIFE)
    other = await house.put(status(OrderStatus.SHIPPED, 3, "another"))

    at = await house.states().at(LIFE[2], stored[2], ORDER)

    assert at.arrival == "advance"
    assert (at.state.status, at.state.is_paid) == (OrderStatus.SHIPPED, True)
    assert at.state.parcels["YT1"].carrier == "YTO"
    assert at.state == folded(LIFE, stored)
    assert await house.entry() == at.state.to_json()
    assert other[0].stream_seq not in [past.seq for past in at.state.history]


async def test_an_event_that_was_folded_keeps_its_arrival(house: House) -> None:
    again = make_event(LIFE[1].data, id="again.0", fact_id=LIFE[1].fact_id)
    events = [*LIFE, again]
    stored = await house.put(*events)
    states = house.states()
    await states.at(again, stored[3], ORDER)

    arrivals = [
        (await states.at(event, message, ORDER)).arrival
        for event, message in zip(events, stored, strict=True)
    ]

    assert arrivals == ["advance", "advance", "advance", "duplicate"]
    assert await house.entry() == folded(events, stored).to_json()


async def test_processes_that_fold_one_order_at_once_agree(house: House) -> None:
    events = [status(OrderStatus.SHIPPED, minute) for minute in range(30)]
    stored = await house.put(*events)
    processes = [house.states() for _ in range(3)]

    results = await asyncio.gather(
        *(
            states.at(event, message, ORDER)
            for event, message in zip(events, stored, strict=True)
            for states in processes
        )
    )

    assert {result.arrival for result in results} == {"advance"}
    assert await house.entry() == folded(events, stored).to_json()


async def test_states_are_folded_anew_where_their_stream_is_gone(house: House) -> None:
    stored = await house.put(*LIFE)
    states = house.states()
    await states.at(LIFE[1], stored[1], ORDER)
    assert await house.entry()
    await house.delete_states()

    with pytest.raises(BusError):
        await states.at(LIFE[2], stored[2], ORDER, fresh=True)
    at = await states.at(LIFE[2], stored[2], ORDER)

    assert at.state == folded(LIFE, stored)
    assert await house.entry() == at.state.to_json()


async def test_a_state_that_cannot_be_kept_is_folded_from_the_log(house: House) -> None:
    stored = await house.put(*LIFE)
    states = house.states()
    await states.at(LIFE[0], stored[0], ORDER)
    assert await house.entry()
    config: dict[str, Any] = (
        await call(house.connection.client, f"STREAM.INFO.{house.subjects.state_stream}", {})
    )["config"]
    verb = f"STREAM.UPDATE.{house.subjects.state_stream}"
    assert "error" not in await call(house.connection.client, verb, config | {"max_bytes": 1})

    first, second = [
        await states.at(event, message, ORDER)
        for event, message in zip(LIFE[1:], stored[1:], strict=True)
    ]

    assert (first.arrival, second.arrival) == ("advance", "advance")
    assert second.state == folded(LIFE, stored)
    assert await house.entry() != second.state.to_json()


async def test_the_state_goes_on_where_the_log_is_expired(house: House) -> None:
    stored = await house.put(*LIFE)
    await house.states().at(LIFE[1], stored[1], ORDER)
    assert await house.entry()
    purge = f"STREAM.PURGE.{house.subjects.stream}"
    await call(house.connection.client, purge, {"seq": stored[2].stream_seq})

    at = await house.states().at(LIFE[2], stored[2], ORDER)

    assert at.state == folded(LIFE, stored)


async def test_an_event_beyond_the_history_is_what_it_was(house: House) -> None:
    late = status(OrderStatus.AWAITING_PAYMENT, 0)
    others = [status(OrderStatus.SHIPPED, minute) for minute in range(1, MAX_HISTORY + 3)]
    events = [others[0], late, *others[1:]]
    stored = await house.put(*events)
    states = house.states()
    newest = await states.at(events[-1], stored[-1], ORDER)
    assert newest.state.arrival_of(late.id) is None

    first = await states.at(events[0], stored[0], ORDER)
    second = await states.at(late, stored[1], ORDER)

    assert (first.arrival, second.arrival) == ("advance", "stale")
    assert second.state == newest.state


async def test_a_log_that_was_made_anew_is_folded_into_the_state(house: House) -> None:
    events = [status(OrderStatus.SHIPPED, minute) for minute in range(3)]
    stored = await house.put(*events)
    await house.states().at(events[-1], stored[-1], ORDER)
    assert await house.entry()
    closed = status(OrderStatus.CLOSED, 9)
    (in_new_log,) = await house.put(closed)
    renumbered = StoredMessage(
        in_new_log.nats_subject, in_new_log.headers, in_new_log.body, 1, in_new_log.stored_at
    )

    at = await house.states().at(closed, renumbered, ORDER)

    assert (at.arrival, at.state.status) == ("advance", OrderStatus.CLOSED)


async def test_what_cannot_be_read_is_left_out(house: House) -> None:
    (first,) = await house.put(LIFE[0])
    subject = house.subjects.event("1688", "order.created", ORDER)
    strange = OutgoingMessage.of(subject, {"Nats-Msg-Id": "strange"}, b"not ours")
    await house.publisher.publish([strange])
    (last,) = await house.put(LIFE[1])

    at = await house.states().at(LIFE[1], last, ORDER)

    assert [past.seq for past in at.state.history] == [first.stream_seq, last.stream_seq]


async def test_an_entry_that_cannot_be_read_is_folded_anew(house: House) -> None:
    stored = await house.put(*LIFE)
    await house.store.put(order_key("1688", ORDER), b"no state", 0)

    at = await house.states().at(LIFE[2], stored[2], ORDER)

    assert await house.entry() == at.state.to_json() == folded(LIFE, stored).to_json()


async def test_an_order_of_ten_thousand_events_has_a_small_state(house: House) -> None:
    words = [*OrderStatus] * 1250
    events = [status(word, minute) for minute, word in enumerate(words)]
    messages = [encode_event(event, house.subjects) for event in events]
    for start in range(0, len(messages), 500):
        await house.publisher.publish(messages[start : start + 500])
    stored = await house.stored()

    at = await house.states().at(events[-1], stored[-1], ORDER)

    assert at.state.events == len(events) == 11_250
    assert at.state == folded(events, stored)
    assert len(at.state.to_json()) < 10_000
