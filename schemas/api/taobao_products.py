"""Goods of Taobao (docs/platform/calls-goods.md#taobao-goods-by-edition).

Prices are fen in a product, yuan as text in the lists of the searches.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AliasChoices, Field

from schemas.api.reply import Entries, Page, ReplyModel, Text, Texts
from schemas.api.request import (
    UPSTREAM_LIMITS,
    Id,
    PageNumber,
    PlainText,
    as_json,
    numbered,
    request,
    short_request,
    sized,
)
from schemas.values import Count, Fen, Identifier, Word, Yuan

_MAX_IMAGE_CHARS: Final = 4 * 1024 * 1024
_SEARCH: Final = "docs/platform/calls-goods.md#taobao-searches"


@short_request
class ProductRequest:
    """A product: the number of v1, the opaque id of v2."""

    item_id: Id


@short_request
class SourceProductRequest:
    """A product and the language of its translation."""

    item_id: Id
    language: PlainText | None = None


@request
class CheckedItem:
    """An item, and which of its SKUs are meant."""

    item_id: Id
    sku_ids: list[Id] | None = None


_CheckedItems = Annotated[list[CheckedItem], sized(1, None, "item", _SEARCH)]


@short_request
class BatchCheckRequest:
    """The items to check; they are sent as JSON text."""

    params: Annotated[_CheckedItems, as_json(list[CheckedItem])]


@request
class ItemSearchRequest:
    """What to look for; the page's sample sorts by `tk_rate_desc`, other words are open."""

    keyword: PlainText | None = None
    page_size: Annotated[int, numbered(1, 40, _SEARCH)] = 20
    page_no: PageNumber = 1
    sort: PlainText | None = None


@request
class ItemImageSearchRequest:
    """The picture; names of the upstream, which takes base64 in an upload of its own."""

    image_base64: Annotated[
        PlainText | None, sized(0, _MAX_IMAGE_CHARS, "characters, 3 MB", UPSTREAM_LIMITS)
    ] = None
    pic_url: PlainText | None = None
    image_id: Id | None = None
    language: PlainText | None = None


@request
class ShopSearchRequest:
    """The shop and what to look for in it; names of the upstream's search."""

    shop_id: Id
    keyword: PlainText | None = None
    page_no: PageNumber = 1
    page_size: Annotated[int, numbered(1, 20, UPSTREAM_LIMITS)] = 20
    sort: PlainText | None = None
    language: PlainText | None = None


@request
class ItemRecommendationRequest:
    """Which page, in which language."""

    page_no: PageNumber = 1
    page_size: Annotated[int, Field(ge=1)] = 20
    language: PlainText = "en"


class Property(ReplyModel):
    """One property of a product or of a SKU."""

    prop_id: Identifier = None
    prop_name: Text = None
    value_id: Identifier = None
    value_name: Text = None
    value_desc: Text = None


class Translation(ReplyModel):
    """A title in another language."""

    language: Word = None
    title: Text = None
    main_image_url: Text = None


class TaobaoSku(ReplyModel):
    """One SKU; `mp_sku_id` is what an order takes as `sku_id`."""

    sku_id: Identifier = None
    mp_sku_id: Identifier = None
    pic_url: Text = None
    quantity: Count = None
    price: Fen = None
    promotion_price: Fen = None
    coupon_price: Fen = None
    post_fee: Fen = None
    status: Word = None
    properties: Entries[Property] = ()


class TaobaoProduct(ReplyModel):
    """A product; `mp_id` is what an order takes as `item_id`.

    docs/platform/calls-goods.md#taobao-product-by-id
    """

    item_id: Identifier = Field(default=None, validation_alias=AliasChoices("itemId", "itemMapId"))
    mp_id: Identifier = None
    title: Text = None
    description: Text = None
    pic_urls: Texts = ()
    price: Fen = None
    promotion_price: Fen = None
    coupon_price: Fen = None
    post_fee: Fen = None
    quantity: Count = None
    begin_amount: Count = None
    category_id: Identifier = None
    category_name: Text = None
    category_path: Text = None
    shop_id: Identifier = None
    shop_name: Text = None
    user_nick: Text = None
    product_unit: Text = None
    status: Word = None
    item_type: Word = None
    sku_list: Entries[TaobaoSku] = ()


class SourceProduct(ReplyModel):
    """A product as the source shop shows it.

    docs/platform/calls-goods.md#taobao-source-product
    """

    item_id: Identifier = None
    item_resource: Word = None
    title: Text = None
    description: Text = None
    pic_urls: Texts = ()
    shop_id: Identifier = None
    shop_name: Text = None
    price: Fen = None
    promotion_price: Fen = None
    coupon_price: Fen = None
    properties: Entries[Property] = ()
    property_image_list: Entries[ReplyModel] = ()
    sku_list: Entries[TaobaoSku] = ()
    tags: Texts = ()
    multi_language_info: Translation | None = None


class BatchCheck(ReplyModel):
    """Which items can be bought (docs/platform/calls-goods.md#taobao-batch-check).

    The names inside `mp_products` and `no_mp_reason_list` are not known: see `model_extra`.
    """

    mp_products: Entries[ReplyModel] = ()
    no_mp_product_item_ids: Texts = ()
    no_mp_reason_list: Entries[ReplyModel] = ()


class Item(ReplyModel):
    """A product in a list: prices are yuan here (docs/platform/calls-goods.md#taobao-searches)."""

    identified_by = ("item_id",)

    item_id: Identifier = Field(default=None, validation_alias=AliasChoices("itemId", "itemMapId"))
    main_image_url: Text = None
    title: Text = None
    price: Yuan = None
    coupon_price: Yuan = None
    quantity: Count = Field(default=None, validation_alias=AliasChoices("quantity", "inventory"))
    shop_name: Text = None
    tags: Texts = ()
    multi_language_info: Translation | None = None


class ItemPage(Page[Item]):
    """One page of products."""
