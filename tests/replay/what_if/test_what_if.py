"""What-if: today's code beside what was done then, and nothing that leaves the process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from receiver.event import Event
from receiver.replay.what_if.results import Difference
from receiver.testing import make_event
from receiver.worker.interface import Context
from schemas.events import (
    LogisticsShipped,
    OrderClosed,
    OrderCreated,
    OrderSynced,
    PaymentSucceeded,
)
from tests.replay.what_if.production import Production, version


@pytest.fixture
async def production(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
) -> AsyncIterator[Production]:
    made = Production(connection, publisher, subjects)
    await made.records.start()
    yield made
    await made.records.stop()


def created(order_id: str, **more: Any) -> Event[OrderCreated]:
    return make_event(OrderCreated(channel="1688", order_id=order_id, **more))


async def test_code_that_did_not_change_does_the_same(production: Production) -> None:
    async def then(event: Event[OrderCreated], ctx: Context) -> OrderClosed:
        return OrderClosed(channel="1688", order_id=event.order_id, reason="none")

    handler = version(then, OrderCreated)
    (one,) = await production.store(created("1"))
    assert await production.run(handler, one) == "done"
    await production.store(created("2"))
    same, new = await production.what_if(handler)
    assert (same.verdict, same.then.outcome, same.differences) == ("same", "done", [])
    assert same.then.published == same.now.published != []
    assert (new.verdict, new.then.outcome, new.now.outcome) == ("new", "no record", "done")
