"""The state of orders on three servers, each process on another: a replica may be behind."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.read.order_log import OrderLog
from receiver.bus.state.keys import order_key
from receiver.bus.state.store import StateStore
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.projection.orders import fold
from receiver.projection.state import OrderState, empty
from receiver.testing import NOON, make_event
from receiver.worker.order_states import OrderStates
from schemas.events import OrderStatusChanged
from schemas.statuses import OrderStatus
from tests.bus.cluster import running_cluster

ORDERS, EVENTS = 5, 40
WORDS = [*OrderStatus]


async def test_processes_on_three_servers_fold_the_same(tmp_path: Path, subjects: Subjects) -> None:
    """Events are folded the moment they are acknowledged, by each process in turn, the last of all
    a second time by all of them at once."""
    expected: dict[str, OrderState] = {}
    async with contextlib.AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(running_cluster(tmp_path))
        processes, stores = [], []
        for url in cluster.urls.values():
            opened = Connection(url, plans(subjects, [timedelta(hours=1)], replicas=3))
            stack.push_async_callback(opened.stop)
            assert await opened.start(patience_s=60)
            stores.append(StateStore(opened, subjects, timeout_s=30))
            stack.push_async_callback(stores[-1].stop)
            await stores[-1].ensure()
            log = OrderLog(opened, subjects, timeout_s=30)
            processes.append((JetStreamPublisher(opened), OrderStates(stores[-1], log)))
        for number in range(EVENTS):
            for order in map(str, range(ORDERS)):
                word = WORDS[(number * 7 + int(order)) % len(WORDS)]
                data = OrderStatusChanged(channel="1688", order_id=order, status=word)
                time = NOON + timedelta(minutes=number)
                event = make_event(data, id=f"{order}-{number}.0", time=time)
                message = encode_event(event, subjects)
                publisher, _ = processes[number % 3]
                (stored,) = await publisher.publish([message])
                held = StoredMessage(
                    message.subject, message.headers, message.body, stored.stream_seq, NOON
                )
                state, arrival = fold(
                    expected.get(order, empty("1688", order)), event, stored.stream_seq
                )
                expected[order] = state
                at = await processes[(number + 1) % 3][1].at(event, held, order)
                assert (at.state, at.arrival) == (state, arrival)
                if number == EVENTS - 1:
                    together = (states.at(event, held, order) for _, states in processes)
                    assert {found.arrival for found in await asyncio.gather(*together)} == {arrival}
        for _, states in processes:
            await states.flush()
        for order, state in expected.items():
            assert (await stores[0].get(order_key("1688", order))).value == state.to_json()
