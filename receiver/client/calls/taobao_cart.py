"""The calls about the cart of Taobao goods."""

from __future__ import annotations

from typing import Final

from receiver.client.call import Call, Group, one
from receiver.client.calls import settled_carts as shown
from receiver.client.calls.settled_orders import any_made, changed_since
from receiver.client.calls.taobao_orders import TaobaoOrders
from receiver.client.endpoint import Endpoint, documented, guessed, inferred
from receiver.client.settlement import SettledBy
from schemas.api.alibaba_cart import Cart, CartListRequest
from schemas.api.reply import Confirmation
from schemas.api.taobao_cart import (
    TaobaoCartAddRequest,
    TaobaoCartDeleteRequest,
    TaobaoCartOrderRequest,
    TaobaoCartQuantityRequest,
)
from schemas.api.taobao_order_replies import TaobaoOrderCreation, TaobaoOrderRender

_ROWS: Final = "docs/platform/calls-carts.md#carts-by-edition"


class TaobaoCart(Group, prefix="taobao_cart"):
    """The calls about the cart of Taobao goods. Each raises `APIError`."""

    add = Call(
        Endpoint(
            "Put goods into the cart",
            {
                "v1": documented("POST", "/open/cart/add"),
                "v2": documented("POST", "/v2/taobao/cart/add"),
            },
            source=_ROWS,
            row="Taobao add",
            reply="unknown",
            changes_state=True,
        ),
        TaobaoCartAddRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: TaobaoCart, "list", shown.whole, shown.is_filled),
    )
    create_order = Call(
        Endpoint(
            "Order entries of the cart",
            {
                "v1": documented("POST", "/open/cart/create/order"),
                "v2": inferred("POST", "/v2/taobao/cart/create/order"),
            },
            source=_ROWS,
            row="Taobao create",
            reply="unknown",
            changes_state=True,
        ),
        TaobaoCartOrderRequest,
        one(TaobaoOrderCreation),
        settled_by=SettledBy(lambda: TaobaoOrders, "list", changed_since, any_made),
    )
    list = Call(
        Endpoint(
            "What lies in the cart, by seller",
            {
                "v1": guessed("GET", "/open/cart/list"),
                "v2": guessed("GET", "/v2/taobao/cart/list"),
            },
            source=_ROWS,
            row="Taobao list",
            reply="unknown",
        ),
        CartListRequest,
        one(Cart),
    )
    preview = Call(
        Endpoint(
            "What an order of entries of the cart would cost",
            {
                "v1": guessed("POST", "/open/cart/preview/order"),
                "v2": guessed("POST", "/v2/taobao/cart/preview/order"),
            },
            source=_ROWS,
            row="Taobao preview",
            reply="unknown",
        ),
        TaobaoCartOrderRequest,
        one(TaobaoOrderRender),
    )
    delete = Call(
        Endpoint(
            "Take entries out of the cart",
            {
                "v1": guessed("POST", "/open/cart/delete"),
                "v2": guessed("POST", "/v2/taobao/cart/delete"),
            },
            source=_ROWS,
            row="Taobao delete",
            reply="unknown",
            changes_state=True,
        ),
        TaobaoCartDeleteRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: TaobaoCart, "list", shown.whole, shown.is_deleted),
    )
    edit_quantity = Call(
        Endpoint(
            "Change how many of an entry there are",
            {
                "v1": inferred("POST", "/open/cart/edit-quantity"),
                "v2": inferred("POST", "/v2/taobao/cart/edit-quantity"),
            },
            source=_ROWS,
            row="Taobao quantity",
            reply="unknown",
            changes_state=True,
        ),
        TaobaoCartQuantityRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: TaobaoCart, "list", shown.whole, shown.is_counted),
    )
