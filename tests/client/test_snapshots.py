"""What the simulated platform's API says of its orders and cases, as the data of events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from handlers.tracking import fetch_tracking
from receiver.client.platform import PlatformAPI
from receiver.errors import ConfigurationError
from receiver.replay.what_if.snapshots import SOURCES
from receiver.settings import APISettings
from receiver.simulator.orders import Order
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.signing import Account
from receiver.testing import make_event, run_handler
from receiver.testing.fake_api import FakeAPI
from schemas.events import EventData, LogisticsShipped
from schemas.statuses import OrderStatus, RefundStatus
from schemas.values import Money
from tests.simulator.conftest import receiving
from yizhan.api import order_snapshot, refund_snapshot

CALLER = Account("caller", "hidden")


@pytest.fixture(scope="module")
async def platform() -> AsyncIterator[SimulatedPlatform]:
    """A platform on which ten orders have lived."""
    async with receiving() as noted:
        config = noted.config(api_account=CALLER)
        async with SimulatedPlatform(config) as running:
            await running.run(orders=10)
            yield running


@pytest.fixture
async def api(platform: SimulatedPlatform) -> AsyncIterator[PlatformAPI]:
    settings = APISettings(
        base_url=platform.api_url,
        access_key="caller",
        secret=SecretStr("hidden"),
        rate_per_s=1000,
    )
    async with PlatformAPI.open(settings) as opened:
        yield opened


def orders(platform: SimulatedPlatform, channel: str) -> list[Order]:
    return [order for order in platform.book.orders.values() if order.channel == channel]


@pytest.mark.parametrize("channel", ["1688", "taobao"])
async def test_an_order_is_as_the_platform_has_it(
    platform: SimulatedPlatform, api: PlatformAPI, channel: Any
) -> None:
    for order in orders(platform, channel):
        data = await order_snapshot(api, channel, order.order_id)
        assert (data.channel, data.order_id) == (channel, order.order_id)
        assert data.status is not OrderStatus.UNKNOWN
        assert data.amounts is not None
        assert data.amounts.total == Money.yuan(Decimal(order.total_fen) / 100)
        assert data.amounts.shipping == Money.yuan(Decimal(order.shipping_fen) / 100)
        assert data.created_at is not None
        assert (data.paid_at is None) == (order.paid_at is None)
        assert [line.line_id for line in data.lines] == list(order.line_ids)
        assert all(line.quantity and line.title and line.sku_id for line in data.lines)


async def test_a_line_of_taobao_has_its_parcel(
    platform: SimulatedPlatform, api: PlatformAPI
) -> None:
    order = next(order for order in orders(platform, "taobao") if order.parcel)
    data = await order_snapshot(api, "taobao", order.order_id)
    assert order.parcel is not None
    assert [p.waybill_no for p in data.lines[0].parcels] == [order.parcel.waybill_no]
    assert data.status is OrderStatus.SHIPPED


@pytest.mark.parametrize("channel", ["1688", "taobao"])
async def test_a_refund_case_is_as_the_platform_has_it(
    platform: SimulatedPlatform, api: PlatformAPI, channel: Any
) -> None:
    refund = next(r for r in platform.world.refunds.refunds.values() if r.order.channel == channel)
    data = await refund_snapshot(api, channel, refund.order.order_id, refund.refund_id)
    assert (data.refund_id, data.order_id) == (refund.refund_id, refund.order.order_id)
    assert data.status is not RefundStatus.UNKNOWN
    assert data.platform_status == refund.status
    assert data.amount == Money.yuan(Decimal(refund.payment_fen) / 100)


async def test_a_channel_without_an_api_is_said_to_have_none(api: PlatformAPI) -> None:
    with pytest.raises(ConfigurationError, match="no API knows the orders"):
        await order_snapshot(api, "unknown", "1")
    with pytest.raises(ConfigurationError, match="no API knows the refunds"):
        await refund_snapshot(api, "unknown", "1", "2")


async def test_a_reply_made_of_a_snapshot_gives_that_snapshot(
    platform: SimulatedPlatform, api: PlatformAPI
) -> None:
    """As `yizhan replay what-if` answers calls from what is stored."""
    for order in platform.book.orders.values():
        channel: Any = order.channel
        said = await order_snapshot(api, channel, order.order_id)
        assert await order_snapshot(answering(said), channel, order.order_id) == said
        shipped = make_event(LogisticsShipped(channel=channel, order_id=order.order_id))
        for tracked in (await run_handler(fetch_tracking, shipped, api=api)).published:
            if channel == "1688":
                again = await run_handler(fetch_tracking, shipped, api=answering(tracked.data))
                assert [event.data for event in again.published] == [tracked.data]
    for refund in platform.world.refunds.refunds.values():
        about: Any = (refund.order.channel, refund.order.order_id, refund.refund_id)
        case = await refund_snapshot(api, *about)
        assert await refund_snapshot(answering(case), *about) == case


def answering(data: EventData) -> FakeAPI:
    """Answers from a snapshot alone."""
    api = FakeAPI()
    for row, source in SOURCES.items():
        if (data.channel, type(data)) == (source.channel, source.model):
            api.answer(row.replace("_", "."), source.reply(data))
    return api
