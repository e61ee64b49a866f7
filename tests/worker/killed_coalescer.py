"""A worker process that is killed between the schedule that it stored and its acknowledgement."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from receiver.bus.connection import Connection
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.schedules import StreamSchedules
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.event import Event
from receiver.worker.interface import Context
from receiver.worker.limits import ConsumerLimits
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Router
from receiver.worker.worker import Worker
from schemas.events import OrderCreated

stored = StreamSchedules.put


async def stored_and_killed(*arguments: Any, **named: Any) -> bool:
    assert await stored(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
    return True


async def work(url: str, root: str) -> None:
    router = Router()

    @router.on(OrderCreated, start="all", coalesce=timedelta(hours=1))
    async def sync(event: Event[OrderCreated], ctx: Context) -> None:
        raise AssertionError("nothing is run here")

    subjects = Subjects(root)
    connection = Connection(url, plans(subjects, [timedelta(hours=1)]))
    await connection.start(patience_s=60)
    worker = Worker(
        connection,
        JetStreamPublisher(connection, timeout_s=60),
        subjects,
        router.handlers,
        api=None,
        policy=RetryPolicy(),
        limits=ConsumerLimits(),
        grace_s=5,
        clock=lambda: datetime.now(UTC),
        sleep=asyncio.sleep,
    )
    await worker.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    StreamSchedules.put = stored_and_killed  # type: ignore[method-assign]
    asyncio.run(work(*sys.argv[1:]))
