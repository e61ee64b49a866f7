"""A handler is rewound on three servers, while the leader of its consumer steps down."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.event import Event
from receiver.operations.handlers import HandlerOperations, Rewind
from receiver.testing import eventually
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import OrderCreated
from tests.bus.cluster import running_cluster
from tests.worker.conftest import Bench

pytestmark = pytest.mark.serial

ORDERS, EACH = 5, 8


async def test_a_handler_rewound_over_a_change_of_leader_runs_each_event_again_in_order(
    tmp_path: Path, subjects: Subjects
) -> None:
    router, seen, running = Router(), list[tuple[str, str]](), set[str]()

    @router.on(OrderCreated, start="all")
    async def note(event: Event[OrderCreated], ctx: Context) -> None:
        order = event.order_id or ""
        assert order not in running
        running.add(order)
        await asyncio.sleep(0)
        running.discard(order)
        seen.append((order, event.data.order_no or ""))

    async with contextlib.AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(running_cluster(tmp_path))
        connection = Connection(cluster.url, plans(subjects, [timedelta(hours=1)], replicas=3))
        stack.push_async_callback(connection.stop)
        assert await connection.start(patience_s=60)
        bench = Bench(connection, JetStreamPublisher(connection), subjects)
        for number in range(EACH):
            await bench.store(
                *(
                    OrderCreated(channel="1688", order_id=f"o{order}", order_no=f"{number}")
                    for order in range(ORDERS)
                )
            )
        for _ in range(2):  # one owns the handler, one stands by
            stack.push_async_callback((await bench.work(router)).stop)
        await eventually(lambda: len(seen) >= ORDERS * EACH, within_s=60)
        await bench.handled(router)
        seen.clear()

        operating = HandlerOperations(
            connection, subjects, list(router.handlers), kept=timedelta(days=90)
        )
        rewinding = asyncio.create_task(
            operating.rewind("note", Rewind(1, 0), by="root@desk", now=datetime.now(UTC))
        )
        stepping = f"CONSUMER.LEADER.STEPDOWN.{subjects.stream}.handler-note"
        await call(connection.client, stepping, {})
        await rewinding
        await call(connection.client, stepping, {})
        await eventually(lambda: len(set(seen)) == ORDERS * EACH, within_s=60)
        await bench.handled(router)
        for order in range(ORDERS):
            numbers = [int(number) for of, number in seen if of == f"o{order}"]
            assert list(dict.fromkeys(numbers)) == list(range(EACH))
