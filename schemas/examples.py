"""One realistic, complete example of each event type: every field filled, no real order."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from schemas.events import (
    AftersalesRefundUpdated,
    AftersalesSynced,
    Amounts,
    EventData,
    Line,
    LogisticsPackageChanged,
    LogisticsPartlyShipped,
    LogisticsProgressed,
    LogisticsShipped,
    LogisticsTracked,
    LogisticsWaybillChanged,
    OrderClosed,
    OrderCompleted,
    OrderCreated,
    OrderPriceChanged,
    OrderReceiptConfirmed,
    OrderStatusChanged,
    OrderSynced,
    Parcel,
    PaymentBatchSettled,
    PaymentResult,
    PaymentStageSucceeded,
    PaymentSucceeded,
    Trace,
    TraceStep,
    UnknownReceived,
)
from schemas.statuses import OrderStatus, PaymentOutcome, Progress, RefundStatus
from schemas.times import CHINA
from schemas.values import Money

_ORDER_1688: Final = "3942871650123456789"
_ORDER_TAOBAO: Final = "2745812000123456789"
_LINE_1688: Final = "3942871650123456790"
_LINE_TAOBAO: Final = "2745812000123456790"
_REFUND: Final = "TQ314159265358979323"

_FROM_1688: Final[dict[str, Any]] = {
    "channel": "1688",
    "order_id": _ORDER_1688,
    "order_no": "PO-20260131-0001",
}
_FROM_TAOBAO: Final[dict[str, Any]] = {
    "channel": "taobao",
    "order_id": _ORDER_TAOBAO,
    "order_no": "PO-20260131-0002",
}
_MEMBERS: Final[dict[str, Any]] = {"buyer_id": "2208800000001", "seller_id": "2208800000002"}


def _yuan(amount: str) -> Money:
    return Money.yuan(Decimal(amount))


def _at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=CHINA)


_AMOUNTS: Final = Amounts(
    total=_yuan("106.00"), goods=_yuan("100.00"), shipping=_yuan("6.00"), refunded=_yuan("0.00")
)
_PARCEL: Final = Parcel(
    carrier="中通快递",
    carrier_code="ZTO",
    waybill_no="75800012345678",
    logistics_id="LP00612345678901",
)
_OLD_PARCEL: Final = _PARCEL.model_copy(update={"waybill_no": "75800012345000"})


def _line(line_id: str, status: OrderStatus, platform_status: str) -> Line:
    return Line(
        line_id=line_id,
        line_no="PO-LINE-1",
        item_id="681234567890",
        sku_id="5012345678901",
        title="Cotton tea towel, set of 3",
        quantity=10,
        status=status,
        platform_status=platform_status,
        refund_id=_REFUND,
        platform_refund_status="waitselleragree",
        price=_yuan("10.00"),
        amounts=_AMOUNTS,
        parcels=(_PARCEL,),
    )


def _status(status: OrderStatus, platform_status: str) -> dict[str, Any]:
    return {**_FROM_1688, **_MEMBERS, "status": status, "platform_status": platform_status}


_PAID: Final = _status(OrderStatus.AWAITING_SHIPMENT, "waitsellersend")
_UNPAID: Final = _status(OrderStatus.AWAITING_PAYMENT, "waitbuyerpay")
_SHIPPED: Final = _status(OrderStatus.SHIPPED, "waitbuyerreceive")
_SHIPPED_LINE: Final = _line(_LINE_1688, OrderStatus.SHIPPED, "waitbuyerreceive")
_REFUND_FACT: Final[dict[str, Any]] = {
    **_FROM_1688,
    **_MEMBERS,
    "refund_id": _REFUND,
    "status": RefundStatus.APPLIED,
    "platform_status": "waitselleragree",
    "amount": _yuan("100.00"),
}

_ALL: Final[tuple[EventData, ...]] = (
    OrderCreated(**_UNPAID, amounts=_AMOUNTS, platform_pay_status="1", created_at=_at(31, 8)),
    OrderPriceChanged(
        **_UNPAID,
        amounts=_AMOUNTS,
        platform_pay_status="1",
        lines=(_line(_LINE_1688, OrderStatus.AWAITING_PAYMENT, "waitbuyerpay"),),
    ),
    OrderStatusChanged(
        **_FROM_TAOBAO,
        **_MEMBERS,
        status=OrderStatus.CLOSED,
        platform_status="TRADE_CLOSED",
        amounts=_AMOUNTS,
        lines=(_line(_LINE_TAOBAO, OrderStatus.CLOSED, "TRADE_CLOSED"),),
        reason="The goods are sold out",
    ),
    OrderClosed(
        **_status(OrderStatus.CLOSED, "cancel"),
        amounts=_AMOUNTS,
        platform_pay_status="8",
        closed_by="buyer",
        reason="buyer_cancel",
    ),
    OrderReceiptConfirmed(**_status(OrderStatus.RECEIVED, "confirm_goods")),
    OrderCompleted(**_status(OrderStatus.COMPLETED, "success")),
    PaymentSucceeded(**_PAID, amounts=_AMOUNTS, platform_pay_status="2", paid_at=_at(31, 8, 5)),
    PaymentStageSucceeded(**_PAID),
    PaymentBatchSettled(
        **_FROM_1688,
        results=(
            PaymentResult(
                order_id=_ORDER_1688,
                outcome=PaymentOutcome.SUCCEEDED,
                platform_outcome="successed",
            ),
        ),
    ),
    LogisticsShipped(**_SHIPPED, parcels=(_PARCEL,), lines=(_SHIPPED_LINE,)),
    LogisticsPartlyShipped(
        **(_SHIPPED | {"status": OrderStatus.PARTLY_SHIPPED}),
        parcels=(_PARCEL,),
        lines=(_SHIPPED_LINE,),
    ),
    LogisticsProgressed(
        **_FROM_1688,
        parcel=_PARCEL,
        progress=Progress.IN_TRANSIT,
        platform_progress="TRANSPORT",
        changed_at=_at(31, 20, 30),
        line_ids=(_LINE_1688,),
    ),
    LogisticsWaybillChanged(
        **_FROM_1688,
        old=_OLD_PARCEL,
        new=_PARCEL,
        changed_at=_at(31, 15),
        line_ids=(_LINE_1688,),
    ),
    LogisticsPackageChanged(
        **_FROM_1688,
        package_id="PK00612345678901",
        buyer_id=_MEMBERS["buyer_id"],
        stage="WAREHOUSE",
        parcel=_PARCEL,
        transport_status="SIGN",
        warehouse_status="INBOUND",
        changed_at=_at(31, 22),
    ),
    AftersalesRefundUpdated(
        **_REFUND_FACT,
        stage="in_sale",
        action="BUYER_APPLY_REFUND",
        operator="buyer",
        line_ids=(_LINE_1688,),
    ),
    OrderSynced(
        **_SHIPPED,
        amounts=_AMOUNTS,
        platform_pay_status="2",
        created_at=_at(31, 8),
        paid_at=_at(31, 8, 5),
        lines=(_SHIPPED_LINE,),
    ),
    LogisticsTracked(
        **_FROM_1688,
        traces=(
            Trace(
                parcel=_PARCEL,
                progress=Progress.IN_TRANSIT,
                steps=(
                    TraceStep(
                        time=_at(31, 18, 12),
                        action="ACCEPT",
                        description="The carrier has collected the parcel",
                        place="Yiwu",
                    ),
                    TraceStep(
                        time=_at(31, 20, 30),
                        action="TRANSPORT",
                        description="The parcel left the sorting centre",
                        place="Hangzhou",
                    ),
                ),
            ),
        ),
    ),
    AftersalesSynced(**_REFUND_FACT, reason="The goods arrived damaged"),
    UnknownReceived(
        **_FROM_1688,
        message_type="ORDER_BUYER_VIEW_ORDER_SELLER_MODIFY_ADRESS",
        body={"orderId": _ORDER_1688, "currentStatus": "waitsellersend"},
    ),
)

EXAMPLES: Final[dict[str, EventData]] = {data.event_type: data for data in _ALL}
"""From `order.created` to its example."""
