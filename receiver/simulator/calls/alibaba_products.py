"""Goods of 1688 (docs/platform/calls-goods.md#1688-goods-by-edition)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from receiver.simulator.asked import Asked, NotFoundError
from receiver.simulator.calls.answer import Answer
from receiver.simulator.catalogue import CATEGORIES, Category, Product, Sku
from receiver.simulator.world import World

_MAX_HOT: Final = 20
IMAGE: Final = "https://cbu01.alicdn.com/img/ibank/example-{}-cib.jpg"


def yuan(fen: int) -> str:
    """An amount as searches show it: yuan as text."""
    return f"{fen / 100:.2f}"


def _detail(world: World, asked: Asked) -> dict[str, Any]:
    product = world.catalogue.find("1688", asked.named("offerId"))
    if product is None:
        raise NotFoundError("no such offer")
    on_sale = sum(world.stock[sku.sku_id] for sku in product.skus)
    opaque = asked.edition == "v2"
    return {
        "offerId": product.opaque_id if opaque else int(product.product_id),
        "categoryId": product.category.category_id,
        "categoryName": product.category.name,
        "subject": product.title,
        "subjectTrans": product.translated,
        "description": f"<p>{product.title}</p>",
        "mainVideo": None,
        "detailVideo": None,
        "productImage": {"images": [IMAGE.format(product.product_id)], "whiteImage": None},
        "productAttribute": [_attribute(287, ("材质", "Material"), ("棉", "Cotton"))],
        "productSkuInfos": [_sku(world, sku) for sku in product.skus],
        "productSaleInfo": _sale(product, on_sale),
        "productShippingInfo": _shipping(product),
        "isJxhy": False,
        "sellerOpenId": product.shop.open_id,
        "minOrderQuantity": product.least,
        "batchNumber": None,
        "status": "published",
        "tagInfoList": [{"key": "isOnePsale", "value": True}],
        "traceInfo": f"object_id@{product.product_id}^object_type@offer",
        "sellerMixSetting": {"generalHunpi": True, "mixAmount": 100, "mixNumber": 2},
        "sellerDataInfo": {"tradeMedalLevel": "4", "compositeServiceScore": "4.0"},
        "soldOut": str(product.month_sold),
        "companyName": product.shop.name,
    }


def _sku(world: World, sku: Sku) -> dict[str, Any]:
    attribute = _attribute(3216, ("颜色", "Color"), sku.colour)
    return {
        "amountOnSale": world.stock[sku.sku_id],
        "price": yuan(sku.price_fen),
        "skuId": int(sku.sku_id),
        "specId": sku.spec_id,
        "skuAttributes": [attribute | {"skuImageUrl": IMAGE.format(sku.sku_id)}],
        "cargoNumber": None,
        "promotionPrice": None,
        "consignPrice": yuan(sku.price_fen),
        "fenxiaoPriceInfo": _consignment(sku.price_fen),
    }


def _attribute(number: int, name: tuple[str, str], value: tuple[str, str]) -> dict[str, Any]:
    return {
        "attributeId": number,
        "attributeName": name[0],
        "attributeNameTrans": name[1],
        "value": value[0],
        "valueTrans": value[1],
    }


def _consignment(fen: int) -> dict[str, Any]:
    return {"onePiecePrice": yuan(fen), "offerPrice": yuan(fen)}


def _sale(product: Product, on_sale: int) -> dict[str, Any]:
    return {
        "amountOnSale": on_sale,
        "priceRangeList": [{"startQuantity": product.least, "price": yuan(product.price_fen)}],
        "quoteType": 1,
        "unitInfo": {"unit": "件", "transUnit": "Piece"},
        "fenxiaoSaleInfo": {
            "onePieceFreePostage": True,
            "startQuantity": 1,
            **_consignment(product.price_fen),
        },
    }


def _shipping(product: Product) -> dict[str, Any]:
    measures = {"weight": 0.3, "width": 20.0, "height": 5.0, "length": 30.0}
    return {
        "sendGoodsAddressText": "浙江省 杭州市",
        **measures,
        "shippingTimeGuarantee": "shipIn48Hours",
        "skuShippingDetails": [{"skuId": sku.sku_id, **measures} for sku in product.skus],
    }


def _category(world: World, asked: Asked) -> dict[str, Any]:
    number, language = asked.integer("categoryId"), asked.text("language")
    category = next((part for part in CATEGORIES if part.category_id == number), None)
    if category is None:
        raise NotFoundError("no such category")
    below = [p for p in CATEGORIES if p.parent_id == number and p is not category]
    children = [_one_category(part, language) for part in below]
    return _one_category(category, language) | {"children": children or None}


def _one_category(category: Category, language: str) -> dict[str, Any]:
    return {
        "categoryId": category.category_id,
        "chineseName": category.name,
        "translatedName": category.translated,
        "language": language,
        "leaf": not any(part.parent_id == category.category_id for part in CATEGORIES),
        "level": str(category.level),
        "parentCateId": category.parent_id,
        "fromCache": True,
    }


def _hot_list(world: World, asked: Asked) -> dict[str, Any]:
    rank_id, rank_type = asked.text("rankId"), asked.text("rankType")
    limit, _ = asked.integer("limit", lowest=1, highest=_MAX_HOT), asked.text("language")
    best = sorted(world.catalogue.of("1688"), key=lambda product: -product.month_sold)
    return {
        "rankId": rank_id,
        "rankName": "热销榜",
        "rankType": rank_type,
        "rankProductModels": [
            {
                "itemId": int(product.product_id),
                "title": product.title,
                "translateTitle": product.translated,
                "imgUrl": IMAGE.format(product.product_id),
                "sort": place,
                "serviceList": ["sendGoods48H"],
                "buyerNum": product.month_sold // 2,
                "soldOut": product.month_sold,
                "goodsScore": "4.8",
            }
            for place, product in enumerate(best[:limit], start=1)
        ],
    }


ROWS: Final[Mapping[str, Answer]] = {
    "alibaba_products_detail": _detail,
    "alibaba_products_category": _category,
    "alibaba_products_hot_list": _hot_list,
}
