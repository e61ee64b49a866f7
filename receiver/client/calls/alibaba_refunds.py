"""The calls about after sales of 1688.

The inner codes are the upstream's: docs/platform/after-sales.md#creating-a-1688-refund,
docs/platform/after-sales.md#return-shipment-to-a-1688-seller.
"""

from __future__ import annotations

from typing import Final

from receiver.client.call import Call, Group, one, rows
from receiver.client.calls import settled_refunds as shown
from receiver.client.calls.alibaba_orders import AlibabaOrders
from receiver.client.calls.settled_orders import of_order
from receiver.client.endpoint import Endpoint, documented, guessed, inferred
from receiver.client.settlement import SettledBy
from schemas.api.alibaba_refunds import (
    AlibabaRefund,
    Carrier,
    CarriersRequest,
    CreatedRefund,
    RefundCreateRequest,
    RefundDetailRequest,
    RefundReasons,
    RefundReasonsRequest,
    ReturnShipmentRequest,
    Voucher,
    VoucherRequest,
)
from schemas.api.reply import Confirmation

_ROWS: Final = "docs/platform/after-sales.md#1688-after-sales-calls"
_CREATE_REFUSALS: Final = {
    "5001": "no such order",
    "5002": "not the buyer of the order",
    "5003": "goodsStatus does not fit",
    "5004": "no such reason",
    "5005": "a voucher is needed",
    "5006": "the carriage must be 0",
    "5010": "the order's state does not allow it",
    "5011": "the amount is not allowed",
    "5012": "the length of the description",
    "5013": "the number of lines",
    "5100": "another refusal",
}
_RETURN_REFUSALS: Final = {
    "4001": "no authorisation",
    "4002": "carrier and waybill number are both required",
    "4003": "the vouchers are not allowed",
    "4004": "the number does not fit the carrier",
    "4005": "no such refund",
    "4006": "not your refund",
    "4007": "the state of the case does not allow it",
    "4008": "the number is wrong",
    "5001": "a fault of the server",
    "5002": "a fault of the server",
    "5003": "a fault of the server",
}


class AlibabaRefunds(Group, prefix="alibaba_refunds"):
    """The calls about after sales of 1688. Each raises `APIError`."""

    detail = Call(
        Endpoint(
            "One case",
            {
                "v1": documented("POST", "/alibaba/refund/info"),
                "v2": inferred("POST", "/v2/alibaba/refund/info"),
                "ka": guessed("POST", "/alibaba/ka/refund/info"),
            },
            source=_ROWS,
            row="detail",
            reply="documented",
            also_in_query=("refundId",),  # in the body by one page, in the query by another
        ),
        RefundDetailRequest,
        one(AlibabaRefund),
    )
    reasons = Call(
        Endpoint(
            "The reasons that a refund of these lines can have",
            {
                "v1": guessed("POST", "/alibaba/refund/reason"),
                "v2": guessed("POST", "/v2/alibaba/refund/reason"),
                "ka": guessed("POST", "/alibaba/ka/refund/reason"),
            },
            source=_ROWS,
            row="refund reasons",
            reply="upstream",
        ),
        RefundReasonsRequest,
        one(RefundReasons),
    )
    upload_voucher = Call(
        Endpoint(
            "Store a photograph for a case, sent as the upstream takes it, a multipart form",
            {
                "v1": guessed("POST", "/alibaba/refund/voucher/upload"),
                "v2": guessed("POST", "/v2/alibaba/refund/voucher/upload"),
                "ka": guessed("POST", "/alibaba/ka/refund/voucher/upload"),
            },
            source=_ROWS,
            row="upload voucher",
            reply="upstream",
            changes_state=True,
        ),
        VoucherRequest,
        one(Voucher),
    )
    create = Call(
        Endpoint(
            "Open a case",
            {
                "v1": documented("POST", "/alibaba/refund/detail/create"),
                "v2": documented("POST", "/v2/alibaba/refund/detail/create"),
                "ka": guessed("POST", "/alibaba/ka/refund/detail/create"),
            },
            source=_ROWS,
            row="create refund",
            reply="documented",
            changes_state=True,
            limits=("before shipment exactly what was paid for the lines (upstream)",),
            refusals=_CREATE_REFUSALS,
        ),
        RefundCreateRequest,
        one(CreatedRefund),
        settled_by=SettledBy(lambda: AlibabaOrders, "detail", of_order, shown.is_opened),
    )
    submit_return = Call(
        Endpoint(
            "Say how the goods went back",
            {
                "v1": documented("POST", "/alibaba/refund/goods/return"),
                "v2": inferred("POST", "/v2/alibaba/refund/goods/return"),
                "ka": guessed("POST", "/alibaba/ka/refund/goods/return"),
            },
            source=_ROWS,
            row="return shipment",
            reply="upstream",
            changes_state=True,
            refusals=_RETURN_REFUSALS,
        ),
        ReturnShipmentRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: AlibabaRefunds, "detail", shown.of_case, shown.is_sent_back),
    )
    carriers = Call(
        Endpoint(
            "The carriers that goods can go back with",
            {
                "v1": guessed("GET", "/alibaba/refund/logistics/company"),
                "v2": guessed("GET", "/v2/alibaba/refund/logistics/company"),
                "ka": guessed("GET", "/alibaba/ka/refund/logistics/company"),
            },
            source=_ROWS,
            row="carriers",
            reply="upstream",
        ),
        CarriersRequest,
        rows(Carrier),
    )
    cancel = Call(
        Endpoint(
            "Withdraw a case",
            {"ka": guessed("POST", "/alibaba/ka/refund/cancel")},
            source=_ROWS,
            row="cancel refund",
            reply="unknown",
            changes_state=True,
        ),
        RefundDetailRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: AlibabaRefunds, "detail", shown.of_case, shown.is_withdrawn),
    )
