"""A log as receivers and handlers leave it, for `bench.look`: callbacks with their events, the
states and numbers of their orders, dead letters.

Events are made as the receiver makes them, by parsing callbacks, and stored in batches by several
processes; the lives of a thousand orders take turns. States are folded from the first and the last
event of each order, which name all its numbers.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Final

from receiver.bus.callback_codec import encode_callback
from receiver.bus.codec import decode_event
from receiver.bus.connection import Connection
from receiver.bus.dead_letters import Failure, encode_dead_letter
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.reader import Reader
from receiver.bus.state.keys import order_key
from receiver.bus.state.numbers import NumberOfOrder, keep
from receiver.bus.state.store import StateStore
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.projection.numbers import Number, numbers_of
from receiver.projection.orders import fold
from receiver.projection.state import OrderState, empty
from receiver.settings import SourceSettings

SUBJECTS: Final = Subjects()
AN_ORDER: Final = 5
"""Events of each order."""
CAUSES: Final = 40
HANDLERS: Final = 5
_SOURCE: Final = SourceSettings(name="filled", dialect="xport", verification="none")
_BEGUN_AT_ONCE: Final = 1_000
_MESSAGES_AT_ONCE: Final = 200
_KINDS: Final = (
    "ORDER_CREATE",
    "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY",
    "ORDER_PAY_SUCCESS",
    "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS",
)


def order_id(order: int) -> str:
    """The platform's id of an order of the log."""
    return str(1_000_000_000_000_000_000 + order)


def waybill(order: int) -> str:
    """The number of its parcel."""
    return f"YT{order:013}"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection with the streams there."""
    connection = Connection(url, plans(SUBJECTS, [timedelta(hours=2)]))
    await connection.start(patience_s=30)
    yield connection
    await connection.stop()


async def fill(url: str, first: int, last: int, *, processes: int) -> None:
    """Store the lives of orders, from the first one up to before the last."""
    loop = asyncio.get_running_loop()
    parts = [
        (url, start, min(start + _BEGUN_AT_ONCE, last))
        for start in range(first, last, _BEGUN_AT_ONCE)
    ]
    with ProcessPoolExecutor(processes) as pool:
        filling = [loop.run_in_executor(pool, _fill_part, *part) for part in parts]
        for number, part in enumerate(filling):
            await part
            if number % 20 == 19:
                stored = parts[number][2] * AN_ORDER
                print(f"{stored:,} events stored", file=sys.stderr, flush=True)


@asynccontextmanager
async def stored_live(url: str, order: int, a_second: float) -> AsyncIterator[None]:
    """Store the first callbacks of new orders, from `order` on, so many a second."""

    async def store() -> None:
        async with connected(url) as connection:
            publisher = GroupCommitPublisher(connection, timeout_s=60)
            for number in count(order):
                await publisher.publish([*_messages([number], 0)])
                await asyncio.sleep(1 / a_second)

    storing = asyncio.create_task(store())
    yield
    storing.cancel()
    await asyncio.wait({storing})


async def bury(connection: Connection, letters: int) -> None:
    """Store dead letters of the first events, of several handlers and causes."""
    publisher = GroupCommitPublisher(connection, timeout_s=60)
    reader, seq, made = Reader(connection), 1, 0
    while made < letters:
        page = await reader.around(SUBJECTS.stream, SUBJECTS.all_events, seq, 100)
        seq = page[-1].stream_seq + 1
        for stored in page[: letters - made]:
            cause = made % CAUSES
            failure = Failure(
                handler=f"handler_{cause % HANDLERS}",
                reason=f"ValueError: reason {cause}",
                place=f"handlers/some.py:{cause}",
                attempts=3,
                nats_subject=stored.nats_subject,
                stream_seq=stored.stream_seq,
                time=datetime.now(UTC),
                fingerprint=f"{cause:012x}",
                traceback="Traceback (most recent call last)\n" * 20,
            )
            letter = encode_dead_letter(stored.headers, stored.body, failure, SUBJECTS)
            await publisher.publish([letter])
            made += 1
    await publisher.stop()


def _fill_part(url: str, first: int, last: int) -> None:
    asyncio.run(_store(url, range(first, last)))


async def _store(url: str, orders: range) -> None:
    async with connected(url) as connection:
        publisher = GroupCommitPublisher(connection, timeout_s=60)
        store = StateStore(connection, SUBJECTS, timeout_s=60)
        await store.ensure()
        states: dict[str, OrderState] = {}
        numbers: set[NumberOfOrder] = set()
        for turn in range(AN_ORDER):
            for start in range(0, len(orders), _MESSAGES_AT_ONCE):
                made = [*_messages(orders[start : start + _MESSAGES_AT_ONCE], turn)]
                stored = await publisher.publish(made)
                for message, place in zip(made, stored, strict=True):
                    if turn in {0, AN_ORDER - 1} and ".events." in message.subject:
                        _fold(message, place.stream_seq, states, numbers)
        await publisher.stop()
        await asyncio.gather(*(keep(store, one, likely_new=True) for one in numbers))
        puts = ((order_key("1688", one), state.to_json(), 0) for one, state in states.items())
        await asyncio.gather(*(store.put(*put) for put in puts))
        await store.stop()


def _fold(
    message: OutgoingMessage, seq: int, states: dict[str, OrderState], numbers: set[NumberOfOrder]
) -> None:
    event = decode_event(message.headers, message.body)
    order = event.order_id
    assert order
    states[order], _ = fold(states.get(order) or empty("1688", order), event, seq)
    of_order = partial(NumberOfOrder, channel="1688", order_id=order)
    numbers.update(of_order(*Number(*one)) for one in numbers_of(event.data))


def _messages(orders: Sequence[int], turn: int) -> Iterator[OutgoingMessage]:
    """The callback of each order's next turn, with its event."""
    now = datetime.now(UTC)
    for order in orders:
        kind, said = _callback(order, turn)
        content = {"messageType": kind, "messageBody": json.dumps(said), "messagePlatform": 1}
        request = InboundRequest(_SOURCE, (), json.dumps(content).encode(), now)
        verified = VerifiedRequest(request, Proof("none"))
        callback = DIALECTS["xport"].parse(verified)
        assert isinstance(callback, Callback)
        yield from encode_callback(verified, callback, SUBJECTS)


def _callback(order: int, turn: int) -> tuple[str, dict[str, Any]]:
    if turn < len(_KINDS):
        return _KINDS[turn], {
            "orderId": order_id(order),
            "orderNo": f"PO-{order}",
            "orderStatus": "WAITING_FOR_SENT",
            "totalAmount": 1200 + turn,
        }
    return "LOGISTICS_BUYER_VIEW_TRACE", {
        "logisticsId": f"LP{order:014}",
        "cpCode": "YTO",
        "mailNo": waybill(order),
        "statusChanged": "SIGN",
        "changeTime": "2026-01-31 08:00:00",
        "orderLogsItems": [{"orderId": int(order_id(order))}],
    }
