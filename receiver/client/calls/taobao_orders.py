"""The calls about orders of Taobao."""

from __future__ import annotations

from typing import Final

from receiver.client.call import Call, Group, PagedCall, one
from receiver.client.calls import settled_orders as shown
from receiver.client.endpoint import Endpoint, documented, guessed, inferred
from receiver.client.settlement import SettledBy
from schemas.api.reply import Confirmation
from schemas.api.request import FreeRequest
from schemas.api.taobao_logistics import TaobaoLogisticsDetail
from schemas.api.taobao_order_replies import (
    ImLink,
    TaobaoOrderCreation,
    TaobaoOrderDetail,
    TaobaoOrderPage,
    TaobaoOrderRender,
    TaobaoPayment,
)
from schemas.api.taobao_orders import (
    ImLinkRequest,
    TaobaoCancelRequest,
    TaobaoLogisticsRequest,
    TaobaoOrderCreateRequest,
    TaobaoOrderDetailRequest,
    TaobaoOrderListRequest,
    TaobaoOrderRenderRequest,
    TaobaoPayRequest,
    WarehouseInfoRequest,
)

_ROWS: Final = "docs/platform/calls-orders.md#taobao-orders-by-edition"


class TaobaoOrders(Group, prefix="taobao_orders"):
    """The calls about orders of Taobao. Each raises `APIError`."""

    create = Call(
        Endpoint(
            "Order; the items are those of the distribution platform (`mp_id`, `mp_sku_id`)",
            {
                "v1": documented("POST", "/open/order"),
                "v2": inferred("POST", "/v2/taobao/order"),
            },
            source=_ROWS,
            row="create",
            reply="upstream",
            changes_state=True,
        ),
        TaobaoOrderCreateRequest,
        one(TaobaoOrderCreation),
        settled_by=SettledBy(lambda: TaobaoOrders, "list", shown.changed_since, shown.is_purchased),
    )
    list = PagedCall(
        Endpoint(
            "Orders by status and time",
            {
                "v1": inferred("GET", "/open/order/page"),
                "v2": inferred("POST", "/v2/taobao/order/page"),
            },
            source=_ROWS,
            row="list",
            reply="upstream",
        ),
        TaobaoOrderListRequest,
        TaobaoOrderPage,
    )
    list_purchases = PagedCall(
        Endpoint(
            "Purchase orders by status and time (Xportcn)",
            {"v1": documented("POST", "/open/purchase/page")},
            source=_ROWS,
            row="list of purchases",
            reply="upstream",
        ),
        TaobaoOrderListRequest,
        TaobaoOrderPage,
    )
    upload_payment_voucher = Call(
        Endpoint(
            "Store the proof of a payment; its parameters are not documented",
            {"v1": guessed("POST", "/open/order/payment/voucher")},
            source=_ROWS,
            row="payment voucher",
            reply="unknown",
            changes_state=True,
        ),
        FreeRequest,
        one(Confirmation),
    )
    cancel = Call(
        Endpoint(
            "Ask for the cancellation of an order or of lines; accepted is not yet cancelled",
            {
                "v1": inferred("POST", "/open/order/cancel"),
                "v2": guessed("POST", "/v2/taobao/order/cancel"),
            },
            source=_ROWS,
            row="cancel",
            reply="upstream",
            changes_state=True,
        ),
        TaobaoCancelRequest,
        one(Confirmation),
        settled_by=SettledBy(
            lambda: TaobaoOrders, "detail", shown.of_purchase, shown.is_purchase_closed
        ),
    )
    pay = Call(
        Endpoint(
            "Pay orders; accepted is not yet paid, and some may fail while others are paid",
            {
                "v1": inferred("POST", "/open/order/pay"),
                "v2": guessed("POST", "/v2/taobao/order/pay"),
            },
            source=_ROWS,
            row="pay",
            reply="client code",
            changes_state=True,
        ),
        TaobaoPayRequest,
        one(TaobaoPayment),
        settled_by=SettledBy(
            lambda: TaobaoOrders, "list", shown.of_purchases, shown.are_purchases_paid
        ),
    )
    update_warehouse = Call(
        Endpoint(
            "Say which warehouse the goods of an order go to",
            {
                "v1": documented("POST", "/open/order/updateWarehouse"),
                "v2": inferred("POST", "/v2/taobao/order/updateWarehouse"),
            },
            source=_ROWS,
            row="warehouse info",
            reply="unknown",
            changes_state=True,
        ),
        WarehouseInfoRequest,
        one(Confirmation),
    )
    im_link = Call(
        Endpoint(
            "The URL of the chat with a seller",
            {
                "v1": documented("POST", "/open/order/page/link/get"),
                "v2": guessed("POST", "/v2/taobao/order/page/link/get"),
            },
            source=_ROWS,
            row="IM link",
            reply="documented",
        ),
        ImLinkRequest,
        one(ImLink),
    )
    detail = Call(
        Endpoint(
            "One order",
            {
                "v1": guessed("GET", "/open/order/get"),
                "v2": inferred("GET", "/v2/taobao/order/get"),
            },
            source=_ROWS,
            row="detail",
            reply="upstream",
        ),
        TaobaoOrderDetailRequest,
        one(TaobaoOrderDetail),
    )
    logistics = Call(
        Endpoint(
            "The parcels of an order line and their way so far",
            {
                "v1": documented("GET", "/open/order/logistics/detail/get"),
                "v2": documented("GET", "/v2/taobao/order/logistics/detail/get"),
            },
            source=_ROWS,
            row="tracking",
            reply="documented",
        ),
        TaobaoLogisticsRequest,
        one(TaobaoLogisticsDetail),
    )
    render = Call(
        Endpoint(
            "What an order would cost (Vietnamese and KA editions)",
            {
                "v1": guessed("POST", "/open/order/render"),
                "ka": guessed("POST", "/open/ka/order/render"),
            },
            source=_ROWS,
            row="render (preview)",
            reply="upstream",
        ),
        TaobaoOrderRenderRequest,
        one(TaobaoOrderRender),
    )
