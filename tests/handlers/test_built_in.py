"""The built-in handlers beside a receiver, with the simulated platform as both its sides."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from standardwebhooks import Webhook

from handlers import order_sync
from receiver.bus.codec import decode_event
from receiver.bus.read.history import Span, opened_history
from receiver.cli.simulation import platform_config, with_simulated_api
from receiver.client.platform import PlatformAPI
from receiver.client.snapshots import order_snapshot, refund_snapshot
from receiver.composition.bus import Bus, opened_bus
from receiver.composition.receiver import running_receiver
from receiver.composition.worker import running_worker
from receiver.event import Event
from receiver.settings import HandlersSettings, development
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.serving import served
from receiver.testing import eventually
from receiver.web.server import base_url, bind
from schemas.events import (
    AftersalesRefundUpdated,
    AftersalesSynced,
    EventData,
    LogisticsShipped,
    LogisticsTracked,
    OrderSynced,
)
from schemas.statuses import Progress
from tests.handlers.test_notify import OLD, Endpoint

ORDERS = 10
"""So many show each fate on each channel."""

DataT = TypeVar("DataT", bound=EventData)


@dataclass
class Shop:
    """A platform that lives through orders, what is stored of them, and where `notify` posts."""

    platform: SimulatedPlatform
    api: PlatformAPI
    bus: Bus
    endpoint: Endpoint

    async def stored(self) -> list[Event[EventData]]:
        subjects = self.bus.subjects
        span = Span((f"{subjects.root}.events.>",))
        async with opened_history(self.bus.connection, subjects.stream, span) as history:
            return [decode_event(one.headers, one.body) async for one in history.read()]

    async def made(self, model: type[DataT]) -> list[DataT]:
        return [event.data for event in await self.stored() if isinstance(event.data, model)]

    async def last(self, model: type[DataT]) -> dict[str, DataT]:
        """The last of a type of each order."""
        return {data.order_id or "": data for data in await self.made(model)}

    async def all_signed(self) -> bool:
        """Whether every order that was shipped was last tracked as signed for."""
        tracked = await self.last(LogisticsTracked)
        shipped = {data.order_id for data in await self.made(LogisticsShipped)}
        return shipped == tracked.keys() and all(
            trace.progress is Progress.SIGNED for data in tracked.values() for trace in data.traces
        )

    async def all_as_the_api_says(self) -> bool:
        """Whether the last snapshot of each order and refund case is what the API says now."""
        orders = await self.last(OrderSynced)
        cases = {data.refund_id or "": data for data in await self.made(AftersalesSynced)}
        if orders.keys() != {event.order_id for event in await self.stored()}:
            return False
        if cases.keys() != {data.refund_id for data in await self.made(AftersalesRefundUpdated)}:
            return False
        return all(
            [data == await order_snapshot(self.api, data.channel, o) for o, data in orders.items()]
            + [
                data == await refund_snapshot(self.api, data.channel, data.order_id, case)
                for case, data in cases.items()
            ]
        )


def handlers_of(endpoint: Endpoint) -> HandlersSettings:
    own = {"url": endpoint.url, "secret": OLD, "include_simulated": True}
    sections: dict[str, Any] = {
        "order_sync": {"coalesce_s": 1},
        "fetch_tracking": {"settings": {"refresh_s": [1.0]}},
        "notify": {"settings": own},
    }
    return HandlersSettings.model_validate(sections)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    endpoint = Endpoint()
    async with contextlib.AsyncExitStack() as stack:
        endpoint.url = await stack.enter_async_context(served(endpoint))
        settings = development.defaults(tmp_path)
        settings = settings.model_copy(update={"handlers": handlers_of(endpoint)})
        listener = stack.enter_context(bind("127.0.0.1", 0))
        config = platform_config(settings, base_url(listener), speed=18_000.0, duplicate_rate=0.0)
        bus = await stack.enter_async_context(opened_bus(settings, name="test"))
        await stack.enter_async_context(running_receiver(settings, bus, listener))
        config = replace(config, sellers_act=False, step_s=0.1)
        platform = await stack.enter_async_context(SimulatedPlatform(config))
        settings = with_simulated_api(settings, platform)
        assert settings.api is not None
        fast = settings.api.model_copy(update={"rate_per_s": 1000.0})
        settings = settings.model_copy(update={"api": fast})
        api = await stack.enter_async_context(PlatformAPI.open(fast))
        await stack.enter_async_context(running_worker(settings, bus))
        yield Shop(platform, api, bus, endpoint)


async def test_the_built_in_handlers_follow_orders_to_their_end(shop: Shop) -> None:
    await shop.platform.run(orders=ORDERS)
    await eventually(shop.all_signed, within_s=100)
    await eventually(shop.all_as_the_api_says, within_s=100)
    assert len(await shop.last(OrderSynced)) == ORDERS
    assert len(await shop.last(AftersalesSynced)) == 2


async def test_a_burst_of_an_order_is_synced_once_and_nothing_goes_round(shop: Shop) -> None:
    await shop.platform.run(orders=1)
    await eventually(shop.all_as_the_api_says, within_s=100)
    stored = await shop.stored()
    synced = [event for event in stored if isinstance(event.data, OrderSynced)]
    causes = [event for event in stored if type(event.data) in order_sync.router.handlers[0].models]
    assert 0 < len(synced) < len(causes)
    assert {event.causation_id for event in synced} < {event.id for event in causes}


async def test_notify_forwards_what_is_stored_and_what_handlers_made(shop: Shop) -> None:
    await shop.platform.run(orders=2)
    await eventually(shop.all_as_the_api_says, within_s=100)

    async def all_posted() -> bool:
        posted = {headers["webhook-id"] for headers, _ in shop.endpoint.taken}
        return posted == {event.fact_id for event in await shop.stored()}

    await eventually(all_posted, within_s=100)
    types = {Webhook(OLD).verify(body, headers)["type"] for headers, body in shop.endpoint.taken}
    assert {"yizhan.order.created.v1", "yizhan.order.synced.v1"} <= types
