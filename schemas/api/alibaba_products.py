"""Goods of 1688 (docs/platform/calls-goods.md#1688-goods-by-edition)."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from schemas.api.reply import Entries, Flag, Page, ReplyModel, Text, Texts
from schemas.api.request import (
    UPSTREAM_LIMITS,
    IntegerId,
    JsonText,
    PageNumber,
    PlainText,
    numbered,
    request,
    short_request,
    sized,
)
from schemas.values import ClockTime, Count, Identifier, Word, Yuan

_MEMBER_ID: Final = "letters and digits, docs/platform/calls-goods.md#1688-categories"
SearchPageSize = Annotated[int, numbered(1, 50, UPSTREAM_LIMITS)]
"""The upstream of the image search says 50; the other searches go through the same gateway."""


@request
class KeywordQueryRequest:
    """What to look for, in which language; `sort` is an object such as `{"price": "asc"}`."""

    keyword: PlainText
    begin_page: PageNumber = 1
    page_size: Annotated[int, Field(ge=1)] = 20
    country: PlainText = "en"
    filter: PlainText | None = None
    sort: JsonText | dict[str, Any] | None = None
    out_member_id: PlainText | None = None
    price_start: PlainText | None = None
    price_end: PlainText | None = None
    category_id: PlainText | None = None


@request
class ImageSearchRequest:
    """The picture to look for, as base64 or as a link of 1688; `region` is x1,x2,y1,y2."""

    image_base64: PlainText | None = None
    image_address: PlainText | None = None
    region: PlainText | None = None
    begin_page: PageNumber = 1
    page_size: SearchPageSize = 20
    country: PlainText = "en"
    keyword: PlainText | None = None
    filter: PlainText | None = None
    sort: JsonText | dict[str, Any] | None = None
    out_member_id: PlainText | None = None
    price_start: PlainText | None = None
    price_end: PlainText | None = None
    category_id: IntegerId | None = None

    def __post_init__(self) -> None:
        """Refuse a search without a picture."""
        if not (self.image_base64 or self.image_address):
            raise ValueError(
                "image_base64 or image_address is required, "
                "docs/platform/calls-goods.md#1688-searches"
            )


@request
class StoreSearchRequest:
    """The shop and, where wanted, what to look for in it."""

    keyword: PlainText | None = None
    begin_page: PageNumber = 1
    page_size: Annotated[int, Field(ge=1)] = 20
    country: PlainText = "en"
    filter: PlainText | None = None
    sort: JsonText | dict[str, Any] | None = None
    out_member_id: PlainText | None = None
    price_start: PlainText | None = None
    price_end: PlainText | None = None
    category_id: IntegerId | None = None
    seller_open_id: PlainText | None = None


@short_request
class CategoryRequest:
    """A category and the language of its name; 0 is the root."""

    category_id: IntegerId = "0"
    language: PlainText = "en"
    parent_cate_id: IntegerId | None = None
    out_member_id: Annotated[PlainText | None, sized(0, 64, "characters", _MEMBER_ID)] = None


@request
class RecommendationRequest:
    """Whom to recommend to: `out_member_id` is your own user's id, which the upstream requires."""

    begin_page: PageNumber = 1
    page_size: Annotated[int, Field(ge=1)] = 20
    country: PlainText = "en"
    out_member_id: PlainText


@request
class RelatedProductsRequest:
    """The offer to find relatives of."""

    offer_id: PlainText
    page_no: PageNumber = 1
    page_size: Annotated[int, numbered(1, 10, UPSTREAM_LIMITS)] = 10
    language: PlainText = "en"


@request
class HotListRequest:
    """A list by category; `rank_type` is `complex`, `hot`, `goodPrice` or one of a reseller's."""

    rank_id: PlainText
    rank_type: PlainText = "complex"
    limit: Annotated[int, numbered(1, 20, UPSTREAM_LIMITS)] = 10
    language: PlainText = "en"


class PriceInfo(ReplyModel):
    """The prices of an offer in a list."""

    price: Yuan = None
    jxhy_price: Yuan = None
    pf_jxhy_price: Yuan = None
    consign_price: Yuan = None
    promotion_price: Yuan = None


class Offer(ReplyModel):
    """An offer in a list: `offer_map_id` is the opaque id of v2, `offer_id` the number of v1.

    `month_sold` counts 30 days, among related products 90. `repurchase_rate` is text such as `7%`.
    """

    identified_by = ("offer_map_id", "offer_id")

    offer_map_id: Identifier = None
    offer_id: Identifier = None
    image_url: Text = None
    white_image: Text = None
    subject: Text = None
    subject_trans: Text = None
    is_jxhy: Flag = None
    is_select: Flag = None
    is_one_psale: Flag = None
    repurchase_rate: Text = None
    month_sold: Count = None
    price_info: PriceInfo | None = None
    promotion_price: Yuan = None
    min_order_quantity: Count = None
    trade_score: Text = None
    trace_info: Text = None
    token: Text = None
    promotion_url: Text = None
    seller_identities: Texts = ()
    offer_identities: Texts = ()
    top_category_id: Identifier = None
    second_category_id: Identifier = None
    third_category_id: Identifier = None
    create_date: ClockTime = None
    modify_date: ClockTime = None
    company_name: Text = None


class OfferPage(Page[Offer]):
    """One page of offers (docs/platform/calls-goods.md#1688-searches)."""


class Category(ReplyModel):
    """A category and those right below it: one level of three at a time.

    docs/platform/calls-goods.md#1688-categories
    """

    bare_list = "children"

    category_id: Identifier = None
    chinese_name: Text = None
    translated_name: Text = None
    language: Word = None
    leaf: Flag = None
    level: Word = None
    parent_cate_id: Identifier = None
    from_cache: Flag = None
    children: Entries[Category] = ()


class HotProduct(ReplyModel):
    """A place on a hot list; `buyer_num` and `sold_out` count 30 days."""

    item_id: Identifier = None
    title: Text = None
    translate_title: Text = None
    img_url: Text = None
    sort: Count = None
    service_list: Texts = ()
    buyer_num: Count = None
    sold_out: Count = None
    goods_score: Text = None


class HotList(ReplyModel):
    """A hot list (docs/platform/calls-goods.md#1688-hot-list)."""

    bare_list = "rank_product_models"

    rank_id: Identifier = None
    rank_name: Text = None
    rank_type: Word = None
    rank_product_models: Entries[HotProduct] = ()
