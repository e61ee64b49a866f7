"""The handlers of the settings, running."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from receiver.composition.api import opened_api, served_counts
from receiver.composition.bus import Bus
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers
from receiver.worker.consumer import ConsumerLimits
from receiver.worker.execution import contain_subtasks
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.watchdog import watching_loop
from receiver.worker.worker import Worker


@contextlib.asynccontextmanager
async def running_worker(settings: Settings, bus: Bus) -> AsyncIterator[Worker]:
    """Run the handlers; leaving lets the running ones finish within the grace time."""
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(opened_api(settings, bus))
        stack.enter_context(served_counts(settings, api))
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
            error_texts=settings.log.errors == "full",
        )
        contain_subtasks(asyncio.get_running_loop())
        stack.enter_context(watching_loop())
        await worker.start()
        try:
            yield worker
        finally:
            await worker.stop(bus.deadline)
