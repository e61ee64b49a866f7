"""The real client against the simulated platform, and the steps that several tests go."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from receiver.client.endpoint import Edition
from receiver.client.platform import PlatformAPI
from receiver.settings import APISettings
from receiver.simulator.catalogue import Product
from receiver.simulator.orders import Order
from receiver.simulator.platform import SimulatedPlatform
from schemas.api.alibaba_orders import AddressParam, CargoParam
from schemas.api.taobao_orders import PurchaseLine, TaobaoAddress

JPEG = b"\xff\xd8\xff" + bytes(100)
HOME = AddressParam(
    full_name="测试",
    mobile="13800000000",
    post_code="310000",
    city_text="杭州市",
    province_text="浙江省",
    area_text="滨江区",
    address="示例路1号",
    district_code="330108",
)
RECEIVER = TaobaoAddress(
    address="示例路1号", name="测试", city="杭州市", mobile_phone="13800000000"
)


class Recorder(httpx2.AsyncBaseTransport):
    """The network, with the data of the last reply kept as it came."""

    def __init__(self) -> None:
        self.data: Any = None
        self._network = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._network.handle_async_request(request)
        body = await response.aread()
        with contextlib.suppress(ValueError, KeyError):
            self.data = json.loads(body)["data"]
        return response

    async def aclose(self) -> None:
        await self._network.aclose()


@dataclass
class Caller:
    """A client for each edition; `v2` is the usual one."""

    platform: SimulatedPlatform
    recorder: Recorder = field(default_factory=Recorder)
    editions: dict[Edition, PlatformAPI] = field(default_factory=dict)

    @property
    def v1(self) -> PlatformAPI:
        return self.editions["v1"]

    @property
    def v2(self) -> PlatformAPI:
        return self.editions["v2"]

    @property
    def ka(self) -> PlatformAPI:
        return self.editions["ka"]

    @property
    def goods(self) -> tuple[Product, ...]:
        return self.platform.world.catalogue.of("1688")

    @property
    def items(self) -> tuple[Product, ...]:
        return self.platform.world.catalogue.of("taobao")

    def order(self, order_id: str) -> Order:
        return self.platform.book.orders[order_id]

    async def bought(self, quantity: int = 2) -> Order:
        """A new order of 1688, not paid."""
        cargo = [cargo_of(self.goods[0], quantity)]
        made = await self.v2.alibaba.orders.create(
            flow="general", address_param=HOME, cargo_param_list=cargo
        )
        assert made.order_id is not None
        return self.order(made.order_id)

    async def paid(self) -> Order:
        """A paid order of 1688, not shipped."""
        order = await self.bought()
        await self.v2.alibaba.orders.payment_url(order.order_id)
        return order

    async def purchased(self) -> Order:
        """A new order of Taobao, not paid."""
        line = line_of(self.items[0])
        made = await self.v2.taobao.orders.create(
            purchase_amount=5000,
            receiver=RECEIVER,
            order_line_list=[line],
            seller_order_number="SO-1",
        )
        return self.order(made.order_ids[0])

    async def purchase_paid(self) -> Order:
        """A paid order of Taobao, not shipped."""
        order = await self.purchased()
        await self.v2.taobao.orders.pay([order.order_id])
        return order


def cargo_of(product: Product, quantity: int) -> CargoParam:
    """A line of an order of 1688."""
    return CargoParam(
        offer_map_id=product.opaque_id, spec_id=product.skus[0].spec_id, quantity=quantity
    )


def line_of(product: Product) -> PurchaseLine:
    """A line of an order of Taobao."""
    sku = product.skus[0]
    return PurchaseLine(
        item_id=product.mp_id,
        order_line_no="1",
        quantity=2,
        price=sku.price_fen,
        sku_id=sku.mp_sku_id,
    )


@contextlib.asynccontextmanager
async def calling(platform: SimulatedPlatform) -> AsyncIterator[Caller]:
    """Clients of the three editions, on the account of the platform's tests."""
    caller = Caller(platform)
    async with contextlib.AsyncExitStack() as stack:
        for edition in ("v1", "v2", "ka"):
            settings = APISettings.model_validate(
                {
                    "base_url": platform.api_url,
                    "access_key": "key",
                    "secret": "secret",
                    "edition": edition,
                    "rate_per_s": 1000,
                    "tries": 1,
                }
            )
            client = PlatformAPI.open(settings, transport=caller.recorder)
            caller.editions[edition] = await stack.enter_async_context(client)
        yield caller
