"""What the runs of a process share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from receiver.bus.codec import encode_event
from receiver.bus.publish.contract import Publisher, Stored
from receiver.bus.read.order_log import EventsOfOrders
from receiver.bus.schedules import Schedules
from receiver.bus.state.store import Entries
from receiver.bus.stream_plan import MARGIN
from receiver.bus.subjects import Subjects
from receiver.event import Event
from receiver.observability.trace_context import STORING
from receiver.worker.effects.ledger import Ledger
from receiver.worker.http import SharedHTTP
from receiver.worker.order_states import NoEvents, OrderStates
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.run_records import RunRecords
from schemas.events import EventData

if TYPE_CHECKING:
    import httpx2

    from receiver.client.platform import PlatformAPI


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What runs share, as the worker, a replay or a test has it.

    `policy` is for handlers without one of their own. `state` holds what handlers keep: effects in
    the `ledger`, and `orders`, the states of orders, folded from the `log`. `api` is None where
    none is configured. What is made of an old event goes to `once`, which looks into the stream
    first: what an earlier run stored may be older than the duplicate window. Without `records` no
    run is recorded; without `texts`, errors are given by their types alone.
    """

    publisher: Publisher
    subjects: Subjects
    policy: RetryPolicy
    clock: Callable[[], datetime]
    schedules: Schedules
    state: Entries
    ledger: Ledger
    api: PlatformAPI | None = None
    once: Publisher | None = None
    records: RunRecords | None = None
    texts: bool = True
    shared_http: SharedHTTP = field(default_factory=SharedHTTP)
    log: EventsOfOrders = field(default_factory=NoEvents)
    orders: OrderStates = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "orders", OrderStates(self.state, self.log))

    @property
    def http(self) -> httpx2.AsyncClient:
        """See `Context.http`."""
        return self.shared_http.client

    async def aclose(self) -> None:
        """Store the states of orders and what became of effects, and close what the handlers had
        opened; no run is under way any more.
        """
        await self.orders.flush()
        await self.ledger.stop()
        await self.shared_http.aclose()

    async def store(self, events: Sequence[Event[EventData]]) -> Sequence[Stored]:
        """Publish events; raises `BusError` where one is not acknowledged."""
        old = self.clock() - events[0].received_at > MARGIN
        publisher = self.once if old and self.once is not None else self.publisher
        messages = [encode_event(event, self.subjects) for event in events]
        if (span := STORING.get()) is not None:
            messages = [message._replace(span=span) for message in messages]
        return await publisher.publish(messages)
