"""What a read shows of a change to cases whose outcome is unknown; see `settled_orders`. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from receiver.client.settlement import Verdict
from schemas.api.alibaba_order_detail import AlibabaOrderDetail, OrderLine
from schemas.api.alibaba_refunds import AlibabaRefund, RefundCreateRequest, ReturnShipmentRequest
from schemas.api.taobao_refunds import (
    RefundMessage,
    ReturnLogistics,
    TaobaoRefund,
    TaobaoRefundMessageRequest,
    TaobaoRefundModifyRequest,
    TaobaoRefundSubmitRequest,
    TaobaoReturnShipmentRequest,
)
from schemas.statuses import RefundStatus

_OPEN: Final = frozenset({RefundStatus.APPLIED, RefundStatus.AGREED, RefundStatus.RETURNED})


def of_case(request: Any, _: datetime) -> Mapping[str, Any]:
    """The case that the request names."""
    return {"refund_id": request.refund_id}


def nothing(_: Any, __: datetime) -> Mapping[str, Any]:
    """For a call that takes nothing."""
    return {}


def is_opened(request: RefundCreateRequest, order: AlibabaOrderDetail, _: datetime) -> Verdict:
    """Whether a line of the request has an open case."""
    named = set(request.order_entry_ids or ())
    lines = [line for line in order.product_items if not named or line.sub_item_id in named]
    if any(line.our_refund_status in _OPEN for line in lines):
        return "done"
    head = order.base_info
    untouched = head is not None and not head.refund_id and _is_without_case(head.refund_status)
    return "not done" if lines and untouched and all(map(_has_no_case, lines)) else "unknown"


def is_withdrawn(_: Any, case: AlibabaRefund | TaobaoRefund, __: datetime) -> Verdict:
    """Whether the case is closed."""
    held = case.case if isinstance(case, TaobaoRefund) else case
    status = held.our_status if held else RefundStatus.UNKNOWN
    if status is RefundStatus.UNKNOWN:
        return "unknown"
    return "done" if status is RefundStatus.CLOSED else "not done"


def is_sent_back(request: ReturnShipmentRequest, case: AlibabaRefund, _: datetime) -> Verdict:
    """Whether the case has the waybill number."""
    operations = (step.freight_bill for step in case.refund_operation_list)
    return _has(request.freight_bill, [case.freight_bill, *operations])


def is_submitted(
    request: TaobaoRefundSubmitRequest, cases: Sequence[TaobaoRefund], _: datetime
) -> Verdict:
    """Whether the line has an open case; the shape of the list is not known."""
    statuses = [
        case.case.our_status
        for case in cases
        if case.case is not None and _line_of(case) == request.sub_order_id
    ]
    if any(status in _OPEN for status in statuses):
        return "done"
    return "unknown" if statuses or not all(map(_line_of, cases)) else "not done"


def is_modified(request: TaobaoRefundModifyRequest, case: TaobaoRefund, _: datetime) -> Verdict:
    """Whether the case has each value that the request gives."""
    held = case.case
    fee = held.refund_fee if held else None
    pairs = (
        (request.refund_type, held and held.refund_type),
        (request.goods_status, held and held.goods_status),
        (request.reason_id, held and held.reason_id),
        (request.refund_fee, fee and int(fee.amount * 100)),
        (request.refund_desc, held and held.refund_desc),
    )
    given = [(str(wanted), found) for wanted, found in pairs if wanted is not None]
    if not given or request.refund_images or any(found is None for _, found in given):
        return "unknown"
    return "done" if all(wanted == str(found) for wanted, found in given) else "not done"


def is_said(
    request: TaobaoRefundMessageRequest, messages: Sequence[RefundMessage], _: datetime
) -> Verdict:
    """Whether a message has the text; the fields of a message are not known."""
    said = (value for message in messages for value in (message.model_extra or {}).values())
    return "done" if request.refund_message in said else "unknown"


def is_returned(request: TaobaoReturnShipmentRequest, case: TaobaoRefund, _: datetime) -> Verdict:
    """Whether the case has the waybill number."""
    aggregate = case.refund_order_aggregate
    ways: Sequence[ReturnLogistics | None] = (
        case.logistics,
        aggregate.logistics if aggregate else None,
    )
    return _has(request.logistics_no, [way.logistics_no for way in ways if way])


def _has(wanted: str, found: Sequence[str | None]) -> Verdict:
    if wanted in found:
        return "done"
    return "unknown" if any(found) else "not done"


def _has_no_case(line: OrderLine) -> bool:
    return not line.refund_id and _is_without_case(line.refund_status)


def _is_without_case(word: str | None) -> bool:
    return word is None or word == "0"


def _line_of(case: TaobaoRefund) -> str | None:
    aggregate = case.refund_order_aggregate
    line = (aggregate.purchase_order_line if aggregate else None) or case.purchase_order_line
    return line.purchase_order_line_id if line else None
