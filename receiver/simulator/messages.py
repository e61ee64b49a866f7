"""The bodies the simulated platform pushes, field for field as callbacks.md tells them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from receiver.simulator.orders import Order, OrderBook

MESSAGE_PLATFORM = {"taobao": 0, "1688": 1}


@dataclass(frozen=True, slots=True)
class TaobaoNames:
    """The type names of the Taobao channel: the first is documented, the others are inferred."""

    price: str = "TAOBAO_ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY"
    status: str = "TAOBAO_ORDER_BUYER_VIEW_ORDER_STATUS_MODIFY"
    refund: str = "TAOBAO_ORDER_BUYER_VIEW_ORDER_REFUND"


def envelope(
    message_type: str,
    body: dict[str, Any],
    *,
    channel: str,
    pushed_at_ms: int | None,
    as_text: bool,
    with_platform: bool = True,
) -> bytes:
    """The JSON of one callback (1.2): the body as text (KA samples) or as an object."""
    outer: dict[str, Any] = {
        "messageType": message_type,
        "messageBody": json.dumps(body, ensure_ascii=False) if as_text else body,
    }
    if with_platform:
        outer["messagePlatform"] = MESSAGE_PLATFORM[channel]
    outer["timestamp"] = None if pushed_at_ms is None else str(pushed_at_ms)
    return json.dumps(outer, ensure_ascii=False).encode()


def clock_text(time: datetime | None) -> str | None:
    """`yyyy-MM-dd HH:mm:ss`, China time."""
    return time.strftime("%Y-%m-%d %H:%M:%S") if time else None


def ka_order(order: Order) -> dict[str, Any]:
    """The body that the four KA messages share (1.4)."""
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


def topic_order(order: Order, book: OrderBook, status: str) -> dict[str, Any]:
    """The body O of a 1688 topic (section 2); the id is a JSON number."""
    return {
        "orderId": int(order.order_id),
        "currentStatus": status,
        "msgSendTime": clock_text(book.now()),
        "buyerMemberId": "b2b-1000001",
        "sellerMemberId": "b2b-2000002",
    }


def refund(order: Order) -> dict[str, Any]:
    """What is known of the KA refund message (1.4)."""
    return {"refundId": order.refund_id, "orderId": order.order_id}


def trace(order: Order) -> dict[str, Any]:
    """`OrderLogisticsTracingModel` (section 2), after the parcel's last step."""
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


def order_detail(order: Order, book: OrderBook) -> dict[str, Any]:
    """The whole 1688 order detail (1.5); amounts are yuan, `discount` is fen."""
    status = _DETAIL_STATUS.get(order.status, order.status)
    shipped = order.parcel is not None
    return {
        "baseInfo": {
            "id": int(order.order_id),
            "idOfStr": order.order_id,
            "status": status,
            "refundStatus": None,
            "refundId": order.refund_id,
            "totalAmount": _yuan(order.total_fen),
            "shippingFee": _yuan(order.shipping_fen),
            "sumProductPayment": _yuan(order.goods_fen),
            "refund": _yuan(order.refund_fen),
            "discount": 0,
            "closeReason": order.close_reason,
            "createTime": _compact(order.created_at),
            "payTime": _compact(order.paid_at),
            "modifyTime": _compact(book.now()),
        },
        "productItems": [
            {
                "subItemIDString": line,
                "itemAmount": _yuan(order.goods_fen // len(order.line_ids)),
                "price": _yuan(order.goods_fen // len(order.line_ids)),
                "status": status,
                "refundStatus": None,
                "logisticsStatus": 2 if shipped else 1,
            }
            for line in order.line_ids
        ],
        "tradeTerms": [{"payStatus": order.pay_status}],
        "nativeLogistics": None,
        "guaranteesTerms": None,
        "extAttributes": [],
        "orderRateInfo": None,
        "orderInvoiceInfo": None,
        "customs": None,
        "overseasExtraAddress": None,
    }


def taobao_price(order: Order) -> dict[str, Any]:
    """The Taobao price change (1.6); numbers come as text in some places and as integers in
    others."""
    return {
        "salesOrderId": order.order_id,
        "purchaseOrderPriceDTO": {
            "purchaseCurrency": "CNY",
            "purchaseTotalFee": order.total_fen,
            "purchaseProductFee": str(order.goods_fen),
            "purchaseShippingFee": order.shipping_fen,
        },
        "subOrders": _sub_orders(order),
    }


def taobao_status(order: Order) -> dict[str, Any]:
    """A Taobao status change: its body is not documented, so it keeps to the set of 1.6."""
    return {"salesOrderId": order.order_id, "subOrders": _sub_orders(order)}


def taobao_refund(order: Order) -> dict[str, Any]:
    """A Taobao refund: its body is not documented, so it keeps to the set of 1.6."""
    sub_orders = _sub_orders(order)
    sub_orders[0] |= {"refund_id": order.refund_id, "refund_status": "10"}
    return {"salesOrderId": order.order_id, "subOrders": sub_orders}


def _sub_orders(order: Order) -> list[dict[str, Any]]:
    share = order.goods_fen // len(order.line_ids)
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
            "product_amount": share,
            "purchase_amount": str(share),
            "pay_amount": share,
            "purchase_currency": "CNY",
            "quantity": 1,
            "item_id": "600000000001",
            "sku_id": "4000000000001",
            **parcel,
        }
        for number, line in enumerate(order.line_ids, start=1)
    ]


_DETAIL_STATUS = {
    "WAITING_FOR_PAYMENT": "waitbuyerpay",
    "WAITING_FOR_SENT": "waitsellersend",
    "CANCEL": "cancel",
}


def _yuan(fen: int) -> float:
    return fen / 100


def _compact(time: datetime | None) -> str | None:
    return time.strftime("%Y%m%d%H%M%S000%z") if time else None
