"""The cart of Taobao goods (docs/platform/calls-carts.md#taobao-cart)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.api.alibaba_cart import CartIds
from schemas.api.request import Fen, Id, IntegerId, JsonText, PlainText, request, short_request


@request
class TaobaoCartAddRequest:
    """What to put in: `mp_id` and `mp_sku_id` are required; prices are fen, or `Money`."""

    user_id: PlainText | None = None
    platform: PlainText | None = None
    item_map_id: PlainText | None = None
    sku_id: PlainText | None = None
    mp_id: Id
    mp_sku_id: Id
    item_title: PlainText | None = None
    item_pic: PlainText | None = None
    price: Fen | None = None
    promotion_price: Fen | None = None
    properties: JsonText | None = None
    quantity: Annotated[int, Field(ge=1)]
    shop_id: PlainText | None = None
    shop_name: PlainText | None = None


@request
class TaobaoCartOrderRequest:
    """Which entries to order; the body of the page is not known, so the name is that of 1688."""

    cart_ids: CartIds


@short_request
class TaobaoCartDeleteRequest:
    """Which entries to take out; the page is not known, so the name is that of 1688."""

    cart_ids: CartIds


@request
class TaobaoCartQuantityRequest:
    """How many of an entry there are to be; names of the call for 1688."""

    quantity: Annotated[int, Field(ge=1)]
    id: IntegerId
