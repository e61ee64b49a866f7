"""The handlers of the settings, running."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from receiver.bus.connection import Connection
from receiver.bus.credentials import ConnectOptions, servers
from receiver.composition.api import opened_api, served_counts
from receiver.composition.bus import Bus, access
from receiver.composition.metrics import reporting_worker
from receiver.composition.tracing import traced
from receiver.errors import BusError
from receiver.settings import Settings
from receiver.worker.configuration import check_confirming, configured_handlers
from receiver.worker.execution import contain_subtasks
from receiver.worker.limits import ConsumerLimits
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler
from receiver.worker.watchdog import watching_loop
from receiver.worker.worker import Worker

_SECOND_S: Final = 0.5
"""How long a start waits for the second connection, which may also come later."""


def second_connection(
    first: Connection, options: ConnectOptions | None = None
) -> Connection | None:
    """A connection to another server than the `first` one is connected to, where the URL names
    several; it looks at no stream."""
    urls = servers(first.url)
    if len(urls) == 1:
        return None
    with contextlib.suppress(BusError):
        connected = first.client.connected_url
        ports = [urlsplit(url).netloc.rpartition("@")[2] for url in urls]
        at = connected.netloc.rpartition("@")[2] if connected else ""
        here = ports.index(at) if at in ports else 0
        urls = urls[here:] + urls[:here]
    others = ",".join([*urls[1:], urls[0]])
    in_order = replace(options or ConnectOptions(), in_order=True)
    return Connection(others, (), name="yizhan-presence", access=in_order)


@contextlib.asynccontextmanager
async def running_worker(
    settings: Settings,
    bus: Bus,
    *,
    handlers: Sequence[Handler] | None = None,
    on_blocked: Callable[[str], None] | None = None,
    guest: bool = False,
) -> AsyncIterator[Worker]:
    """Run the handlers, all of the settings unless some are given; leaving lets the running ones
    finish within the grace time. `on_blocked`: see `LoopWatchdog`, `guest`: see `Worker`. Raises
    `ConfigurationError`.
    """
    if handlers is None:
        handlers = configured_handlers(settings.handlers)
    check_confirming(handlers, configured=settings.api is not None)
    async with contextlib.AsyncExitStack() as stack:
        tracer = await stack.enter_async_context(
            traced(settings, service="yizhan-work", deadline=bus.deadline)
        )
        api = await stack.enter_async_context(opened_api(settings, bus))
        stack.enter_context(served_counts(settings, api))
        second = second_connection(bus.connection, access(settings))
        if second is not None:
            stack.push_async_callback(second.stop)
            await second.start(patience_s=_SECOND_S)
        worker = Worker(
            bus.connection,
            bus.publisher,
            bus.subjects,
            handlers,
            api=api,
            policy=RetryPolicy(max_attempts=settings.handlers.max_attempts),
            limits=ConsumerLimits(concurrency=settings.handlers.concurrency),
            grace_s=settings.handlers.grace_s,
            clock=lambda: datetime.now(UTC),
            sleep=asyncio.sleep,
            second=second,
            error_texts=settings.log.errors == "full",
            kept=timedelta(days=settings.nats.max_age_days),
            guest=guest,
        )
        worker.trace_by(tracer)
        contain_subtasks(asyncio.get_running_loop())
        stack.enter_context(watching_loop(on_blocked=on_blocked))
        await stack.enter_async_context(reporting_worker(bus, worker, api))
        await worker.start()
        try:
            yield worker
        finally:
            await worker.stop(bus.deadline)
