"""The calls about orders of 1688.

The inner codes are the upstream's: docs/platform/calls-orders.md#1688-order-preview,
docs/platform/calls-orders.md#1688-order-cancellation, docs/platform/calls-orders.md#1688-receipt,
docs/platform/logistics.md#1688-tracking.
"""

from __future__ import annotations

from typing import Final

from receiver.client.call import Call, Group, PagedCall, one
from receiver.client.calls import settled_orders as shown
from receiver.client.endpoint import Endpoint, documented, guessed, inferred, seen
from receiver.client.settlement import SettledBy
from schemas.api.alibaba_chat import OpenUidRequest, Wangwang
from schemas.api.alibaba_logistics import OrderLogistics
from schemas.api.alibaba_order_creation import (
    BatchPayment,
    OrderCreation,
    OrderPreview,
    PaymentUrl,
)
from schemas.api.alibaba_order_detail import AlibabaOrderDetail, OrderPage
from schemas.api.alibaba_orders import (
    BatchCreateRequest,
    BatchPayRequest,
    BatchPreviewRequest,
    OrderCancelRequest,
    OrderCreateRequest,
    OrderDetailRequest,
    OrderListRequest,
    OrderLogisticsRequest,
    OrderPreviewRequest,
    PaymentUrlRequest,
    ReceiptRequest,
)
from schemas.api.reply import Confirmation

_ROWS: Final = "docs/platform/calls-orders.md#1688-orders-by-edition"
_PREVIEW_REFUSALS: Final = {
    "500_001": "not sold online",
    "500_002": "several sellers, or no spec id",
    "500_003": "the spec is of another product",
    "500_004": "not enough in stock",
    "500_005": "below the minimum quantity",
    "500_006": "limit of mixed lots",
    "500_007": "no consignment relation",
    "500_008": "the price of the SKU is 0",
    "500_009": "below the wholesale minimum",
}
_CANCEL_REFUSALS: Final = {
    "ORDER_STATUS_ERROR": "the order's status does not allow it",
    "400_3": "not your order",
    "ORDER_NOT_EXIST": "no such order",
    "CLOSE_ORDER_TOO_FAST": "the order is younger than 10 s",
}
_TRACE_REFUSALS: Final = {
    "404": "no trace",
    "order.nopermission.buyer": "not your order",
    "order.createtime.history": "the order is older than a year",
    "500_2": "not shipped yet",
}


class AlibabaOrders(Group, prefix="alibaba_orders"):
    """The calls about orders of 1688. Each raises `APIError`."""

    preview = Call(
        Endpoint(
            "What an order would cost, and how it can be made",
            {
                "v1": documented("POST", "/alibaba/order/create/preview"),
                "v2": documented("POST", "/v2/alibaba/order/create/preview"),
                "ka": documented("POST", "/alibaba/ka/order/create/preview"),
            },
            source=_ROWS,
            row="preview",
            reply="documented",
            refusals=_PREVIEW_REFUSALS,
        ),
        OrderPreviewRequest,
        one(OrderPreview),
    )
    preview_batch = Call(
        Endpoint(
            "What orders from several sellers would cost",
            {
                "v1": documented("POST", "/alibaba/order/create/previewbatch"),
                "v2": inferred("POST", "/v2/alibaba/order/create/previewbatch"),
            },
            source=_ROWS,
            row="preview, several sellers",
            reply="upstream",
            refusals=_PREVIEW_REFUSALS,
        ),
        BatchPreviewRequest,
        one(OrderPreview),
    )
    create = Call(
        Endpoint(
            "Order from one seller",
            {
                "v1": documented("POST", "/alibaba/order/create"),
                "v2": documented("POST", "/v2/alibaba/order/create"),
                "ka": documented("POST", "/alibaba/ka/order/create"),
            },
            source=_ROWS,
            row="create",
            reply="upstream",
            changes_state=True,
            limits=("one seller; `quantity` in multiples of the `batch_number` of the product",),
            refusals=_PREVIEW_REFUSALS,
        ),
        OrderCreateRequest,
        one(OrderCreation),
        settled_by=SettledBy(lambda: AlibabaOrders, "list", shown.since, shown.is_made),
    )
    create_batch = Call(
        Endpoint(
            "Order from several sellers; some orders may fail while others are made",
            {
                "v1": documented("POST", "/alibaba/order/batch/create"),
                "v2": documented("POST", "/v2/alibaba/order/batch/create"),
            },
            source=_ROWS,
            row="create, several sellers",
            reply="upstream",
            changes_state=True,
            refusals=_PREVIEW_REFUSALS,
        ),
        BatchCreateRequest,
        one(OrderCreation),
        settled_by=SettledBy(lambda: AlibabaOrders, "list", shown.since, shown.are_made),
    )
    detail = Call(
        Endpoint(
            "One order",
            {
                "v1": documented("POST", "/alibaba/order/detail"),
                "v2": inferred("POST", "/v2/alibaba/order/detail"),
                "ka": guessed("POST", "/alibaba/ka/order/detail"),
            },
            source=_ROWS,
            row="detail",
            reply="upstream",
        ),
        OrderDetailRequest,
        one(AlibabaOrderDetail),
    )
    list = PagedCall(
        Endpoint(
            "Orders by status and time",
            {
                "v1": inferred("POST", "/alibaba/order/page"),
                "v2": documented("POST", "/v2/alibaba/order/page"),
                "ka": guessed("POST", "/alibaba/ka/order/page"),
            },
            source=_ROWS,
            row="list",
            reply="upstream",
        ),
        OrderListRequest,
        OrderPage,
        number="page",
    )
    cancel = Call(
        Endpoint(
            "Cancel an order that is not paid",
            {
                "v1": documented("POST", "/alibaba/order/cancel"),
                "v2": documented("POST", "/v2/alibaba/order/cancel"),
            },
            source=_ROWS,
            row="cancel before payment",
            reply="documented",
            changes_state=True,
            limits=("not in the first 10 s of an order (upstream)",),
            refusals=_CANCEL_REFUSALS,
        ),
        OrderCancelRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: AlibabaOrders, "detail", shown.of_order, shown.is_closed),
    )
    payment_url = Call(
        Endpoint(
            "Pay an order by agreement, or get the URL to pay it at",
            {
                "v1": documented("GET", "/alibaba/order/pay/url"),
                "v2": documented("GET", "/v2/alibaba/order/pay/url"),
                "ka": documented("POST", "/alibaba/ka/order/pay"),
            },
            source=_ROWS,
            row="payment URL",
            reply="documented",
            changes_state=True,
            limits=("3 attempts, after reading the order each time (upstream)",),
        ),
        PaymentUrlRequest,
        one(PaymentUrl),
        settled_by=SettledBy(lambda: AlibabaOrders, "detail", shown.of_order, shown.is_paid),
    )
    pay_batch = Call(
        Endpoint(
            "Pay several orders; some may fail while others are paid",
            {
                "v1": documented("POST", "/alibaba/order/batch/submit/to/pay"),
                "v2": inferred("POST", "/v2/alibaba/order/batch/submit/to/pay"),
            },
            source=_ROWS,
            row="batch payment",
            reply="unknown",
            changes_state=True,
            limits=("30 orders where credit or Kuajingbao pays, 10 advised (upstream)",),
        ),
        BatchPayRequest,
        one(BatchPayment),
        settled_by=SettledBy(lambda: AlibabaOrders, "list", shown.of_orders, shown.are_paid),
    )
    confirm_receipt = Call(
        Endpoint(
            "Confirm that lines of an order have arrived",
            {
                "v1": documented("POST", "/alibaba/order/receivegoods"),
                "v2": inferred("POST", "/v2/alibaba/order/receivegoods"),
            },
            source=_ROWS,
            row="confirm receipt",
            reply="documented",
            changes_state=True,
            refusals={"4003": "no such order"},
        ),
        ReceiptRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: AlibabaOrders, "detail", shown.of_order, shown.has_arrived),
    )
    logistics = Call(
        Endpoint(
            "The parcels of an order and their way so far, or one of them",
            {
                "v1": guessed("GET", "/alibaba/order/logistics/trace"),
                "v2": guessed("GET", "/v2/alibaba/order/logistics/trace"),
                "ka": guessed("POST", "/alibaba/ka/order/logistics/trace"),
            },
            source=_ROWS,
            row="tracking",
            reply="upstream",
            limits=("orders of the last year (upstream)",),
            refusals=_TRACE_REFUSALS,
        ),
        OrderLogisticsRequest,
        one(OrderLogistics),
    )
    decrypt_open_uid = Call(
        Endpoint(
            "The chat of a seller: a nickname or a URL, by edition",
            {
                "v1": seen("POST", "/alibaba/product/openuid/decrypt"),
                "v2": inferred("POST", "/v2/alibaba/product/openuid/decrypt"),
                "ka": documented("POST", "/alibaba/ka/im/openuid/decrypt"),
            },
            source="docs/platform/calls-goods.md#openuid-to-wangwang",
            row="openUid to Wangwang",
            reply="upstream",
            limits=("not in bulk (upstream)",),
        ),
        OpenUidRequest,
        one(Wangwang),
    )
