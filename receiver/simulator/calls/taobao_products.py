"""Goods of Taobao (docs/platform/calls-goods.md#taobao-goods-by-edition)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from receiver.simulator.asked import Asked, NotFoundError, PageOf
from receiver.simulator.calls.answer import Answer
from receiver.simulator.catalogue import Product, Sku
from receiver.simulator.world import World

_MAX_PAGE: Final = 40
_MAX_SHOP_PAGE: Final = 20
_MAX_ALIKE: Final = 100


def item_id(product: Product, asked: Asked) -> str | int:
    """The id of a product: an opaque text in v2, else a number."""
    return product.opaque_id if asked.edition == "v2" else int(product.product_id)


def _product(world: World, asked: Asked) -> Product:
    product = world.catalogue.find("taobao", asked.named("itemId"))
    if product is None:
        raise NotFoundError("no such product")
    return product


def _detail(world: World, asked: Asked) -> dict[str, Any]:
    """In v2 the fields of the reply are not known: they are those of v1."""
    product = _product(world, asked)
    return {
        "quantity": sum(world.stock[sku.sku_id] for sku in product.skus),
        "categoryPath": f"{product.category.parent_id}/{product.category.category_id}",
        "categoryId": product.category.category_id,
        "categoryName": product.category.name,
        "shopName": product.shop.name,
        "shopId": product.shop.shop_id,
        "userNick": product.shop.nick,
        "title": product.title,
        "description": product.title,
        "productUnit": "件",
        "picUrls": [],
        "mpId": product.mp_id,
        "itemId": item_id(product, asked),
        "price": product.price_fen,
        "promotionPrice": product.price_fen,
        "beginAmount": product.least,
        "status": "active",
        "itemType": "HAVE_MATERIAL",
        "skuList": [_sku(world, sku) | {"mpSkuId": sku.mp_sku_id} for sku in product.skus],
    }


def _sku(world: World, sku: Sku) -> dict[str, Any]:
    colour = {"propId": 1627207, "propName": "颜色", "valueName": sku.colour[0]}
    return {
        "skuId": sku.sku_id,
        "picUrl": "",
        "quantity": world.stock[sku.sku_id],
        "price": sku.price_fen,
        "promotionPrice": sku.price_fen,
        "status": "active",
        "properties": [colour],
    }


def _source(world: World, asked: Asked) -> dict[str, Any]:
    product = _product(world, asked)
    language = asked.maybe_text("language") or "en"
    return {
        "description": product.title,
        "itemId": item_id(product, asked),
        "itemResource": "taobao",
        "title": product.title,
        "picUrls": [],
        "shopName": product.shop.name,
        "shopId": product.shop.shop_id,
        "price": product.price_fen,
        "promotionPrice": product.price_fen,
        "couponPrice": product.price_fen,
        "properties": [],
        "skuList": [_sku(world, sku) | {"couponPrice": sku.price_fen} for sku in product.skus],
        "tags": [],
        "multiLanguageInfo": {"language": language, "title": product.translated},
        "promotionDisplays": [],
    }


def _check_batch(world: World, asked: Asked) -> dict[str, Any]:
    """The names inside the two lists of objects are not known: the objects stay empty."""
    items = [part.named("itemId") for part in asked.from_json("params").parts("params")]
    missing = [name for name in items if world.catalogue.find("taobao", name) is None]
    return {
        "mpProducts": [{} for name in items if name not in missing],
        "noMpProductItemIds": missing,
        "noMpReasonList": [],
    }


def _search(world: World, asked: Asked) -> dict[str, Any]:
    return _page(world, asked, asked.page("pageNo", highest=_MAX_PAGE, required=False))


def _search_shop(world: World, asked: Asked) -> dict[str, Any]:
    shop = asked.named("shopId")
    page = asked.page("pageNo", highest=_MAX_SHOP_PAGE, required=False)
    return _page(world, asked, page, shop=shop)


def _search_image(world: World, asked: Asked) -> list[dict[str, Any]]:
    """Everything looks like the picture: as many as the upstream gives at most."""
    asked.text("imageBase64", "picUrl", "imageId")
    return _listed(world.catalogue.of("taobao")[:_MAX_ALIKE], asked, world)


def _recommend(world: World, asked: Asked) -> dict[str, Any]:
    asked.text("language")
    return _page(world, asked, asked.page("pageNo"))


def _page(world: World, asked: Asked, page: PageOf, *, shop: str | None = None) -> dict[str, Any]:
    keyword = asked.maybe_text("keyword") or ""
    found = [
        product
        for product in world.catalogue.of("taobao")
        if (keyword in product.title or keyword.lower() in product.translated.lower())
        and shop in {None, str(product.shop.shop_id)}
    ]
    return {
        "pageNo": page.number,
        "pageSize": page.size,
        "data": _listed(found[page.part], asked, world),
    }


def _listed(found: Sequence[Product], asked: Asked, world: World) -> list[dict[str, Any]]:
    """Prices are yuan as text here."""
    language = asked.maybe_text("language") or "en"
    return [
        {
            "mainImageUrl": f"https://img.alicdn.com/example-{product.product_id}.jpg",
            "itemId": item_id(product, asked),
            "multiLanguageInfo": {"language": language, "title": product.translated},
            "price": f"{product.price_fen / 100:.2f}",
            "couponPrice": f"{product.price_fen / 100:.2f}",
            "quantity": sum(world.stock[sku.sku_id] for sku in product.skus),
            "shopName": product.shop.name,
            "title": product.title,
            "tags": [],
            "promotionDisplays": None,
        }
        for product in found
    ]


ROWS: Final[Mapping[str, Answer]] = {
    "taobao_products_detail": _detail,
    "taobao_products_source": _source,
    "taobao_products_check_batch": _check_batch,
    "taobao_products_search": _search,
    "taobao_products_search_image": _search_image,
    "taobao_products_search_shop": _search_shop,
    "taobao_products_recommend": _recommend,
}
