"""After sales of 1688 (docs/platform/after-sales.md#1688-after-sales-calls)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from receiver.simulator.asked import (
    Asked,
    NotFoundError,
    RefusedError,
    UnreadableError,
    refusal,
)
from receiver.simulator.calls.answer import Answer
from receiver.simulator.messages import compact_text
from receiver.simulator.orders import CARRIERS, Order
from receiver.simulator.refunds import WITH_BUYER, Refund
from receiver.simulator.world import World

_MAX_VOUCHERS: Final = 5
_MAX_RETURN_VOUCHERS: Final = 10
_MAX_VOUCHER_BYTES: Final = 1024 * 1024
_DESCRIPTION: Final = range(2, 151)
_JPEG: Final = b"\xff\xd8\xff"
_BEFORE_SHIPMENT: Final = "refundWaitSellerSend"
_GOODS_STATUS: Final = (
    *(_BEFORE_SHIPMENT, "refundWaitBuyerReceive", "refundBuyerReceived"),
    *("aftersaleBuyerNotReceived", "aftersaleBuyerReceived"),
)
_GOODS_CODES: Final = {"refundBuyerReceived": 2, "aftersaleBuyerReceived": 2}
_DISPUTE_CODES: Final = {"refund": 1, "returnRefund": 3}
"""3 is in a sample; what stands for money alone is not known."""


@dataclass(frozen=True, slots=True)
class _Reason:
    number: int
    name: str
    needs_voucher: bool
    without_carriage: bool


_REASONS: Final = (
    _Reason(20021, "颜色/图案/款式不符", needs_voucher=True, without_carriage=False),
    _Reason(20022, "不想要了", needs_voucher=False, without_carriage=True),
)


def _refused(code: str, text: str) -> RefusedError:
    return refusal(code, text, text_name="errorInfo")


def _order(world: World, asked: Asked) -> Order:
    order = world.book.find("1688", str(asked.integer("orderId")))
    if order is None:
        raise _refused("5001", "no such order")
    return order


def _case(world: World, asked: Asked) -> Refund:
    refund = world.refunds.find("1688", asked.text("refundId"))
    if refund is None:
        raise NotFoundError("no such refund")
    return refund


def _detail(world: World, asked: Asked) -> dict[str, Any]:
    refund = _case(world, asked)
    order, sent = refund.order, refund.asked
    reason = _reason(sent.get("applyReasonId"))
    paid_back = refund.status == "refundsuccess"
    return {
        "id": int(refund.refund_id.removeprefix("TQ")),
        "refundId": refund.refund_id,
        "orderId": int(order.order_id),
        "status": refund.status,
        "disputeRequest": _DISPUTE_CODES.get(str(sent.get("disputeRequest"))),
        "disputeType": 1,
        "goodsStatus": _GOODS_CODES.get(str(sent.get("goodsStatus")), 1),
        "applyPayment": refund.payment_fen,
        "applyCarriage": refund.carriage_fen,
        "applyReason": reason.name if reason else None,
        "applyReasonId": reason.number if reason else None,
        "canRefundPayment": order.total_fen,
        "refundPayment": refund.payment_fen if paid_back else 0,
        "refundCarriage": refund.carriage_fen if paid_back else 0,
        "orderEntryIdList": [int(line) for line in refund.line_ids],
        "onlyRefund": not refund.with_goods,
        "refundGoods": refund.with_goods,
        "buyerSendGoods": refund.waybill_no is not None,
        "buyerLogisticsName": refund.carrier,
        "freightBill": refund.waybill_no,
        "gmtApply": compact_text(refund.created_at),
        "gmtCreate": compact_text(refund.created_at),
        "refundOperationList": [],
    }


def _reason(number: Any) -> _Reason | None:
    return next((reason for reason in _REASONS if reason.number == number), None)


def _goods_status(order: Order, asked: Asked) -> str:
    word = asked.text("goodsStatus")
    if word not in _GOODS_STATUS or (word == _BEFORE_SHIPMENT) != (order.parcel is None):
        raise _refused("5003", "the status of the goods")
    return word


def _lines(order: Order, asked: Asked) -> tuple[str, ...]:
    """The lines that are named; without a list every one."""
    if asked.given("orderEntryIds") is None:
        return order.line_ids
    lines = tuple(dict.fromkeys(asked.integers("orderEntryIds")))
    if not set(lines) <= set(order.line_ids):
        raise _refused("5013", "the number of lines")
    return lines


def _reasons(world: World, asked: Asked) -> dict[str, Any]:
    order = _order(world, asked)
    asked.integers("orderEntryIds")
    _lines(order, asked)
    _goods_status(order, asked)
    return {
        "reasons": [
            {
                "id": reason.number,
                "name": reason.name,
                "needVoucher": reason.needs_voucher,
                "noRefundCarriage": reason.without_carriage,
                "tip": None,
            }
            for reason in _REASONS
        ]
    }


def _upload_voucher(world: World, asked: Asked) -> dict[str, Any]:
    """In which form the platform takes the file is not known: the upstream's is read."""
    image = asked.files.get("imageData")
    if image is None or not image.startswith(_JPEG) or len(image) >= _MAX_VOUCHER_BYTES:
        raise UnreadableError("imageData must be a JPEG below 1 MB")
    relative = f"img/ibank/{world.next_id()}.jpg"
    return {"imageDomain": "https://cbu01.alicdn.com", "imageRelativeUrl": relative}


def _create(world: World, asked: Asked) -> dict[str, Any]:
    order = _order(world, asked)
    request = asked.text("disputeRequest")
    if request not in _DISPUTE_CODES:
        raise UnreadableError("disputeRequest must be refund or returnRefund")
    lines = _lines(order, asked)
    payment, carriage = asked.integer("applyPayment"), asked.integer("applyCarriage")
    _goods_status(order, asked)
    _check_reason(asked, carriage)
    _check_state(world, order)
    _check_amount(order, lines, payment, carriage)
    refund = world.refund(
        order,
        lines,
        payment_fen=payment,
        carriage_fen=carriage,
        with_goods=request == "returnRefund",
        asked=dict(asked.parameters),
    )
    return {"refundId": refund.refund_id}


def _check_reason(asked: Asked, carriage_fen: int) -> None:
    reason = _reason(asked.integer("applyReasonId"))
    vouchers = asked.maybe_texts("vouchers", highest=_MAX_VOUCHERS)
    if reason is None:
        raise _refused("5004", "the reason")
    if reason.needs_voucher and not vouchers:
        raise _refused("5005", "a voucher is needed")
    if reason.without_carriage and carriage_fen:
        raise _refused("5006", "the carriage must be 0")
    if len(asked.text("description")) not in _DESCRIPTION:
        raise _refused("5012", "the length of the description")


def _check_state(world: World, order: Order) -> None:
    in_case = any(refund.is_open for refund in world.refunds.of(order))
    if order.paid_at is None or order.status == "CANCEL" or in_case:
        raise _refused("5010", "the state of the order")


def _check_amount(order: Order, lines: tuple[str, ...], payment: int, carriage: int) -> None:
    """Before shipment the payment is what was paid for the lines."""
    paid = sum(wanted.fen for line, wanted in order.lines if line in lines)
    exact = order.parcel is None and payment != paid
    left = order.total_fen - order.refund_fen
    if exact or payment > paid or carriage > order.shipping_fen or payment + carriage > left:
        raise _refused("5011", "the amount")


def _submit_return(world: World, asked: Asked) -> dict[str, Any]:
    if not asked.given("logisticsCompanyNo") or not asked.given("freightBill"):
        raise _refused("4002", "both numbers are required")
    refund = world.refunds.find("1688", asked.text("refundId"))
    if refund is None:
        raise _refused("4005", "no such refund")
    if len(asked.given("vouchers") or ()) > _MAX_RETURN_VOUCHERS:
        raise _refused("4003", "too many vouchers")
    carrier = dict(CARRIERS).get(asked.text("logisticsCompanyNo"))
    if carrier is None:
        raise _refused("4004", "物流公司编号和运单号校验不通过")
    if refund.status not in WITH_BUYER:
        raise _refused("4007", "the state of the refund")
    refund.carrier, refund.waybill_no = carrier, asked.text("freightBill")
    world.refund_at(refund, "waitsellerreceive")
    return {"success": True, "errorCode": None, "errorInfo": None}


def _carriers(_world: World, _asked: Asked) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "companyName": name,
            "companyNo": code,
            "companyPhone": None,
            "supportPrint": True,
            "spelling": code.lower(),
        }
        for number, (code, name) in enumerate(CARRIERS, start=352)
    ]


def _cancel(world: World, asked: Asked) -> bool:
    """The page could not be read: the case stands under its usual name, the reply is a boolean."""
    refund = _case(world, asked)
    if not refund.is_open:
        raise _refused("4007", "the state of the refund")
    world.refund_at(refund, "refundclose")
    return True


ROWS: Final[Mapping[str, Answer]] = {
    "alibaba_refunds_detail": _detail,
    "alibaba_refunds_reasons": _reasons,
    "alibaba_refunds_upload_voucher": _upload_voucher,
    "alibaba_refunds_create": _create,
    "alibaba_refunds_submit_return": _submit_return,
    "alibaba_refunds_carriers": _carriers,
    "alibaba_refunds_cancel": _cancel,
}
