"""Lists of goods of 1688 (docs/platform/calls-goods.md#1688-searches)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from receiver.simulator.asked import Asked, NotFoundError, UnreadableError
from receiver.simulator.calls.alibaba_products import IMAGE, yuan
from receiver.simulator.calls.answer import Answer
from receiver.simulator.catalogue import Product
from receiver.simulator.world import World

_MAX_IMAGE_PAGE: Final = 50
_MAX_RELATED: Final = 10


def offer_id(product: Product, asked: Asked) -> dict[str, Any]:
    """The id of an offer under its edition's name: an opaque text in v2, else a number."""
    if asked.edition == "v2":
        return {"offerMapId": product.opaque_id}
    return {"offerId": int(product.product_id)}


def _search(world: World, asked: Asked) -> dict[str, Any]:
    asked.text("keyword")
    return _page(asked, _found(world, asked))


def _search_image(world: World, asked: Asked) -> dict[str, Any]:
    asked.text("imageBase64", "imageAddress")
    return _page(asked, _found(world, asked), highest=_MAX_IMAGE_PAGE)


def _search_store(world: World, asked: Asked) -> dict[str, Any]:
    shop = asked.maybe_text("sellerOpenId")
    found = [p for p in _found(world, asked) if shop in {None, p.shop.open_id}]
    return _page(asked, found)


def _selection(world: World, asked: Asked) -> dict[str, Any]:
    """The page is not known: the keyword query, which has the same goods, is served."""
    return _page(asked, _found(world, asked))


def _found(world: World, asked: Asked) -> list[Product]:
    """What the filters of a search leave, in the order that it asks for."""
    keyword = asked.maybe_text("keyword") or ""
    lowest, highest = (_fen(asked, name) for name in ("priceStart", "priceEnd"))
    category = asked.given("categoryId")
    found = [
        product
        for product in world.catalogue.of("1688")
        if (keyword in product.title or keyword.lower() in product.translated.lower())
        and (lowest is None or product.price_fen >= lowest)
        and (highest is None or product.price_fen <= highest)
        and str(category) in {"None", str(product.category.category_id)}
    ]
    return _sorted(found, asked)


def _fen(asked: Asked, name: str) -> int | None:
    text = asked.maybe_text(name)
    try:
        return None if text is None else round(float(text) * 100)
    except (ValueError, OverflowError) as error:
        raise UnreadableError(f"{name} must be a number of yuan as a string") from error


_SORTS: Final[Mapping[str, Callable[[Product], int]]] = {
    "price": lambda product: product.price_fen,
    "rePurchaseRate": lambda product: product.repurchase_percent,
    "monthSold": lambda product: product.month_sold,
}


def _sorted(found: list[Product], asked: Asked) -> list[Product]:
    if (text := asked.maybe_text("sort")) is None:
        return found
    try:
        wanted = json.loads(text)
    except ValueError as error:
        raise UnreadableError("sort must be JSON as a string") from error
    for name, way in reversed(wanted.items() if isinstance(wanted, dict) else ()):
        if name not in _SORTS or way not in ("asc", "desc"):
            raise UnreadableError("sort: price, rePurchaseRate or monthSold, asc or desc")
        found = sorted(found, key=_SORTS[name], reverse=way == "desc")
    return found


def _page(asked: Asked, found: Sequence[Product], *, highest: int | None = None) -> dict[str, Any]:
    asked.text("country")
    page = asked.page("beginPage", highest=highest)
    return {
        "totalRecords": len(found),
        "totalPage": -(-len(found) // page.size),
        "pageSize": page.size,
        "currentPage": page.number,
        "data": [_listed(product) | offer_id(product, asked) for product in found[page.part]],
    }


def _listed(product: Product) -> dict[str, Any]:
    has_consign = int(product.product_id) % 2 == 1
    consign = f"{product.price_fen // 100 + 4}" if has_consign else None
    return {
        "imageUrl": IMAGE.format(product.product_id),
        "subject": product.title,
        "subjectTrans": product.translated,
        "isJxhy": False,
        "repurchaseRate": f"{product.repurchase_percent}%",
        "monthSold": product.month_sold,
        "isOnePsale": True,
        "priceInfo": {
            "price": yuan(product.price_fen),
            "jxhyPrice": None,
            "pfJxhyPrice": None,
            "consignPrice": consign,
        },
    }


def _recommend(world: World, asked: Asked) -> list[dict[str, Any]]:
    asked.text("country")
    asked.text("outMemberId")
    return [
        _kept(_listed(product), "isJxhy", "isOnePsale")
        | {
            "priceInfo": {"price": yuan(product.price_fen), "consignPrice": None},
            "offerId": int(product.product_id),
            "traceInfo": f"object_id@{product.product_id}^object_type@offer",
            "isSelect": False,
        }
        for product in world.catalogue.of("1688")[asked.page("beginPage").part]
    ]


def _related(world: World, asked: Asked) -> list[dict[str, Any]]:
    asked.text("language")
    product = world.catalogue.find("1688", asked.named("offerId"))
    if product is None:
        raise NotFoundError("no such offer")
    others = [p for p in world.catalogue.of("1688") if p.shop is product.shop and p is not product]
    page = asked.page("pageNo", highest=_MAX_RELATED)
    return [_relative(other) for other in others[page.part]]


def _relative(product: Product) -> dict[str, Any]:
    return _kept(_listed(product), "isJxhy", "isOnePsale", "repurchaseRate") | {
        "priceInfo": {"price": yuan(product.price_fen)},
        "offerId": int(product.product_id),
        "sellerIdentities": ["super_factory"],
        "offerIdentities": ["yx"],
        "topCategoryId": 10166,
        "secondCategoryId": product.category.parent_id,
        "thirdCategoryId": product.category.category_id,
    }


def _kept(offer: dict[str, Any], *without: str) -> dict[str, Any]:
    return {name: value for name, value in offer.items() if name not in without}


ROWS: Final[Mapping[str, Answer]] = {
    "alibaba_products_search": _search,
    "alibaba_products_search_image": _search_image,
    "alibaba_products_search_store": _search_store,
    "alibaba_products_recommend": _recommend,
    "alibaba_products_related": _related,
    "alibaba_products_search_global_selection": _selection,
    "alibaba_products_search_selection": _selection,
}
