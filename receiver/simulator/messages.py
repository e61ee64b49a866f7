"""The bodies the simulated platform pushes, field for field (docs/platform/messages.md#messages).

Pure functions of an order, the time and chance: nothing here is remembered.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from receiver.simulator.orders import Order


@dataclass(frozen=True, slots=True)
class TaobaoNames:
    """The type names of the Taobao channel: the first is documented, the others are inferred.

    docs/platform/messages.md#taobao-channel
    """

    price: str = "TAOBAO_ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY"
    status: str = "TAOBAO_ORDER_BUYER_VIEW_ORDER_STATUS_MODIFY"
    refund: str = "TAOBAO_ORDER_BUYER_VIEW_ORDER_REFUND"


def clock_text(time: datetime | None) -> str | None:
    """`yyyy-MM-dd HH:mm:ss`, China time."""
    return time.strftime("%Y-%m-%d %H:%M:%S") if time else None


def compact_text(time: datetime | None) -> str | None:
    """`yyyyMMddHHmmssSSSZ`, as 20180614101942000+0800."""
    return time.strftime("%Y%m%d%H%M%S000%z") if time else None


def read_compact(text: str) -> datetime:
    """The time of such a text; raises `ValueError`."""
    return datetime.strptime(text, "%Y%m%d%H%M%S%f%z")


def ka_order(order: Order) -> dict[str, Any]:
    """The body of the four KA messages (docs/platform/messages.md#messages-of-a-ka-account)."""
    return {
        "orderId": order.order_id,
        "orderNo": order.order_no,
        "orderStatus": order.status,
        "payStatus": order.pay_status,
        "totalAmount": order.total_fen,
        "shippingFee": order.shipping_fen,
        "productAmount": order.goods_fen,
        "refundAmount": order.refund_fen,
        "refundStatus": None,
        "closeReason": order.close_reason,
        "tbCreateTime": clock_text(order.created_at),
        "payTime": clock_text(order.paid_at),
    }


def topic_order(order: Order, now: datetime, chance: random.Random) -> dict[str, Any]:
    """The order body of a 1688 topic: the id is a JSON number, and the time may have a stray space
    or be blank (docs/platform/messages.md#order-body-of-a-topic)."""
    form = chance.choices(("{}", "{} ", ""), weights=(88, 10, 2))[0]
    return {
        "orderId": int(order.order_id),
        "currentStatus": detail_status(order),
        "msgSendTime": form.format(clock_text(now)),
        "buyerMemberId": "b2b-1000001",
        "sellerMemberId": "b2b-2000002",
    }


def refund(order: Order) -> dict[str, Any]:
    """What is known of the KA refund message (docs/platform/after-sales.md#refund-messages)."""
    return {"refundId": order.refund_id, "orderId": order.order_id}


def topic_refund(
    order: Order, now: datetime, action: str, operator: str, chance: random.Random
) -> dict[str, Any]:
    """A case in a topic; its status is a word of refunds here.

    docs/platform/messages.md#refund-part-of-a-topic
    """
    return topic_order(order, now, chance) | {
        "currentStatus": order.refund_status,
        "refundId": order.refund_id,
        "refundAction": action,
        "operator": operator,
    }


def batch_payment(orders: Sequence[Order]) -> dict[str, Any]:
    """How a batch payment ended (docs/platform/messages.md#batch-payment)."""
    return {
        "batchPay": [{"orderId": int(order.order_id), "status": "successed"} for order in orders]
    }


def trace(order: Order) -> dict[str, Any]:
    """The parcel's last step as data of a trace (docs/platform/logistics.md#trace-message)."""
    assert order.parcel is not None
    step = order.parcel.steps[-1]
    return {
        "logisticsId": order.parcel.logistics_id,
        "cpCode": order.parcel.carrier_code,
        "mailNo": order.parcel.waybill_no,
        "statusChanged": step.word,
        "changeTime": clock_text(step.time),
        "orderLogsItems": [
            {"orderId": int(order.order_id), "orderEntryId": int(line)} for line in order.line_ids
        ],
    }


def order_detail(order: Order, now: datetime) -> dict[str, Any]:
    """The whole 1688 order detail; amounts are yuan, `discount` is fen.

    docs/platform/messages.md#1688-order-detail
    """
    status = detail_status(order)
    shipped = order.parcel is not None
    return {
        "baseInfo": {
            "id": int(order.order_id),
            "idOfStr": order.order_id,
            "status": status,
            "refundStatus": order.refund_status,
            "refundId": order.refund_id,
            "totalAmount": _yuan(order.total_fen),
            "shippingFee": _yuan(order.shipping_fen),
            "sumProductPayment": _yuan(order.goods_fen),
            "refund": _yuan(order.refund_fen),
            "discount": 0,
            "closeReason": _DETAIL_CLOSE_REASON.get(order.close_reason or ""),
            "closeOperateType": "CLOSE_TRADE_BY_BUYER" if order.close_reason else None,
            "createTime": compact_text(order.created_at),
            "payTime": compact_text(order.paid_at),
            "modifyTime": compact_text(now),
        },
        "productItems": [
            {
                "subItemIDString": line,
                "itemAmount": _yuan(wanted.fen),
                "price": _yuan(wanted.sku.price_fen),
                "status": status,
                "refundStatus": _LINE_REFUND_STATUS.get(order.refund_status or ""),
                "logisticsStatus": 2 if shipped else 1,
            }
            for line, wanted in order.lines
        ],
        "tradeTerms": [{"payStatus": str(order.pay_status)}],
        "nativeLogistics": None,
        "guaranteesTerms": None,
        "extAttributes": [],
        "orderRateInfo": None,
        "orderInvoiceInfo": None,
        "customs": None,
        "overseasExtraAddress": None,
    }


def detail_status(order: Order) -> str:
    """The status as the order detail says it."""
    return _DETAIL_STATUS.get(order.status, order.status)


def taobao_price(order: Order, chance: random.Random) -> dict[str, Any]:
    """The Taobao price change (docs/platform/messages.md#taobao-channel)."""
    return {
        "salesOrderId": order.order_id,
        "purchaseOrderPriceDTO": {
            "purchaseCurrency": "CNY",
            "purchaseTotalFee": _number(order.total_fen, chance),
            "purchaseProductFee": _number(order.goods_fen, chance),
            "purchaseShippingFee": _number(order.shipping_fen, chance),
        },
        "subOrders": _sub_orders(order, chance),
    }


def taobao_status(order: Order, chance: random.Random) -> dict[str, Any]:
    """A Taobao status change: its body is not documented, so it keeps to the price change's set."""
    return {"salesOrderId": order.order_id, "subOrders": _sub_orders(order, chance)}


def taobao_refund(order: Order, line_ids: Sequence[str], chance: random.Random) -> dict[str, Any]:
    """A Taobao refund: its body is not documented, so it keeps to the price change's set."""
    sub_orders = _sub_orders(order, chance)
    for line in sub_orders:
        if line["sub_purchase_order_id"] in line_ids:
            line |= {"refund_id": order.refund_id, "refund_status": order.refund_status}
    return {"salesOrderId": order.order_id, "subOrders": sub_orders}


def _number(value: int, chance: random.Random) -> int | str:
    """Numbers of this channel come as text in some places and as integers in others.

    docs/platform/messages.md#line-of-a-taobao-order
    """
    return chance.choice((value, str(value)))


def _sub_orders(order: Order, chance: random.Random) -> list[dict[str, Any]]:
    parcel = {}
    if order.parcel is not None:
        parcel = {
            "logistic_company_name": order.parcel.carrier,
            "logistic_number": order.parcel.waybill_no,
        }
    return [
        {
            "purchase_order_outer_id": order.order_id,
            "purchase_order_line_outer_id": f"{order.order_no}-{number}",
            "sub_purchase_order_id": line,
            "status": order.status,
            "product_amount": _number(wanted.fen, chance),
            "purchase_amount": _number(wanted.fen, chance),
            "pay_amount": _number(wanted.fen, chance),
            "purchase_currency": "CNY",
            "quantity": _number(wanted.quantity, chance),
            "item_id": wanted.product.product_id,
            "sku_id": wanted.sku.sku_id,
            **parcel,
        }
        for number, (line, wanted) in enumerate(order.lines, start=1)
    ]


_DETAIL_STATUS: Final = {
    "WAITING_FOR_PAYMENT": "waitbuyerpay",
    "WAITING_FOR_SENT": "waitsellersend",
    "CANCEL": "cancel",
}
"""The KA word of a status to that of the order detail; the others are the same in both.

docs/platform/statuses.md#1688-order-status
"""
_DETAIL_CLOSE_REASON: Final = {"buyer_cancel": "buyerCancel"}
"""The KA word of a reason to that of the order detail.

docs/platform/calls-orders.md#1688-order-detail-and-list
"""
_LINE_REFUND_STATUS: Final = {
    "waitselleragree": "WAIT_SELLER_AGREE",
    "waitbuyersend": "WAIT_BUYER_SEND",
    "waitsellerreceive": "WAIT_SELLER_RECEIVE",
    "refundsuccess": "REFUND_SUCCESS",
    "refundclose": "REFUND_CLOSE",
}
"""A line says it in upper snake case (docs/platform/statuses.md#1688-refund-status)."""


def _yuan(fen: int) -> float:
    return fen / 100
