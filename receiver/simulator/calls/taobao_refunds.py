"""After sales of Taobao (docs/platform/after-sales.md#taobao-after-sales-calls).

Codes: docs/platform/statuses.md#taobao-refund-codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from receiver.simulator.asked import Asked, NotFoundError
from receiver.simulator.calls.answer import Answer
from receiver.simulator.calls.taobao_orders import taobao_refused
from receiver.simulator.messages import clock_text
from receiver.simulator.orders import CARRIERS, Order, Wanted
from receiver.simulator.refunds import WITH_BUYER, Refund
from receiver.simulator.world import World

_REASON: Final = (403769, "不喜欢")
_DISTRIBUTOR: Final = "2100000000001"
_WITH_GOODS: Final = 2
_STATE: Final = "REFUND_STATUS_ERROR"
_AMOUNT: Final = "REFUND_FEE_ERROR"
_REASON_UNKNOWN: Final = "REFUND_REASON_ERROR"
"""No page lists the upstream's codes: these three are made up."""


def _case(world: World, asked: Asked) -> Refund:
    refund = world.refunds.find("taobao", asked.named("refundId"))
    if refund is None:
        raise NotFoundError("no such refund")
    return refund


def _open_case(world: World, asked: Asked) -> Refund:
    refund = _case(world, asked)
    if not refund.is_open:
        raise taobao_refused(_STATE, "the case is closed")
    return refund


def _line(world: World, asked: Asked) -> tuple[Order, str, Wanted]:
    line_id = asked.text("subOrderId", "purchaseOrderLineId")
    order = world.book.find_by_line("taobao", line_id)
    if order is None:
        raise NotFoundError("no such line of an order")
    return order, line_id, dict(order.lines)[line_id]


def _list(world: World, asked: Asked) -> dict[str, Any]:
    """The reply is not known: a page of cases, the newest first."""
    page = asked.page("pageNo", required=False)
    cases = [refund for refund in world.refunds.refunds.values() if _is_taobao(refund)]
    return {
        "totalRecords": len(cases),
        "pageNo": page.number,
        "pageSize": page.size,
        "data": [_aggregate(refund, asked) for refund in cases[::-1][page.part]],
    }


def _is_taobao(refund: Refund) -> bool:
    return refund.order.channel == "taobao"


def _detail(world: World, asked: Asked) -> dict[str, Any]:
    refund = _case(world, asked)
    return {"currency": "CNY", "distributorId": _DISTRIBUTOR, **_aggregate(refund, asked)}


def _cancel(world: World, asked: Asked) -> dict[str, Any]:
    """A GET that changes the state."""
    refund = _open_case(world, asked)
    world.refund_at(refund, "-20")
    return {
        "cancelSuccess": True,
        "currency": "CNY",
        "distributorId": _DISTRIBUTOR,
        "refundOrderAggregate": _aggregate(refund, asked, carrier_code="logisticCompanyCode"),
    }


def _aggregate(
    refund: Refund, asked: Asked, *, carrier_code: str = "logisticsCompanyCode"
) -> dict[str, Any]:
    """A case with its line and the way back; the code of the carrier is spelled in two ways."""
    wanted = dict(refund.order.lines)[refund.line_ids[0]]
    address: Any = {"detailAddress": "示例路2号", "phone": "", "receiver": "示例卖家"}
    if asked.edition == "v2" and carrier_code == "logisticsCompanyCode":
        address = "示例路2号"
    return {
        "logistics": {
            "buyerPhone": refund.asked.get("buyerPhone", ""),
            "logisticsCompany": {
                carrier_code: refund.carrier or "",
                "logisticsCompanyName": dict(CARRIERS).get(refund.carrier or "", ""),
            },
            "logisticsNo": refund.waybill_no or "",
            "receiverAddress": address,
            "returnGoodsDesc": refund.asked.get("returnGoodsDesc", ""),
            "sellerAgreeReturnDescribe": "",
        },
        "refundOrder": _refund_order(refund),
        "purchaseOrderLine": _purchase_line(refund, wanted),
    }


def _refund_order(refund: Refund) -> dict[str, Any]:
    asked = refund.asked
    return _template(
        refund.payment_fen, asked.get("refundType", 1), asked.get("goodsStatus", 1)
    ) | {
        "refundId": refund.refund_id,
        "refundStatus": int(refund.status),
        "refundDesc": asked.get("refundDesc", ""),
    }


def _template(fee_fen: int, refund_type: int, goods_status: int) -> dict[str, Any]:
    blank = ("payOrderId", "timeoutType", "sellerRefuseReason", "remainingTime", "feeTips")
    more = ("refundDesc", "timeoutDate", "sellerRefuseReasonDescribe", "refundId", "refundStatus")
    return {
        **dict.fromkeys((*blank, *more), ""),
        "refundFee": fee_fen,
        "canEditFee": False,
        "refundType": refund_type,
        "reasonDesc": _REASON[1],
        "reasonId": _REASON[0],
        "goodsStatus": goods_status,
    }


def _purchase_line(refund: Refund, wanted: Wanted) -> dict[str, Any]:
    return {
        "purchaseOrderLineId": refund.line_ids[0],
        "createTime": int(refund.order.created_at.timestamp() * 1000),
        "currency": "CNY",
        "itemImageUrl": "",
        "itemTitle": wanted.product.title,
        "price": wanted.sku.price_fen,
        "totalPrice": wanted.fen,
        "productFee": wanted.fen,
        "postFee": 0,
        "hongbaoDeductionAmount": 0,
    }


def _render(world: World, asked: Asked) -> dict[str, Any]:
    _, _, wanted = _line(world, asked)
    refund_type = asked.integer("refundType", lowest=1, highest=2)
    goods_status = asked.integer("goodsStatus", lowest=1, highest=6)
    reason = {"reasonDesc": _REASON[1], "tips": "", "reasonId": _REASON[0]}
    highest = {"minRefundFee": 0, "feeTips": "", "refundFee": wanted.fen, "canEditRefundFee": True}
    return {
        "refundOrderTemplate": {
            "refundReasons": [reason],
            "goodsStatusList": [str(code) for code in range(1, 7)],
            "refundOrder": _template(wanted.fen, refund_type, goods_status),
            "maxRefundFee": highest,
        },
        "distributorId": _DISTRIBUTOR,
        "currency": "CNY",
        "saleFlag": True,
    }


def _submit(world: World, asked: Asked) -> dict[str, Any]:
    """The reply is not known: it names the case."""
    order, line_id, wanted = _line(world, asked)
    refund_type = asked.integer("refundType", lowest=1, highest=2)
    asked.integer("goodsStatus", lowest=1, highest=6)
    fee = asked.integer("refundFee")
    _check_reason(asked)
    if order.paid_at is None or any(line_id in r.line_ids for r in _open_cases(world, order)):
        raise taobao_refused(_STATE, "the state of the order")
    if fee > wanted.fen or fee + order.refund_fen > order.total_fen:
        raise taobao_refused(_AMOUNT, "more than was paid")
    refund = world.refund(
        order,
        (line_id,),
        payment_fen=fee,
        with_goods=refund_type == _WITH_GOODS,
        asked=dict(asked.parameters),
    )
    return {"refundId": refund.refund_id}


def _check_reason(asked: Asked) -> None:
    if asked.integer("reasonId") != _REASON[0]:
        raise taobao_refused(_REASON_UNKNOWN, "not among the reasons of the render")


def _open_cases(world: World, order: Order) -> list[Refund]:
    return [refund for refund in world.refunds.of(order) if refund.is_open]


def _modify(world: World, asked: Asked) -> dict[str, Any]:
    """The page is not known: the fields of a submit that are there take the place of the old."""
    refund = _open_case(world, asked)
    if asked.given("reasonId") is not None:
        _check_reason(asked)
    if asked.given("refundFee") is not None:
        refund.payment_fen = asked.integer("refundFee")
    if asked.given("refundType") is not None:
        refund.with_goods = asked.integer("refundType", lowest=1, highest=2) == _WITH_GOODS
    refund.asked |= asked.parameters
    return {"refundId": refund.refund_id}


def _submit_message(world: World, asked: Asked) -> bool:
    refund = _case(world, asked)
    message = {
        "refundMessage": asked.text("refundMessage"),
        "refundImages": asked.given("refundImages"),
        "createTime": clock_text(world.book.now()),
    }
    refund.messages.append(message)
    return True


def _messages(world: World, asked: Asked) -> dict[str, Any]:
    """The reply is not known: a page of what was submitted."""
    refund, page = _case(world, asked), asked.page("pageNo", required=False)
    return {
        "totalRecords": len(refund.messages),
        "pageNo": page.number,
        "pageSize": page.size,
        "data": refund.messages[page.part],
    }


def _render_return(world: World, asked: Asked) -> dict[str, Any]:
    """The reply is not known, but that it gives the codes of the carriers."""
    _case(world, asked)
    return {
        "logisticsCompanyList": [
            {"logisticsCompanyCode": code, "logisticsCompanyName": name} for code, name in CARRIERS
        ]
    }


def _submit_return(world: World, asked: Asked) -> bool:
    refund = _case(world, asked)
    carrier, waybill = asked.text("logisticsCompanyCode"), asked.text("logisticsNo")
    if refund.status not in WITH_BUYER:
        raise taobao_refused(_STATE, "the seller has not agreed")
    refund.carrier, refund.waybill_no = carrier, waybill
    refund.asked |= asked.parameters
    world.refund_at(refund, "30")
    return True


ROWS: Final[Mapping[str, Answer]] = {
    "taobao_refunds_list": _list,
    "taobao_refunds_detail": _detail,
    "taobao_refunds_cancel": _cancel,
    "taobao_refunds_render": _render,
    "taobao_refunds_submit": _submit,
    "taobao_refunds_modify": _modify,
    "taobao_refunds_submit_message": _submit_message,
    "taobao_refunds_messages": _messages,
    "taobao_refunds_render_return": _render_return,
    "taobao_refunds_submit_return": _submit_return,
}
