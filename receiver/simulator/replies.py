"""What the API says of an order and of its parcels. Pure functions.

Tracking: docs/platform/logistics.md#1688-tracking, docs/platform/logistics.md#taobao-tracking.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from receiver.simulator.messages import clock_text, compact_text, order_detail
from receiver.simulator.orders import Order, Parcel, Wanted

_TAOBAO_WORDS: Final = {
    "CONSIGN": "WAITING_COLLECT",
    "ACCEPT": "COLLECTED",
    "TRANSPORT": "TRANSPORT",
    "DELIVERING": "DELIVERING",
    "SIGN": "SIGNED",
}
"""The step of a parcel to the status of Taobao (docs/platform/statuses.md#waybill-words)."""


def alibaba_order(order: Order, now: datetime) -> dict[str, Any]:
    """The 1688 order detail with what the call has beyond the message; amounts are yuan.

    docs/platform/calls-orders.md#1688-order-detail-and-list
    """
    detail = order_detail(order, now)
    created, paid = compact_text(order.created_at), compact_text(order.paid_at)
    base = detail["baseInfo"] | _HEAD | {"receiverInfo": _receiver(order)}
    lines = zip(detail["productItems"], order.lines, strict=True)
    items = [
        item | _goods(line_id, wanted) | {"gmtCreate": created, "refundId": order.refund_id}
        for item, (line_id, wanted) in lines
    ]
    stage: dict[str, Any] = {
        "payTime": paid,
        "payWay": "1" if paid else "9",
        "payWayDesc": "支付宝",
    }
    stage |= {"phasAmount": order.total_fen / 100, "phase": int(order.order_id)}
    return detail | {
        "baseInfo": base,
        "orderBizInfo": {"creditOrder": False, "dropshipping": False, "shippingInsurance": None},
        "productItems": items,
        "tradeTerms": [term | stage for term in detail["tradeTerms"]],
        "nativeLogistics": _native_logistics(order),
    }


_HEAD: Final = {
    "couponFee": 0,
    "refundStatusForAs": None,
    "allDeliveredTime": None,
    "receivingTime": None,
    "completeTime": None,
    "businessType": "cn",
    "tradeType": "50060",
    "tradeTypeCode": "assureTrade",
    "buyerLoginId": "buyer",
    "sellerLoginId": "seller",
    "outOrderId": None,
    "payTimeout": 432_000,
    "payTimeoutType": 0,
}


def _receiver(order: Order) -> dict[str, Any] | None:
    """To whom it goes, from the address of the create."""
    address = order.address
    if address is None:
        return None
    names = ("provinceText", "cityText", "areaText", "address")
    return {
        "toFullName": address.get("fullName"),
        "toMobile": address.get("mobile"),
        "toPhone": address.get("phone"),
        "toArea": " ".join(str(address[name]) for name in names if address.get(name)),
        "toPost": address.get("postCode"),
        "toDivisionCode": address.get("districtCode"),
        "toTownCode": None,
    }


def _native_logistics(order: Order) -> dict[str, Any] | None:
    address, parcel = order.address, order.parcel
    if address is None:
        return None
    waybill = [{"logisticsBillNo": parcel.waybill_no, "id": parcel.logistics_id}] if parcel else []
    return {
        "address": address.get("address"),
        "area": address.get("areaText"),
        "areaCode": address.get("districtCode"),
        "city": address.get("cityText"),
        "contactPerson": address.get("fullName"),
        "mobile": address.get("mobile"),
        "province": address.get("provinceText"),
        "telephone": address.get("phone"),
        "zip": address.get("postCode"),
        "townCode": None,
        "town": address.get("townText"),
        "logisticsItems": waybill,
    }


def _goods(line_id: str, wanted: Wanted) -> dict[str, Any]:
    product, sku = wanted.product, wanted.sku
    return {
        "subItemID": int(line_id),
        "productID": int(product.product_id),
        "name": product.title,
        "quantity": wanted.quantity,
        "unit": "件",
        "refund": 0,
        "statusStr": None,
        "skuID": int(sku.sku_id),
        "specId": sku.spec_id,
        "productImgUrl": [f"https://cbu01.alicdn.com/img/ibank/{product.product_id}.jpg"],
        "skuInfos": [{"name": "颜色", "value": sku.colour[0]}],
        "gmtCompleted": None,
    }


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
    """One Taobao order: the callback's fields, and the upstream's; amounts are fen.

    docs/platform/calls-orders.md#taobao-order-list-and-detail
    """
    return {
        "salesOrderId": order.order_id,
        "purchase_id": int(order.order_id),
        "outer_purchase_id": order.buyers_id,
        "status": order.status,
        "purchase_amount": order.total_fen,
        "product_amount": order.goods_fen,
        "domestic_post_fee": order.shipping_fen,
        "purchase_currency": "CNY",
        "created_time": clock_text(order.created_at),
        "pay_time": clock_text(order.paid_at),
        "source_market": "TAOBAO",
        "supplier_nick": order.wanted[0].product.shop.nick,
        "subOrders": [_taobao_line(order, line, wanted) for line, wanted in order.lines],
    }


def _taobao_line(order: Order, line_id: str, wanted: Wanted) -> dict[str, Any]:
    """docs/platform/messages.md#line-of-a-taobao-order."""
    parcel = order.parcel
    return {
        "sub_purchase_order_id": line_id,
        "status": order.status,
        "item_id": wanted.product.product_id,
        "sku_id": wanted.sku.sku_id,
        "title": wanted.product.title,
        "quantity": wanted.quantity,
        "product_amount": wanted.fen,
        "logistic_company_name": parcel.carrier if parcel else None,
        "logistic_number": parcel.waybill_no if parcel else None,
    }


def taobao_trace(order: Order) -> dict[str, Any]:
    """The parcels of a Taobao order line; all lines of an order share one here."""
    details = [] if order.parcel is None else [_taobao_parcel(order, order.parcel)]
    return {"purchaseOrderOuterId": order.order_id, "pnmLogisticsDetails": details}


def _taobao_parcel(order: Order, parcel: Parcel) -> dict[str, Any]:
    return {
        "mailNo": parcel.waybill_no,
        "logisticsTraces": [
            {
                "time": clock_text(step.time),
                "status": _TAOBAO_WORDS[step.word],
                "statusDesc": step.remark,
                "action": "TMS_STATION_OUT" if step.word == "TRANSPORT" else None,
                "standerdDesc": step.remark,
                "province": None,
                "city": "杭州市",
                "district": None,
                "facilityName": None,
                "nextCity": None,
                "nextNodeName": None,
            }
            for step in parcel.steps
        ],
        "logisticsPartner": [
            {"company": parcel.carrier, "companyContact": "", "companyImageUrl": ""}
        ],
        "receiver": _taobao_receiver(order),
        "logisticsGoods": [
            {
                "title": wanted.product.title,
                "property": wanted.sku.colour[0],
                "imageUrl": "",
                "quantity": str(wanted.quantity),
            }
            for wanted in order.wanted
        ],
    }


def _taobao_receiver(order: Order) -> dict[str, Any]:
    """From the receiver of the create, whose names are others."""
    address = order.address or {}
    return {
        "zipCode": address.get("zip"),
        "address": address.get("address"),
        "province": address.get("state"),
        "city": address.get("city"),
        "district": address.get("district"),
        "phone": address.get("mobile_phone"),
        "name": address.get("name"),
    }
