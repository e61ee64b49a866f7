"""The calls about goods of 1688."""

from __future__ import annotations

from typing import Final

from receiver.client.call import Call, Group, PagedCall, one
from receiver.client.endpoint import Endpoint, documented, guessed, inferred, seen
from schemas.api.alibaba_product_detail import ProductDetail, ProductDetailRequest
from schemas.api.alibaba_products import (
    Category,
    CategoryRequest,
    HotList,
    HotListRequest,
    ImageSearchRequest,
    KeywordQueryRequest,
    OfferPage,
    RecommendationRequest,
    RelatedProductsRequest,
    StoreSearchRequest,
)

_ROWS: Final = "docs/platform/calls-goods.md#1688-goods-by-edition"


class AlibabaProducts(Group, prefix="alibaba_products"):
    """The calls about goods of 1688. Each raises `APIError`."""

    detail = Call(
        Endpoint(
            "An offer with its SKUs, prices and measures",
            {
                "v1": documented("POST", "/alibaba/product/detail/get"),
                "v2": inferred("POST", "/v2/alibaba/product/detail/get"),
                "ka": guessed("POST", "/alibaba/ka/product/detail/get"),
            },
            source=_ROWS,
            row="product detail",
            reply="upstream",
        ),
        ProductDetailRequest,
        one(ProductDetail),
    )
    search = PagedCall(
        Endpoint(
            "Offers by keyword",
            {
                "v1": documented("POST", "/alibaba/product/keywords/query"),
                "v2": documented("POST", "/v2/alibaba/product/keywords/query"),
                "ka": documented("POST", "/alibaba/ka/product/keywords/query"),
            },
            source=_ROWS,
            row="keyword query",
            reply="documented",
        ),
        KeywordQueryRequest,
        OfferPage,
        number="begin_page",
    )
    search_image = PagedCall(
        Endpoint(
            "Offers that look like a picture",
            {
                "v1": documented("POST", "/alibaba/product/image/query"),
                "v2": documented("POST", "/v2/alibaba/product/image/query"),
                "ka": guessed("POST", "/alibaba/ka/product/image/query"),
            },
            source=_ROWS,
            row="image search",
            reply="documented",
            limits=("20 a page advised (upstream)",),
        ),
        ImageSearchRequest,
        OfferPage,
        number="begin_page",
    )
    search_store = PagedCall(
        Endpoint(
            "The offers of one shop, by keyword or all",
            {
                "v1": seen("POST", "/alibaba/product/query/selleroffer"),
                "v2": documented("POST", "/v2/alibaba/product/query/selleroffer"),
            },
            source=_ROWS,
            row="store search",
            reply="documented",
        ),
        StoreSearchRequest,
        OfferPage,
        number="begin_page",
    )
    category = Call(
        Endpoint(
            "A category and those right below it, translated",
            {
                "v1": guessed("POST", "/alibaba/category/get"),
                "v2": guessed("POST", "/v2/alibaba/category/get"),
                "ka": guessed("POST", "/alibaba/ka/category/get"),
            },
            source=_ROWS,
            row="categories by id",
            reply="upstream",
        ),
        CategoryRequest,
        one(Category),
    )
    recommend = PagedCall(
        Endpoint(
            "Offers recommended to one of your users",
            {
                "v1": guessed("POST", "/alibaba/product/recommend"),
                "v2": guessed("POST", "/v2/alibaba/product/recommend"),
            },
            source=_ROWS,
            row="recommendation",
            reply="upstream",
        ),
        RecommendationRequest,
        OfferPage,
        number="begin_page",
    )
    related = PagedCall(
        Endpoint(
            "Offers related to one",
            {
                "v1": inferred("POST", "/alibaba/product/productRelatedRecommendQuery"),
                "v2": documented("POST", "/v2/alibaba/product/productRelatedRecommendQuery"),
            },
            source=_ROWS,
            row="related products",
            reply="upstream",
        ),
        RelatedProductsRequest,
        OfferPage,
    )
    search_global_selection = PagedCall(
        Endpoint(
            'Offers of the global strict selection; else `search(filter="isQqyx")`',
            {"v2": guessed("POST", "/v2/alibaba/product/strict/global/query")},
            source=_ROWS,
            row="global strict selection",
            reply="unknown",
        ),
        KeywordQueryRequest,
        OfferPage,
        number="begin_page",
    )
    search_selection = PagedCall(
        Endpoint(
            'Offers of the 1688 strict selection; else `search(filter="1688Selection")`',
            {"v2": guessed("POST", "/v2/alibaba/product/strict/query")},
            source=_ROWS,
            row="1688 strict selection",
            reply="unknown",
        ),
        KeywordQueryRequest,
        OfferPage,
        number="begin_page",
    )
    hot_list = Call(
        Endpoint(
            "The best selling offers of a category",
            {"v2": guessed("POST", "/v2/alibaba/product/rank/query")},
            source=_ROWS,
            row="hot list",
            reply="upstream",
        ),
        HotListRequest,
        one(HotList),
    )
