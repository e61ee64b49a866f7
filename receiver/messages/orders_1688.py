"""One view of a 1688 order message, whichever of its three bodies it came in. Pure functions.

The bodies: docs/platform/messages.md#messages-of-a-ka-account, the whole order detail
(docs/platform/messages.md#1688-order-detail), the topic's own with its refund part
(docs/platform/messages.md#1688-topics).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from receiver.messages.reading import Message
from schemas.alibaba import BaseInfo, OrderDetailMessage, OrderMessage, ProductItem
from schemas.events import Amounts, Line
from schemas.statuses import OrderStatus, line_logistics_status, order_status
from schemas.values import Money


class OrderView(NamedTuple):
    """What any 1688 order message holds, under our names; None where it is absent."""

    order_id: str
    order_no: str | None = None
    platform_status: str | None = None
    pay_status: str | None = None
    amounts: Amounts | None = None
    created_at: datetime | None = None
    paid_at: datetime | None = None
    changed_at: datetime | None = None
    close_reason: str | None = None
    close_operator: str | None = None
    buyer_id: str | None = None
    seller_id: str | None = None
    lines: tuple[Line, ...] = ()
    refund_id: str | None = None
    refund_word: str | None = None
    refund_action: str | None = None
    operator: str | None = None

    def status(self, otherwise: OrderStatus = OrderStatus.UNKNOWN) -> OrderStatus:
        """Our status; `otherwise` where the message's word is missing or not known."""
        known = order_status(self.platform_status)
        return otherwise if known is OrderStatus.UNKNOWN else known

    def fact(self, message: Message) -> dict[str, Any]:
        """The fields that every event of this order shares."""
        return {
            "channel": message.channel,
            "order_id": self.order_id,
            "order_no": self.order_no,
            "buyer_id": self.buyer_id,
            "seller_id": self.seller_id,
        }


def read_order(message: Message) -> OrderView:
    """Read an order message; raises `MalformedCallbackError` where the order id is not readable."""
    if isinstance(message.body, dict) and message.body.get("baseInfo") not in (None, "", []):
        return _from_detail(message)
    return _from_fields(message)


def _from_fields(message: Message) -> OrderView:
    order = message.read(OrderMessage)
    return OrderView(
        order_id=message.require(order.order_id, "orderId"),
        order_no=order.order_no,
        platform_status=order.order_status or order.current_status,
        pay_status=order.pay_status,
        amounts=_amounts(
            order.total_amount, order.product_amount, order.shipping_fee, order.refund_amount
        ),
        created_at=order.tb_create_time,
        paid_at=order.pay_time,
        changed_at=order.msg_send_time,
        close_reason=order.close_reason,
        buyer_id=order.buyer_member_id,
        seller_id=order.seller_member_id,
        refund_id=order.refund_id,
        refund_word=order.refund_status or order.current_status,
        refund_action=order.refund_action,
        operator=order.operator,
    )


def _from_detail(message: Message) -> OrderView:
    detail = message.read(OrderDetailMessage)
    head = detail.base_info or BaseInfo()
    return OrderView(
        order_id=message.require(head.id_of_str or head.id, "baseInfo.idOfStr"),
        platform_status=head.status,
        pay_status=next((term.pay_status for term in detail.trade_terms), None),
        amounts=_amounts(
            head.total_amount, head.sum_product_payment, head.shipping_fee, head.refund
        ),
        created_at=head.create_time,
        paid_at=head.pay_time,
        changed_at=head.modify_time,
        close_reason=head.close_reason,
        close_operator=head.close_operate_type,
        lines=tuple(_line(item) for item in detail.product_items),
        refund_id=head.refund_id,
        refund_word=head.refund_status,
    )


def _line(item: ProductItem) -> Line:
    status = order_status(item.status)
    if status is OrderStatus.UNKNOWN:
        status = line_logistics_status(item.logistics_status)
    return Line(
        line_id=item.sub_item_id,
        status=status,
        platform_status=item.status,
        platform_refund_status=item.refund_status,
        price=item.price,
        amounts=_amounts(item.item_amount, None, None, None),
    )


def _amounts(
    total: Money | None, goods: Money | None, shipping: Money | None, refunded: Money | None
) -> Amounts | None:
    if total is None and goods is None and shipping is None and refunded is None:
        return None
    return Amounts(total=total, goods=goods, shipping=shipping, refunded=refunded)
