"""The cart of 1688 goods (docs/platform/calls-carts.md#1688-cart)."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AliasChoices, Field

from schemas.api.alibaba_orders import AddressParam
from schemas.api.reply import Entries, Number, ReplyModel, Text
from schemas.api.request import Id, IntegerId, PlainText, request, short_request, sized
from schemas.values import Count, Identifier

_SOURCE: Final = "docs/platform/calls-carts.md#1688-cart"
CartIds = Annotated[list[IntegerId], sized(1, None, "entry of the cart", _SOURCE)]


@short_request
class CartListRequest:
    """Nothing is asked for but the account's cart."""


@request
class CartOrderRequest:
    """Which entries of the cart go where; one page of v1 requires the address too."""

    address_param: AddressParam | None = None
    cart_ids: CartIds


@request
class CartQuantityRequest:
    """How many of an entry there are to be."""

    quantity: Annotated[int, Field(ge=1)]
    id: IntegerId
    product_no: PlainText | None = None
    container: PlainText | None = None


@request
class CartAddRequest:
    """What to put in; the page could not be read, so these are the names of a listed entry."""

    offer_map_id: Id | None = None
    offer_id: IntegerId | None = None
    spec_id: PlainText | None = None
    sku_id: PlainText | None = None
    quantity: Annotated[int, Field(ge=1)]
    seller_open_id: PlainText | None = None


@short_request
class CartDeleteRequest:
    """Which entries to take out; the page could not be read, so the name is that of the preview."""

    cart_ids: CartIds


class CartItem(ReplyModel):
    """One entry; the unit of `price` is not said."""

    identified_by = ("id",)

    id: Identifier = None
    offer_map_id: Identifier = None
    offer_id: Identifier = None
    spec_id: Identifier = None
    sku_id: Identifier = None
    item_title: Text = None
    item_pic: Text = None
    price: Number = None
    quantity: Count = None
    amount_on_sale: Count = None
    properties: Text = None


class CartSeller(ReplyModel):
    """What lies in the cart of one seller."""

    seller_open_id: Identifier = None
    seller_nick_name: Text = None
    cart_item_infos: Entries[CartItem] = ()


class Cart(ReplyModel):
    """The cart: what can be ordered, and what cannot any more."""

    bare_list = "enable_list"
    may_be_null = True

    enable_list: Entries[CartSeller] = Field(
        default=(), validation_alias=AliasChoices("enableList", "list", "cartList")
    )
    disable_list: Entries[CartSeller] = ()

    @property
    def items(self) -> tuple[CartItem, ...]:
        """Every entry that can be ordered, of all sellers."""
        return tuple(item for seller in self.enable_list for item in seller.cart_item_infos)
