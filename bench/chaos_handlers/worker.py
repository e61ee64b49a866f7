"""A worker process that notes when each run begins and ends."""

from __future__ import annotations

import asyncio
import os
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.chaos_handlers.effects import World, ship_once
from receiver.bus.connection import Connection
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.composition.worker import second_connection
from receiver.event import Event
from receiver.observability.logs import configure_logs
from receiver.settings import LogSettings
from receiver.worker.interface import Context
from receiver.worker.limits import ConsumerLimits
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Router
from receiver.worker.worker import Worker
from schemas.events import OrderCreated

RUN_S = (0.01, 0.02)


def work(url: str, replicas: int, log: str, killer: str, world: Path | None) -> None:
    """Handle events for ever; the run of the number `killer` ends the process. Where there is a
    `world`, each run has an effect on it."""
    configure_logs(LogSettings(level="info"), stream=Path(f"{log}.out").open("a"))  # noqa: SIM115
    asyncio.run(_work(url, replicas, _router(log, killer, world)))


async def _work(url: str, replicas: int, router: Router) -> None:
    subjects = Subjects()
    connection = Connection(url, plans(subjects, [timedelta(hours=1)], replicas=replicas))
    await connection.start(patience_s=30)
    second = second_connection(connection)
    if second is not None:
        await second.start(patience_s=5)
    worker = Worker(
        connection,
        JetStreamPublisher(connection, timeout_s=10),
        subjects,
        router.handlers,
        api=None,
        policy=RetryPolicy(),
        limits=ConsumerLimits(),
        grace_s=5,
        clock=lambda: datetime.now(UTC),
        sleep=asyncio.sleep,
        second=second,
    )
    await worker.start()
    await asyncio.Event().wait()


def _router(log: str, killer: str, world: Path | None) -> Router:
    router, outside = Router(), World(world) if world else None
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(what: str, event: Event[OrderCreated], attempt: int) -> None:
        line = f"{what} {time.monotonic():.6f} {event.data.order_id} {event.data.order_no}"
        os.write(file, f"{line} {attempt}\n".encode())

    @router.on(OrderCreated, start="all")
    async def chaos(event: Event[OrderCreated], ctx: Context) -> None:
        note("S", event, ctx.attempt)
        if event.data.order_no == killer:
            os._exit(1)
        if outside is None:
            await asyncio.sleep(random.uniform(*RUN_S))
        else:
            await ship_once(outside, event, ctx)
        note("E", event, ctx.attempt)

    return router
