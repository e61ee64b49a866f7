"""The calls about after sales of Taobao, "reverse orders"."""

from __future__ import annotations

from typing import Final

from receiver.client.call import Call, Group, PagedCall, one
from receiver.client.calls import settled_refunds as shown
from receiver.client.endpoint import Endpoint, documented, guessed, inferred
from receiver.client.settlement import SettledBy
from schemas.api.reply import Confirmation
from schemas.api.taobao_refunds import (
    RefundMessagePage,
    ReturnRender,
    SubmittedRefund,
    TaobaoRefund,
    TaobaoRefundListRequest,
    TaobaoRefundMessageRequest,
    TaobaoRefundMessagesRequest,
    TaobaoRefundModifyRequest,
    TaobaoRefundPage,
    TaobaoRefundRender,
    TaobaoRefundRenderRequest,
    TaobaoRefundRequest,
    TaobaoRefundSubmitRequest,
    TaobaoReturnShipmentRequest,
)

_ROWS: Final = "docs/platform/after-sales.md#taobao-after-sales-calls"


class TaobaoRefunds(Group, prefix="taobao_refunds"):
    """The calls about after sales of Taobao. Each raises `APIError`."""

    list = PagedCall(
        Endpoint(
            "Cases",
            {
                "v1": documented("POST", "/open/order/refund/queryList"),
                "v2": inferred("POST", "/v2/taobao/order/refund/queryList"),
            },
            source=_ROWS,
            row="list",
            reply="unknown",
        ),
        TaobaoRefundListRequest,
        TaobaoRefundPage,
    )
    detail = Call(
        Endpoint(
            "One case with its line and the way back",
            {
                "v1": documented("GET", "/open/order/refund/query"),
                "v2": documented("GET", "/v2/taobao/order/refund/query"),
            },
            source=_ROWS,
            row="detail",
            reply="documented",
        ),
        TaobaoRefundRequest,
        one(TaobaoRefund),
    )
    cancel = Call(
        Endpoint(
            "Withdraw a case; it is a GET, and changes the state all the same",
            {
                "v1": documented("GET", "/open/order/refund/cancel/{refundId}"),
                "v2": documented("GET", "/v2/taobao/order/refund/cancel/{refundId}"),
            },
            source=_ROWS,
            row="cancel",
            reply="documented",
            changes_state=True,
        ),
        TaobaoRefundRequest,
        one(TaobaoRefund),
        settled_by=SettledBy(lambda: TaobaoRefunds, "detail", shown.of_case, shown.is_withdrawn),
    )
    render = Call(
        Endpoint(
            "What a submit can ask for: reasons, and how much at most",
            {
                "v1": inferred("POST", "/open/order/refund/render"),
                "v2": documented("POST", "/v2/taobao/order/refund/render"),
            },
            source=_ROWS,
            row="render",
            reply="documented",
        ),
        TaobaoRefundRenderRequest,
        one(TaobaoRefundRender),
    )
    submit = Call(
        Endpoint(
            "Open a case",
            {
                "v1": inferred("POST", "/open/order/refund/submit"),
                "v2": inferred("POST", "/v2/taobao/order/refund/submit"),
            },
            source=_ROWS,
            row="submit",
            reply="unknown",
            changes_state=True,
        ),
        TaobaoRefundSubmitRequest,
        one(SubmittedRefund),
        settled_by=SettledBy(lambda: TaobaoRefunds, "list", shown.nothing, shown.is_submitted),
    )
    modify = Call(
        Endpoint(
            "Change what a case asks for",
            {
                "v1": guessed("POST", "/open/order/refund/modify"),
                "v2": guessed("POST", "/v2/taobao/order/refund/modify"),
            },
            source=_ROWS,
            row="modify",
            reply="unknown",
            changes_state=True,
        ),
        TaobaoRefundModifyRequest,
        one(SubmittedRefund),
        settled_by=SettledBy(lambda: TaobaoRefunds, "detail", shown.of_case, shown.is_modified),
    )
    submit_message = Call(
        Endpoint(
            "Say something in a case",
            {
                "v1": documented("POST", "/open/order/refund/submit/message"),
                "v2": inferred("POST", "/v2/taobao/order/refund/submit/message"),
            },
            source=_ROWS,
            row="submit a message",
            reply="unknown",
            changes_state=True,
        ),
        TaobaoRefundMessageRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: TaobaoRefunds, "messages", shown.of_case, shown.is_said),
    )
    messages = PagedCall(
        Endpoint(
            "What was said in a case",
            {
                "v1": guessed("POST", "/open/order/refund/message/list"),
                "v2": guessed("POST", "/v2/taobao/order/refund/message/list"),
            },
            source=_ROWS,
            row="list of messages",
            reply="unknown",
        ),
        TaobaoRefundMessagesRequest,
        RefundMessagePage,
    )
    render_return = Call(
        Endpoint(
            "The carriers that goods can go back with",
            {
                "v1": inferred("GET", "/open/order/refund/render/logistics"),
                "v2": inferred("GET", "/v2/taobao/order/refund/render/logistics"),
            },
            source=_ROWS,
            row="return shipment, render",
            reply="unknown",
        ),
        TaobaoRefundRequest,
        one(ReturnRender),
    )
    submit_return = Call(
        Endpoint(
            "Say how the goods went back",
            {
                "v1": inferred("POST", "/open/order/refund/submit/logistics"),
                "v2": inferred("POST", "/v2/taobao/order/refund/submit/logistics"),
            },
            source=_ROWS,
            row="return shipment, submit",
            reply="unknown",
            changes_state=True,
        ),
        TaobaoReturnShipmentRequest,
        one(Confirmation),
        settled_by=SettledBy(lambda: TaobaoRefunds, "detail", shown.of_case, shown.is_returned),
    )
