"""What the API says of an order or of a refund case, as the data of our events.

`order.synced` and `aftersales.synced` are made of these. The ids are those that were asked for:
they are what the other events of the order have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from receiver.errors import ConfigurationError
from receiver.messages.taobao import line_of, money_in
from schemas.api.alibaba_order_detail import AlibabaOrderDetail, OrderHead, OrderLine
from schemas.api.alibaba_refunds import AlibabaRefund
from schemas.api.taobao_order_replies import TaobaoOrderDetail
from schemas.api.taobao_refunds import TaobaoRefund
from schemas.events import AftersalesSynced, Amounts, Channel, Line, OrderSynced
from schemas.statuses import RefundStatus, refund_status
from schemas.taobao import Price

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI


async def order_snapshot(api: PlatformAPI, channel: Channel, order_id: str) -> OrderSynced:
    """The order as the API returns it now.

    Raises `APIError`, and `ConfigurationError` for a channel that has no API.
    """
    if channel == "1688":
        return alibaba_order(await api.alibaba.orders.detail(order_id), order_id)
    if channel == "taobao":
        return taobao_order(await api.taobao.orders.detail(order_id), order_id)
    raise ConfigurationError(f"no API knows the orders of the channel {channel!r}")


async def refund_snapshot(
    api: PlatformAPI, channel: Channel, order_id: str | None, refund_id: str
) -> AftersalesSynced:
    """The refund case as the API returns it now; raises as `order_snapshot` does."""
    if channel == "1688":
        return alibaba_refund(await api.alibaba.refunds.detail(refund_id), order_id, refund_id)
    if channel == "taobao":
        return taobao_refund(await api.taobao.refunds.detail(refund_id), order_id, refund_id)
    raise ConfigurationError(f"no API knows the refunds of the channel {channel!r}")


def alibaba_order(detail: AlibabaOrderDetail, order_id: str) -> OrderSynced:
    """A 1688 order (docs/platform/calls-orders.md#1688-order-detail-and-list)."""
    head = detail.base_info or OrderHead()
    return OrderSynced(
        channel="1688",
        order_id=order_id,
        order_no=head.out_order_id,
        status=head.our_status,
        platform_status=head.status,
        platform_pay_status=next((stage.pay_status for stage in detail.trade_terms), None),
        amounts=Amounts(
            total=head.total_amount,
            goods=head.sum_product_payment,
            shipping=head.shipping_fee,
            refunded=head.refund,
        ),
        created_at=head.create_time,
        paid_at=head.pay_time,
        lines=tuple(map(_alibaba_line, detail.product_items)),
    )


def _alibaba_line(item: OrderLine) -> Line:
    return Line(
        line_id=item.sub_item_id,
        item_id=item.product_id,
        sku_id=item.sku_id,
        title=item.name,
        quantity=int(item.quantity) if item.quantity is not None else None,
        status=item.our_status,
        platform_status=item.status,
        refund_id=item.refund_id,
        platform_refund_status=item.refund_status,
        price=item.price,
        amounts=Amounts(total=item.item_amount, refunded=item.refund),
    )


def taobao_order(detail: TaobaoOrderDetail, order_id: str) -> OrderSynced:
    """A Taobao order (docs/platform/calls-orders.md#taobao-order-list-and-detail)."""
    priced = detail.price or Price()
    currency = detail.purchase_currency or priced.currency
    total, goods, shipping = (
        money_in(money, currency)
        for money in (
            detail.purchase_amount or detail.pay_amount or priced.total,
            detail.product_amount or priced.goods,
            detail.domestic_post_fee or priced.shipping,
        )
    )
    return OrderSynced(
        channel="taobao",
        order_id=order_id,
        order_no=detail.order_no,
        seller_id=detail.seller_id,
        status=detail.our_status,
        platform_status=detail.status,
        amounts=Amounts(total=total, goods=goods, shipping=shipping),
        created_at=detail.created_time,
        paid_at=detail.pay_time,
        lines=tuple(map(line_of, detail.sub_orders)),
    )


def alibaba_refund(case: AlibabaRefund, order_id: str | None, refund_id: str) -> AftersalesSynced:
    """A 1688 case; the amount is what was refunded, or what is asked until then.

    docs/platform/after-sales.md#1688-refund-detail
    """
    status = refund_status(case.status)
    paid_back = case.refund_payment if status is RefundStatus.REFUNDED else None
    return AftersalesSynced(
        channel="1688",
        order_id=order_id or case.order_id,
        refund_id=refund_id,
        status=status,
        platform_status=case.status,
        amount=paid_back or case.apply_payment,
        reason=case.apply_reason,
    )


def taobao_refund(reply: TaobaoRefund, order_id: str | None, refund_id: str) -> AftersalesSynced:
    """A Taobao case (docs/platform/after-sales.md#taobao-refund-detail)."""
    case = reply.case
    return AftersalesSynced(
        channel="taobao",
        order_id=order_id,
        refund_id=refund_id,
        status=case.our_status if case else RefundStatus.UNKNOWN,
        platform_status=case.refund_status if case else None,
        amount=money_in(case.refund_fee, reply.currency) if case else None,
        reason=case.reason_desc if case else None,
    )
