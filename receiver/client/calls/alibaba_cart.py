"""The calls about the cart of 1688 goods."""

from __future__ import annotations

from typing import Final

from receiver.client.call import Call, Group, one
from receiver.client.calls import settled_carts as shown
from receiver.client.calls.alibaba_orders import AlibabaOrders
from receiver.client.calls.settled_orders import any_made, since
from receiver.client.endpoint import Endpoint, documented, guessed, inferred
from receiver.client.settlement import SettledBy
from schemas.api.alibaba_cart import (
    Cart,
    CartAddRequest,
    CartDeleteRequest,
    CartListRequest,
    CartOrderRequest,
    CartQuantityRequest,
)
from schemas.api.alibaba_order_creation import OrderCreation, OrderPreview
from schemas.api.reply import Confirmation

_ROWS: Final = "docs/platform/calls-carts.md#carts-by-edition"


class AlibabaCart(Group, prefix="alibaba_cart"):
    """The calls about the cart of 1688 goods. Each raises `APIError`."""

    list = Call(
        Endpoint(
            "What lies in the cart, by seller",
            {
                "v1": inferred("GET", "/alibaba/cart/list"),
                "v2": documented("GET", "/v2/alibaba/cart/list"),
            },
            source=_ROWS,
            row="1688 list",
            reply="documented",
        ),
        CartListRequest,
        one(Cart),
    )
    preview = Call(
        Endpoint(
            "What an order of entries of the cart would cost",
            {
                "v1": documented("POST", "/alibaba/cart/preview/order"),
                "v2": inferred("POST", "/v2/alibaba/cart/preview/order"),
            },
            source=_ROWS,
            row="1688 preview",
            reply="upstream",
        ),
        CartOrderRequest,
        one(OrderPreview),
    )
    create_order = Call(
        Endpoint(
            "Order entries of the cart",
            {
                "v1": documented("POST", "/alibaba/cart/create/order"),
                "v2": inferred("POST", "/v2/alibaba/cart/create/order"),
            },
            source=_ROWS,
            row="1688 create",
            reply="unknown",
            changes_state=True,
        ),
        CartOrderRequest,
        one(OrderCreation),
        settled_by=SettledBy(lambda: AlibabaOrders, "list", since, any_made),
    )
    add = Call(
        Endpoint(
            "Put goods into the cart",
            {
                "v1": inferred("POST", "/alibaba/cart/add"),
                "v2": guessed("POST", "/v2/alibaba/cart/add"),
            },
            source=_ROWS,
            row="1688 add",
            reply="unknown",
            changes_state=True,
        ),
        CartAddRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: AlibabaCart, "list", shown.whole, shown.is_added),
    )
    delete = Call(
        Endpoint(
            "Take entries out of the cart",
            {
                "v1": guessed("POST", "/alibaba/cart/delete"),
                "v2": guessed("POST", "/v2/alibaba/cart/delete"),
            },
            source=_ROWS,
            row="1688 delete",
            reply="unknown",
            changes_state=True,
        ),
        CartDeleteRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: AlibabaCart, "list", shown.whole, shown.is_deleted),
    )
    edit_quantity = Call(
        Endpoint(
            "Change how many of an entry there are",
            {
                "v1": documented("POST", "/alibaba/cart/edit-quantity"),
                "v2": inferred("POST", "/v2/alibaba/cart/edit-quantity"),
            },
            source=_ROWS,
            row="1688 quantity",
            reply="documented",
            changes_state=True,
        ),
        CartQuantityRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: AlibabaCart, "list", shown.whole, shown.is_counted),
    )
