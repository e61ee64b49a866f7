"""A whole life on each channel by calls alone: what they did is pushed, and a receiver reads it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from receiver.cli.simulation import platform_config, with_simulated_api
from receiver.client.platform import PlatformAPI
from receiver.composition.bus import Bus, opened_bus
from receiver.composition.receiver import running_receiver
from receiver.operations.audit import count_stored
from receiver.settings import development
from receiver.simulator.catalogue import BAG_SHOP
from receiver.simulator.platform import SimulatedPlatform
from receiver.web.server import base_url, bind
from schemas.statuses import OrderStatus, RefundStatus
from schemas.values import Money
from tests.simulator.calling import HOME, RECEIVER, line_of


@dataclass
class Everything:
    """A platform, a client of it, and a receiver of its callbacks."""

    platform: SimulatedPlatform
    api: PlatformAPI
    bus: Bus

    def act(self, times: int = 1) -> None:
        """Let sellers and carriers do their next steps."""
        for _ in range(times):
            self.platform.world.act()

    async def events(self, callbacks: int) -> Counter[str]:
        """The types of the events that are stored once so many callbacks were acknowledged."""
        while self.platform.counts.acknowledged < callbacks:
            await asyncio.sleep(0.01)
        found = await count_stored(self.bus.connection, self.bus.subjects)
        assert self.platform.counts.acknowledged == callbacks == len(found.callbacks)
        return found.event_types


@pytest.fixture
async def everything(tmp_path: Path) -> AsyncIterator[Everything]:
    """A retry comes after 0.1 s, so that a slow machine only takes longer."""
    settings = development.defaults(tmp_path)
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(bind("127.0.0.1", 0))
        config = platform_config(settings, base_url(listener), speed=18_000.0, duplicate_rate=0.0)
        config = replace(config, sellers_act=False, cancel_after_s=0.0)
        bus = await stack.enter_async_context(opened_bus(settings, name="test"))
        await stack.enter_async_context(running_receiver(settings, bus, listener))
        platform = await stack.enter_async_context(SimulatedPlatform(config))
        api = with_simulated_api(settings, platform).api
        assert api is not None
        client = await stack.enter_async_context(PlatformAPI.open(api))
        yield Everything(platform, client, bus)


async def test_an_order_of_1688_lives_from_search_to_refund(everything: Everything) -> None:
    alibaba = everything.api.alibaba
    offer = (await alibaba.products.search_store(keyword="包", seller_open_id=BAG_SHOP)).items[0]
    assert offer.offer_map_id is not None
    sku = (await alibaba.products.detail(offer.offer_map_id)).product_sku_infos[1]
    await alibaba.cart.add(offer_map_id=offer.offer_map_id, spec_id=sku.spec_id, quantity=2)
    (entry,) = (await alibaba.cart.list()).items
    assert entry.id is not None
    made = await alibaba.cart.create_order(cart_ids=[entry.id], address_param=HOME)
    (order_id,) = made.order_ids
    assert (await alibaba.cart.list()).items == ()
    assert (await alibaba.orders.payment_url(order_id)).protocol_pay_success is True
    everything.act(times=5)

    (trace,) = (await alibaba.orders.logistics(order_id)).traces
    assert [node.action for node in trace.trace_node_list] == [
        *("CONSIGN", "ACCEPT", "TRANSPORT", "DELIVERING", "SIGN")
    ]
    detail = await alibaba.orders.detail(order_id)
    line = detail.product_items[0]
    assert (line.spec_id, line.sub_item_id is None) == (sku.spec_id, False)
    assert line.sub_item_id is not None
    await alibaba.orders.confirm_receipt(order_id, [line.sub_item_id])

    refund = await alibaba.refunds.create(
        order_id=order_id,
        order_entry_ids=[line.sub_item_id],
        dispute_request="returnRefund",
        apply_payment=5200,
        apply_carriage=0,
        apply_reason_id="20022",
        description="不想要了",
        goods_status="aftersaleBuyerReceived",
    )
    assert refund.refund_id is not None
    everything.act()
    await alibaba.refunds.submit_return(
        refund_id=refund.refund_id, logistics_company_no="SF", freight_bill="SF1"
    )
    everything.act()
    case = await alibaba.refunds.detail(refund.refund_id)
    assert case.our_status is RefundStatus.REFUNDED
    assert case.refund_payment == Money(amount=Decimal("52.00"))
    assert await everything.events(callbacks=13) == {
        "order.created": 1,
        "payment.succeeded": 1,
        "logistics.shipped": 1,
        "logistics.progressed": 4,
        "order.receipt_confirmed": 1,
        "order.completed": 1,
        "aftersales.refund_updated": 4,
    }


async def test_an_order_of_taobao_lives_from_search_to_refund(everything: Everything) -> None:
    taobao = everything.api.taobao
    item = (await taobao.products.search(keyword="包")).items[0]
    assert item.item_id is not None
    product = await taobao.products.detail(item.item_id)
    assert product.mp_id is not None
    known = everything.platform.world.catalogue.find("taobao", product.mp_id)
    assert known is not None
    made = await taobao.orders.create(
        purchase_amount=5000, receiver=RECEIVER, order_line_list=[line_of(known)]
    )
    (order_id,) = made.order_ids
    line_id = made.order_list[0].order_line_list[0].sub_purchase_order_id
    assert line_id is not None
    assert (await taobao.orders.pay([order_id])).will_pay == (order_id,)
    everything.act(times=5)

    (parcel,) = (await taobao.orders.logistics(line_id)).parcels
    assert parcel.traces[-1].status == "SIGNED"
    detail = await taobao.orders.detail(order_id)
    assert detail.our_status is OrderStatus.SHIPPED
    refund = await taobao.refunds.submit(
        sub_order_id=line_id, refund_type=2, goods_status=4, reason_id=403769, refund_fee=5000
    )
    assert refund.refund_id is not None
    everything.act()
    await taobao.refunds.submit_return(
        refund_id=refund.refund_id, logistics_company_code="SF", logistics_no="SF1"
    )
    everything.act()
    case = (await taobao.refunds.detail(refund.refund_id)).case
    assert case is not None
    assert case.our_status is RefundStatus.REFUNDED
    assert await everything.events(callbacks=6) == {
        "order.status_changed": 2,
        "logistics.shipped": 1,
        "aftersales.refund_updated": 4,
    }


async def test_batch_payment_and_cancellation_are_pushed(everything: Everything) -> None:
    alibaba, world = everything.api.alibaba, everything.platform.world
    product = world.catalogue.of("1688")[0]
    ids: list[str] = []
    for _ in range(3):
        await alibaba.cart.add(
            offer_map_id=product.opaque_id, spec_id=product.skus[0].spec_id, quantity=1
        )
        (entry,) = world.carts["1688"]
        made = await alibaba.cart.create_order(cart_ids=[entry], address_param=HOME)
        ids += made.order_ids
    await alibaba.orders.pay_batch(ids[:2])
    await alibaba.orders.cancel(ids[2])
    assert await everything.events(callbacks=7) == {
        "order.created": 3,
        "payment.succeeded": 2,
        "payment.batch_settled": 2,
        "order.closed": 1,
    }
