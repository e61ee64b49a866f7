"""What a handler is given beside the event, and the events that it makes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from structlog.typing import FilteringBoundLogger

from receiver.bus.headers import FORCED
from receiver.client.priority import Priority
from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.projection.state import Arrival, OrderState
from receiver.worker.effects.ledger import Asked
from receiver.worker.effects.once import Once, check_names, check_outside
from receiver.worker.execution import wait_for
from receiver.worker.interface import Resolve
from receiver.worker.options import DEFAULT_TIMEOUT_S
from receiver.worker.routing import Handler
from receiver.worker.run_order import RunOrder
from receiver.worker.run_tracing import made_in_trace
from receiver.worker.services import Services
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


class RunContext:
    """The `Context` of one run; `published` are the ids of the events that it has stored."""

    def __init__(
        self,
        services: Services,
        handler: Handler,
        cause: Event[EventData],
        attempt: int,
        log: FilteringBoundLogger,
        timers: Timers,
        order: RunOrder,
    ) -> None:
        self._services = services
        self._handler = handler
        self._cause = cause
        self._loop = asyncio.get_running_loop()
        self._made = 0
        self._timers = timers
        self._effects: set[tuple[str, str | None]] = set()
        self._order = order
        self._once: list[Once] = []
        self.published: list[str] = []
        self.attempt = attempt
        self.log = log

    @property
    def timer(self) -> str | None:
        """See `Context.timer`."""
        return self._timers.fired

    @property
    def arrival(self) -> Arrival:
        """See `Context.arrival`."""
        return self._order.arrival

    async def order(self) -> OrderState:
        """See `Context.order`."""
        return await self._order.state()

    @property
    def settings(self) -> Any:
        """See `Context.settings`."""
        return self._handler.settings

    @property
    def api(self) -> PlatformAPI:
        """See `Context.api`."""
        return api_for(self._cause, self._services.api, self._handler)

    @property
    def http(self) -> httpx2.AsyncClient:
        """See `Context.http`."""
        return self._services.http

    def now(self) -> datetime:
        """See `Context.now`."""
        return self._services.clock()

    def wait(self, awaitable: Awaitable[ResultT]) -> ResultT:
        """See `Context.wait`."""
        with contextlib.suppress(RuntimeError):
            if asyncio.get_running_loop() is self._loop:
                raise ConfigurationError("ctx.wait is for plain functions: write `await` instead")
        return asyncio.run_coroutine_threadsafe(wait_for(awaitable), self._loop).result()

    def once(
        self,
        name: str,
        *,
        key: str | None = None,
        resolve: Resolve | None = None,
        safe: Sequence[type[BaseException]] = (),
    ) -> Once:
        """See `Context.once`."""
        handler, cause = self._handler, self._cause
        check_names(name, key)
        if (name, key) in self._effects:
            raise ConfigurationError(
                f"ctx.once({name!r}) twice in one run is one effect: give each its name, or a key="
            )
        self._effects.add((name, key))
        asked = Asked(
            handler=handler.name,
            was=handler.options.was,
            name=name,
            fact=cause.fact_id if key is None else key,
            event_id=cause.id,
            event_type=cause.event_type,
            order_id=cause.order_id,
            attempt=self.attempt,
            timeout=timedelta(seconds=handler.options.timeout_s or DEFAULT_TIMEOUT_S),
            event_seq=self._timers.message.stream_seq or None,
            forced=self._timers.message.headers.get(FORCED, ""),
        )
        ledger = self._services.ledger
        once = Once(ledger, asked, resolve=resolve, safe=tuple(safe), wait=self.wait)
        self._once.append(once)
        return once

    def effects(self, *, here: bool) -> list[str]:
        """The names of the effects whose bodies ran in this run; else of those that were left out,
        since they had happened before."""
        return [once.asked.name for once in self._once if once.happens_here is here]

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
        """See `Context.publish`.

        A rerun leaves the body of an effect out: what it publishes behind would have the id of what
        was published in the body, and count as stored.
        """
        check_outside("ctx.publish")
        (event,) = await self.publish_all([data])
        return event

    async def publish_all(self, made: Sequence[EventData]) -> Sequence[Event[EventData]]:
        """Publish events in order; their numbers go on from those already published."""
        first, firing = self._made, self._timers.firing
        self._made += len(made)
        events = [
            derived(self._cause, self._handler, first + n, data, self._services.clock(), firing)
            for n, data in enumerate(made)
        ]
        if events:
            await self._services.store(events)
            self.published += [event.id for event in events]
        return events


def api_for(event: Event[Any], api: PlatformAPI | None, handler: Handler) -> PlatformAPI:
    """The calls for a run on `event`, which wait behind those for newer ones where it is run again;
    raises `ConfigurationError` where there are none.
    """
    if api is None:
        raise ConfigurationError(
            f"the handler {handler.name} asks for the platform's API and there is none: "
            "add an [api] section, and write Router(needs_api=True) in its module"
        )
    priority = _PRIORITIES.get(event.origin)
    return api.with_priority(priority) if priority else api


def derived(
    cause: Event[EventData],
    handler: Handler,
    number: int,
    data: EventData,
    now: datetime,
    firing: int = 0,
) -> Event[EventData]:
    """The event that a handler made from `cause`; its id is the same in every rerun, and another
    in the run of a timer, whose sequence is `firing`.
    """
    run = f"t{firing}." if firing else ""
    return Event(
        id=f"{cause.id}.{handler.name}.{run}{number}",
        source=cause.source,
        time=now,
        received_at=cause.received_at,
        data=data,
        callback_id=cause.callback_id,
        trust="requeried" if handler.needs_api else cause.trust,
        origin="handler",
        causation_id=cause.id,
        **made_in_trace(cause),
        simulated=cause.simulated,
    )
