"""The bodies of Taobao Global's pushes (docs/platform/messages.md#taobao-global-messages).

Pure functions. The body of a refund is not known, but that it leads to the case: it is the id.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from receiver.simulator.orders import Order

SELLER_ID: Final = "1000001"
STATUS: Final = "3"
PRICE: Final = "8"
REFUND: Final = "9"


def status(order: Order, now: datetime) -> dict[str, Any]:
    """The order and its lines as they stand."""
    parcel = order.parcel
    lines = [
        {
            "item_id": int(wanted.product.product_id),
            "sku_id": int(wanted.sku.sku_id),
            "order_line_no": str(number),
            "status": order.status,
            "logistic_company_name": parcel.carrier if parcel else None,
            "logistic_number": parcel.waybill_no if parcel else None,
        }
        for number, wanted in enumerate(order.wanted, start=1)
    ]
    return {
        "business_time": int(now.timestamp() * 1000),
        "outer_purchase_id": order.buyers_id or order.order_no,
        "purchase_id": int(order.order_id),
        "seller_id": SELLER_ID,
        "status": order.status,
        "sku_list": lines,
    }


def price(order: Order) -> dict[str, Any]:
    """The new price of an order; the prices of its lines stay."""
    return {
        "salesOrderId": order.buyers_id or order.order_no,
        "salesSellerId": SELLER_ID,
        "purchaseMarket": "TAOBAO",
        "purchaseOrderId": order.order_id,
        "purchaseOrderPriceDTO": {
            "purchaseCurrency": "CNY",
            "purchaseTotalFee": order.total_fen,
            "purchaseProductFee": order.goods_fen,
            "purchaseShippingFee": order.shipping_fen,
        },
        "purchaseOrderLinePriceChangeMessageDTOList": [],
    }


def refund(refund_id: str) -> dict[str, Any]:
    """A case that was opened, or moved."""
    return {"refund_id": refund_id}
