"""What a handler is given beside the event, and the events that it makes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from receiver.client.priority import Priority
from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.worker.execution import wait_for
from receiver.worker.routing import Handler
from receiver.worker.timers import Timers
from schemas.events import EventData

if TYPE_CHECKING:
    import httpx2

    from receiver.client.platform import PlatformAPI

ResultT = TypeVar("ResultT")
_PRIORITIES: Final[Mapping[str, Priority]] = MappingProxyType(
    {"replay": "replay", "reparse": "replay", "sweep": "sweep"}
)
"""The priority of the calls for an event by its origin; all others are `live`."""


class RunServices(Protocol):
    """What runs share."""

    @property
    def api(self) -> PlatformAPI | None:
        """The platform's API, where one is configured."""

    @property
    def http(self) -> httpx2.AsyncClient:
        """The HTTP client of the process."""

    def clock(self) -> datetime:
        """The time now."""

    async def store(self, events: Sequence[Event[EventData]]) -> None:
        """Publish events; raises `BusError` where one is not acknowledged."""


class RunContext:
    """The `Context` of one run; `published` are the ids of the events that it has stored."""

    def __init__(
        self,
        services: RunServices,
        handler: Handler,
        cause: Event[EventData],
        attempt: int,
        log: FilteringBoundLogger,
        timers: Timers,
    ) -> None:
        self._services = services
        self._handler = handler
        self._cause = cause
        self._loop = asyncio.get_running_loop()
        self._made = 0
        self._timers = timers
        self.published: list[str] = []
        self.attempt = attempt
        self.log = log

    @property
    def timer(self) -> str | None:
        """See `Context.timer`."""
        return self._timers.fired

    @property
    def settings(self) -> Any:
        """See `Context.settings`."""
        return self._handler.settings

    @property
    def api(self) -> PlatformAPI:
        """See `Context.api`."""
        if self._services.api is None:
            raise ConfigurationError(
                f"the handler {self._handler.name} asks for the platform's API and there is none: "
                "add an [api] section, and write Router(needs_api=True) in its module"
            )
        priority = _PRIORITIES.get(self._cause.origin)
        return self._services.api.with_priority(priority) if priority else self._services.api

    @property
    def http(self) -> httpx2.AsyncClient:
        """See `Context.http`."""
        return self._services.http

    def wait(self, awaitable: Awaitable[ResultT]) -> ResultT:
        """See `Context.wait`."""
        with contextlib.suppress(RuntimeError):
            if asyncio.get_running_loop() is self._loop:
                raise ConfigurationError("ctx.wait is for plain functions: write `await` instead")
        return asyncio.run_coroutine_threadsafe(wait_for(awaitable), self._loop).result()

    async def schedule(
        self,
        *,
        key: str,
        after: float | timedelta | None = None,
        at: datetime | None = None,
    ) -> None:
        """See `Context.schedule`."""
        await self._timers.schedule(key, after, at)

    async def cancel(self, key: str) -> None:
        """See `Context.cancel`."""
        await self._timers.cancel(key)

    async def publish(self, data: EventData) -> Event[EventData]:
        """See `Context.publish`."""
        (event,) = await self.publish_all([data])
        return event

    async def publish_all(self, made: Sequence[EventData]) -> Sequence[Event[EventData]]:
        """Publish events in order; their numbers go on from those already published."""
        first = self._made
        self._made += len(made)
        events = [
            derived(self._cause, self._handler, first + n, data, self._services.clock())
            for n, data in enumerate(made)
        ]
        if events:
            await self._services.store(events)
            self.published += [event.id for event in events]
        return events


def derived(
    cause: Event[EventData], handler: Handler, number: int, data: EventData, now: datetime
) -> Event[EventData]:
    """The event that a handler made from `cause`; its id is the same in every rerun."""
    return Event(
        id=f"{cause.id}.{handler.name}.{number}",
        source=cause.source,
        time=now,
        received_at=cause.received_at,
        data=data,
        callback_id=cause.callback_id,
        trust="requeried" if handler.needs_api else cause.trust,
        origin="handler",
        causation_id=cause.id,
        traceparent=cause.traceparent,
        simulated=cause.simulated,
    )
