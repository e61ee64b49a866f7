"""The handlers in processes below this one, which looks after them and speaks for them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from receiver.cli.code_watch import reloading_code
from receiver.cli.handler_processes import HandlerProcesses, running_handlers
from receiver.composition.bus import Bus
from receiver.composition.handler_port import below, bind_handler_port, serving_handlers
from receiver.composition.operations import watching_expiry
from receiver.settings import Settings


@contextlib.asynccontextmanager
async def supervised_handlers(
    settings: Settings, bus: Bus, *, reload: bool
) -> AsyncIterator[HandlerProcesses]:
    """Run them, serve their health and metrics, and warn of what expires; with `reload`, run them
    anew when their code changes. Raises `ConfigurationError`.
    """
    listener = bind_handler_port(settings)
    async with contextlib.AsyncExitStack() as stack:
        processes = await stack.enter_async_context(running_handlers(settings, bus))
        if reload:
            await stack.enter_async_context(reloading_code(settings, processes))
        await stack.enter_async_context(watching_expiry(settings, bus, lambda _: True))
        workers, count = below(bus, processes.pids), settings.handlers.processes
        served = serving_handlers(settings, bus, listener, workers, count=count)
        await stack.enter_async_context(served)
        yield processes
