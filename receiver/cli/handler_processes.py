"""The processes that run the handlers: so many, and one more for each handler that has to be alone.

A handler that blocks the event loop holds up every other one of its process. It is run in a process
of its own from then on, and the processes that had it beside others are replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from receiver.cli.handler_process import HandlerProcess, Share
from receiver.composition.bus import Bus
from receiver.errors import ConfigurationError
from receiver.observability.logs import get_logger
from receiver.resilience.cancellation import cancel
from receiver.resilience.deadline import Deadline
from receiver.settings import Settings

_BLOCKED_GRACE_S: Final = 1.0
"""What a process gets to end whose event loop is blocked: it cannot let runs finish."""


class HandlerProcesses:
    """Several of them, each with the same handlers, of which one at a time owns a handler; and
    those of handlers that block."""

    def __init__(self, settings: Settings, nats_url: str, deadline: Deadline) -> None:
        self._settings = settings
        self._nats_url = nats_url
        self._deadline = deadline
        self._shared = self._shares(())
        self._alone: list[HandlerProcess] = []
        self._starting: Sequence[HandlerProcess] = ()
        self._leaving: Sequence[HandlerProcess] = ()
        self._blocking: tuple[str, ...] = ()
        self._moves = asyncio.Lock()
        self._moving: set[asyncio.Task[None]] = set()
        self._log = get_logger("yizhan.handlers")

    def pids(self) -> list[int]:
        """Their process ids, 0 for one that does not run."""
        return [process.pid for process in (*self._shared, *self._alone)]

    async def start(self) -> None:
        """See `HandlerProcess`."""
        await _started(self._shared)

    async def restart(self) -> None:
        """Run what the modules hold now, all handlers beside each other again; see
        `HandlerProcess`."""
        async with self._moves:
            await asyncio.gather(*(process.stop(self._grace()) for process in self._alone))
            self._alone, self._blocking = [], ()
            for process in self._shared:
                process.share = Share()
            await asyncio.gather(*(process.restart() for process in self._shared))

    def begin_stop(self) -> None:
        """See `HandlerProcess`."""
        for process in self._all():
            process.begin_stop()

    async def stop(self) -> None:
        """See `HandlerProcess`."""
        for task in tuple(self._moving):
            await cancel(task)
        await asyncio.gather(*(process.stop() for process in self._all()))

    def _all(self) -> Sequence[HandlerProcess]:
        return (*self._shared, *self._alone, *self._starting, *self._leaving)

    def _shares(self, without: tuple[str, ...]) -> list[HandlerProcess]:
        share = Share(without)
        return [self._process(share) for _ in range(self._settings.handlers.processes)]

    def _process(self, share: Share) -> HandlerProcess:
        return HandlerProcess(
            self._settings, self._nats_url, self._deadline, share, self._on_blocked
        )

    def _grace(self) -> Deadline:
        return Deadline(self._deadline.grace_s)

    def _on_blocked(self, process: HandlerProcess, name: str) -> None:
        task = asyncio.create_task(self._isolate(process, name), name="handler-isolation")
        self._moving.add(task)
        task.add_done_callback(self._moving.discard)

    async def _isolate(self, blocked: HandlerProcess, name: str) -> None:
        """Start what takes their place before the old processes stop, so that nothing waits."""
        async with self._moves:
            if name in self._blocking:
                return
            without = (*self._blocking, name)
            shared, alone = self._shares(without), self._process(Share(alone=name))
            self._starting = [*shared, alone]
            try:
                await _started(self._starting)
            except (ConfigurationError, OSError) as error:  # go on as it was
                self._log.error("handlers_not_started", error=str(error))
                await asyncio.gather(*(process.stop(self._grace()) for process in self._starting))
                self._starting = ()
                return
            self._leaving, self._starting = self._shared, ()
            self._shared, self._alone = shared, [*self._alone, alone]
            self._blocking = without
            self._log.warning("handler_isolated", handler=name)
            short = Deadline(min(_BLOCKED_GRACE_S, self._deadline.grace_s))
            await asyncio.gather(
                *(
                    process.stop(short if process is blocked else self._grace())
                    for process in self._leaving
                )
            )
            self._leaving = ()


async def _started(processes: Sequence[HandlerProcess]) -> None:
    starting = (process.start() for process in processes)
    for error in await asyncio.gather(*starting, return_exceptions=True):
        if error is not None:
            raise error


@contextlib.asynccontextmanager
async def running_handlers(settings: Settings, bus: Bus) -> AsyncIterator[HandlerProcesses]:
    """Run the handlers in `handlers.processes` children; leaving lets the running ones finish in
    grace time.
    """
    processes = HandlerProcesses(settings, bus.url, bus.deadline)
    try:
        await processes.start()
        yield processes
    finally:
        await processes.stop()
