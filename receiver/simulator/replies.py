"""What the API says of an order, beside the order detail of `messages`. Pure functions.

Tracking: docs/platform/logistics.md#1688-tracking, docs/platform/logistics.md#taobao-tracking. The
fields of the Taobao order detail are not documented: those here are the callback's
(docs/platform/messages.md#line-of-a-taobao-order).
"""

from __future__ import annotations

from typing import Any, Final

from receiver.simulator.messages import clock_text
from receiver.simulator.orders import Order, Parcel

_TAOBAO_WORDS: Final = {
    "CONSIGN": "WAITING_COLLECT",
    "ACCEPT": "COLLECTED",
    "TRANSPORT": "TRANSPORT",
    "DELIVERING": "DELIVERING",
    "SIGN": "SIGNED",
}
"""The step of a parcel to the status of Taobao (docs/platform/statuses.md#waybill-words)."""


def alibaba_traces(order: Order, logistics_id: str | None) -> list[dict[str, Any]]:
    """The parcels of a 1688 order, or the one asked for, and their way so far."""
    parcel = order.parcel
    if parcel is None or logistics_id not in {None, parcel.logistics_id}:
        return []
    steps = [(clock_text(step.time), step) for step in parcel.steps]
    return [
        {
            "logisticsId": parcel.logistics_id,
            "orderId": int(order.order_id),
            "logisticsBillNo": parcel.waybill_no,
            "logisticsCompanyName": parcel.carrier,
            "logisticsSteps": [{"acceptTime": when, "remark": step.remark} for when, step in steps],
            "traceNodeList": [
                {"acceptTime": when, "action": step.word, "remark": step.remark}
                for when, step in steps
            ],
        }
    ]


def taobao_order(order: Order) -> dict[str, Any]:
    """One Taobao order, as far as the callbacks tell its fields."""
    return {
        "salesOrderId": order.order_id,
        "status": order.status,
        "subOrders": [
            {"sub_purchase_order_id": line, "status": order.status} for line in order.line_ids
        ],
    }


def taobao_trace(order: Order) -> dict[str, Any]:
    """The parcels of a Taobao order line; all lines of an order share one here."""
    details = [] if order.parcel is None else [_taobao_parcel(order.parcel)]
    return {"purchaseOrderOuterId": order.order_id, "pnmLogisticsDetails": details}


def _taobao_parcel(parcel: Parcel) -> dict[str, Any]:
    return {
        "mailNo": parcel.waybill_no,
        "logisticsTraces": [
            {
                "time": clock_text(step.time),
                "status": _TAOBAO_WORDS[step.word],
                "statusDesc": step.remark,
                "action": "TMS_STATION_OUT" if step.word == "TRANSPORT" else None,
                "standerdDesc": step.remark,
                "city": "杭州市",
            }
            for step in parcel.steps
        ],
        "logisticsPartner": [{"company": parcel.carrier}],
        "receiver": {},
        "logisticsGoods": [],
    }
