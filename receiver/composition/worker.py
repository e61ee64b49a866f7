"""The handlers of the settings, running."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from receiver.composition.api import opened_api
from receiver.composition.bus import Bus
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers
from receiver.worker.consumer import ConsumerLimits
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.worker import Worker


@contextlib.asynccontextmanager
async def running_worker(settings: Settings, bus: Bus) -> AsyncIterator[Worker]:
    """Run the handlers; leaving lets the running ones finish within the grace time."""
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(opened_api(settings))
        worker = Worker(
            bus.connection,
            bus.publisher,
            bus.subjects,
            configured_handlers(settings.handlers),
            api=api,
            policy=RetryPolicy(max_attempts=settings.handlers.max_attempts),
            limits=ConsumerLimits(concurrency=settings.handlers.concurrency),
            grace_s=settings.handlers.grace_s,
            clock=lambda: datetime.now(UTC),
            sleep=asyncio.sleep,
        )
        await worker.start()
        try:
            yield worker
        finally:
            await worker.stop(bus.deadline)
