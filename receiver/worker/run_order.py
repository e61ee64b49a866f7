"""What one run knows of its event's order: the state, and what the event is to it."""

from __future__ import annotations

from typing import Final

from receiver.bus.message import StoredMessage
from receiver.errors import APIError, ConfigurationError
from receiver.event import Event
from receiver.projection.arrivals import settled
from receiver.projection.orders import time_of
from receiver.projection.state import Arrival, OrderState
from receiver.worker.order_states import Folded
from receiver.worker.routing import Handler
from receiver.worker.run_tracing import made_in_trace
from receiver.worker.services import Services
from schemas.events import EventData, OrderSynced

_SETTLED: Final = "settled"
"""Stands for a handler's name in the id of an `order.synced` that settles a conflict."""


class RunOrder:
    """Of one run; `message` is the event as it was stored first."""

    def __init__(
        self, services: Services, handler: Handler, message: StoredMessage, event: Event[EventData]
    ) -> None:
        self._services = services
        self._handler = handler
        self._message = message
        self._event = event
        self._arrival: Arrival | None = None
        self._state: OrderState | None = None

    @property
    def arrival(self) -> Arrival:
        """See `Context.arrival`."""
        if self._arrival is None:
            raise ConfigurationError(
                f"the handler {self._handler.name} asks for ctx.arrival and keeps no state: write "
                "@router.on(..., state=True)"
            )
        return self._arrival

    async def arrive(self) -> Arrival | None:
        """Fold the event, where the handler asks for that; None where it does not.

        A conflict is settled by asking the API, where there is one: what it says is published and
        folded, too. Raises `BusError`, and `APIError` where a later attempt may get an answer.
        """
        if not self._handler.options.state:
            return None
        order_id = self._event.order_id
        if not order_id:
            self._arrival = "advance"
            return self._arrival
        folded = await self._services.orders.at(self._event, self._message, order_id)
        arrival = folded.arrival
        if arrival == "conflict":
            arrival, folded = await self._settled(folded, order_id)
        self._arrival, self._state = arrival, folded.state if folded.is_current else None
        return arrival

    async def state(self) -> OrderState:
        """See `Context.order`."""
        order_id = self._event.order_id
        if not order_id:
            raise ConfigurationError(
                f"the handler {self._handler.name} asks for ctx.order() and the event names no "
                "order: look at event.order_id first"
            )
        if self._state is None:
            orders = self._services.orders
            self._state = (await orders.at(self._event, self._message, order_id, fresh=True)).state
        return self._state

    async def _settled(self, folded: Folded, order_id: str) -> tuple[Arrival, Folded]:
        """What a conflict is after the API was asked; that may have been before this run."""
        event, time = self._event, time_of(self._event)
        services = self._services
        arrival = settled(folded.state, event, time)
        if arrival != "conflict" or services.api is None or event.data.channel == "unknown":
            return arrival, folded
        from receiver.client.snapshots import order_snapshot  # the models of replies load slowly

        try:
            said = await order_snapshot(services.api, event.data.channel, order_id)
        except APIError as error:
            if error.retryable:
                raise
            return "conflict", folded
        made = self._made(said)
        (stored,) = await services.store([made])
        at = StoredMessage("", {}, b"", stored.stream_seq, services.clock())
        folded = await services.orders.at(made, at, order_id)
        return settled(folded.state, event, time), folded

    def _made(self, said: OrderSynced) -> Event[EventData]:
        """As a handler's event; each answer of the API is one of its own."""
        event, now = self._event, self._services.clock()
        return Event(
            id=f"{event.id}.{_SETTLED}.{int(now.timestamp())}",
            source=event.source,
            time=now,
            received_at=event.received_at,
            data=said,
            callback_id=event.callback_id,
            trust="requeried",
            origin="handler",
            causation_id=event.id,
            **made_in_trace(event),
            simulated=event.simulated,
        )
