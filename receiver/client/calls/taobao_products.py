"""The calls about goods of Taobao."""

from __future__ import annotations

from typing import Final

from receiver.client.call import Call, Group, PagedCall, one, rows
from receiver.client.endpoint import Endpoint, documented, guessed, inferred, seen
from schemas.api.taobao_products import (
    BatchCheck,
    BatchCheckRequest,
    Item,
    ItemImageSearchRequest,
    ItemPage,
    ItemRecommendationRequest,
    ItemSearchRequest,
    ProductRequest,
    ShopSearchRequest,
    SourceProduct,
    SourceProductRequest,
    TaobaoProduct,
)

_ROWS: Final = "docs/platform/calls-goods.md#taobao-goods-by-edition"


class TaobaoProducts(Group, prefix="taobao_products"):
    """The calls about goods of Taobao. Each raises `APIError`."""

    detail = Call(
        Endpoint(
            "A product with its SKUs",
            {
                "v1": documented("GET", "/open/product/get"),
                "v2": documented("GET", "/v2/taobao/product/get"),
            },
            source=_ROWS,
            row="product by id",
            reply="documented",
        ),
        ProductRequest,
        one(TaobaoProduct),
    )
    source = Call(
        Endpoint(
            "A product as the source shop shows it (Vietnamese edition)",
            {"v1": documented("POST", "/open/product/source/get")},
            source=_ROWS,
            row="source product",
            reply="documented",
        ),
        SourceProductRequest,
        one(SourceProduct),
    )
    check_batch = Call(
        Endpoint(
            "Which items can be bought through the platform",
            {
                "v1": documented("POST", "/open/product/batch/check"),
                "v2": inferred("POST", "/v2/taobao/product/batch/check"),
            },
            source=_ROWS,
            row="batch check",
            reply="documented",
        ),
        BatchCheckRequest,
        one(BatchCheck),
    )
    search = PagedCall(
        Endpoint(
            "Products by keyword",
            {
                "v1": inferred("POST", "/open/product/item/search"),
                "v2": documented("POST", "/v2/taobao/product/item/search"),
            },
            source=_ROWS,
            row="keyword search",
            reply="unknown",
        ),
        ItemSearchRequest,
        ItemPage,
    )
    search_image = Call(
        Endpoint(
            "Products that look like a picture, 100 at most",
            {
                "v1": guessed("POST", "/open/product/image/search"),
                "v2": guessed("POST", "/v2/taobao/product/image/search"),
            },
            source=_ROWS,
            row="image search",
            reply="unknown",
        ),
        ItemImageSearchRequest,
        rows(Item),
    )
    search_shop = PagedCall(
        Endpoint(
            "Products of one shop by keyword (Vietnamese edition)",
            {"v1": guessed("POST", "/open/product/shop/search")},
            source=_ROWS,
            row="search within a shop",
            reply="unknown",
        ),
        ShopSearchRequest,
        ItemPage,
    )
    recommend = PagedCall(
        Endpoint(
            "Products that are recommended (Xportcn)",
            {"v1": seen("POST", "/open/product/recommend")},
            source=_ROWS,
            row="recommendation (XP only)",
            reply="client code",
        ),
        ItemRecommendationRequest,
        ItemPage,
    )
