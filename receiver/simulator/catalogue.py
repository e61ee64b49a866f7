"""The goods of the simulated shops. The same for every seed; performs no I/O.

`BAG_SHOP` has as many offers for the keyword 包 as the example of the store search counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, get_args

Channel = Literal["1688", "taobao"]
BAG_SHOP: Final = "BBBexampleSellerOpenId0001"
BAGS: Final = 323
STOCK: Final = 100_000
"""The pieces of each SKU at first."""
_CUP_SHOP: Final = "BBBexampleSellerOpenId0002"
_FIRST_ID: Final = {"1688": 600_000_000_001, "taobao": 670_000_000_001}
_SKU_STEP: Final = 10
_COLOURS: Final = (("黑色", "Black"), ("红色", "Red"))


@dataclass(frozen=True, slots=True)
class Shop:
    """Who sells: `open_id` names a seller of 1688, `shop_id` a shop of Taobao."""

    open_id: str
    shop_id: int
    name: str
    nick: str


@dataclass(frozen=True, slots=True)
class Category:
    """A category and the one above it; 0 is the root."""

    category_id: int
    parent_id: int
    level: int
    name: str
    translated: str


@dataclass(frozen=True, slots=True)
class Sku:
    """One SKU; `mp_sku_id` is what an order of Taobao names it by."""

    sku_id: str
    spec_id: str
    mp_sku_id: str
    colour: tuple[str, str]
    price_fen: int


@dataclass(frozen=True, slots=True)
class Product:
    """One offer; `opaque_id` is its id in edition v2, `mp_id` that in an order of Taobao.

    An order takes not fewer than `least` pieces.
    """

    channel: Channel
    product_id: str
    opaque_id: str
    mp_id: str
    title: str
    translated: str
    shop: Shop
    category: Category
    skus: tuple[Sku, ...]
    month_sold: int
    repurchase_percent: int
    least: int

    @property
    def price_fen(self) -> int:
        """The lowest price of its SKUs."""
        return min(sku.price_fen for sku in self.skus)


SHOPS: Final = (
    Shop(BAG_SHOP, 260_000_001, "示例箱包", "example-bags"),
    Shop(_CUP_SHOP, 260_000_002, "示例杯具", "example-cups"),
)
CATEGORIES: Final = (
    Category(0, 0, 0, "全部", "All"),
    Category(10166, 0, 1, "百货", "General goods"),
    Category(1031910, 10166, 2, "箱包", "Bags"),
    Category(1031911, 1031910, 3, "手提包", "Handbags"),
    Category(1031920, 10166, 2, "杯具", "Cups"),
)
_BAG, _CUP = CATEGORIES[3], CATEGORIES[4]


class Catalogue:
    """Every product, found by any of its ids."""

    def __init__(self) -> None:
        self.products = _products()
        self._by_channel = {
            channel: tuple(each for each in self.products if each.channel == channel)
            for channel in get_args(Channel)
        }
        self._by_id = {
            (product.channel, name): product
            for product in self.products
            for name in (product.product_id, product.opaque_id, product.mp_id)
        }
        self.skus = {sku.sku_id: sku for product in self.products for sku in product.skus}

    def of(self, channel: Channel) -> tuple[Product, ...]:
        """The products of a channel, in the order in which searches list them."""
        return self._by_channel[channel]

    def find(self, channel: Channel, name: str) -> Product | None:
        """A product by its number, its opaque id or its `mpId`."""
        return self._by_id.get((channel, name))


def find_sku(product: Product, name: str) -> Sku | None:
    """A SKU of a product by its number, its spec or its `mpSkuId`."""
    names = ((sku, (sku.sku_id, sku.spec_id, sku.mp_sku_id)) for sku in product.skus)
    return next((sku for sku, known in names if name in known), None)


@cache
def _products() -> tuple[Product, ...]:
    return tuple(_made())


def _made() -> Iterator[Product]:
    for number in range(BAGS):
        yield _product("1688", number, "包", "bag", SHOPS[0], _BAG)
    for number in range(BAGS, BAGS + 20):
        yield _product("1688", number, "杯", "cup", SHOPS[1], _CUP)
    for number in range(60):
        thing = ("包", "bag") if number < 45 else ("杯", "cup")
        shop, category = (SHOPS[0], _BAG) if number < 45 else (SHOPS[1], _CUP)
        yield _product("taobao", number, *thing, shop, category)


def _product(
    channel: Channel, number: int, word: str, translated: str, shop: Shop, category: Category
) -> Product:
    """The first is the example's: 25.00 yuan, 2065 sold in a month, 0 % bought again."""
    product_id = _FIRST_ID[channel] + number
    return Product(
        channel=channel,
        product_id=str(product_id),
        opaque_id=_opaque(channel, number),
        mp_id=str(product_id + 500_000_000_000_000),
        title=f"示例{word} {number + 1}",
        translated=f"Example {translated} {number + 1}",
        shop=shop,
        category=category,
        skus=tuple(_sku(product_id, part, 2500 + number * 10) for part in range(len(_COLOURS))),
        month_sold=2065 - number * 5,
        repurchase_percent=number % 30,
        least=2 if number % 5 == 4 else 1,
    )


def _sku(product_id: int, part: int, price_fen: int) -> Sku:
    sku_id = str(product_id * _SKU_STEP + part)
    return Sku(
        sku_id=sku_id,
        spec_id=hashlib.sha256(sku_id.encode()).hexdigest()[:32],
        mp_sku_id=str(int(sku_id) + 1_000_000_000_000_000),
        colour=_COLOURS[part],
        price_fen=price_fen + part * 100,
    )


def _opaque(channel: Channel, number: int) -> str:
    """As the ids of v2 look: text that says nothing of the number."""
    digest = hashlib.sha256(f"{channel} {number}".encode()).hexdigest()
    return f"{digest[:6]}-{digest[6:18]}_Kw"
