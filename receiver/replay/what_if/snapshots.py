"""Stored snapshots as the replies that they were made of. Performs no I/O.

`order.synced`, `logistics.tracked` and `aftersales.synced` hold a part of what the API says. A
reply that is made of one holds that part, and nothing else: what it leaves out is None. What
`receiver.client.snapshots` makes of such a reply is the snapshot again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel

from schemas.api.alibaba_logistics import (
    AlibabaLogisticsStep,
    AlibabaLogisticsTrace,
    AlibabaTraceNode,
    OrderLogistics,
)
from schemas.api.alibaba_order_detail import (
    AlibabaOrderDetail,
    OrderHead,
    OrderLine,
    PaymentStage,
)
from schemas.api.alibaba_refunds import AlibabaRefund
from schemas.api.taobao_order_replies import OrderLineDetail, TaobaoOrderDetail
from schemas.api.taobao_refunds import TaobaoRefund, TaobaoRefundOrder
from schemas.events import (
    AftersalesSynced,
    Amounts,
    EventData,
    Line,
    LogisticsTracked,
    OrderSynced,
    Trace,
    TraceStep,
)
from schemas.statuses import Channel, RefundStatus
from schemas.taobao import LogisticOrder

ModelT = TypeVar("ModelT", bound=BaseModel)
_NOTHING: Final = Amounts()


class Source(NamedTuple):
    """Which snapshot a row can be answered from: `id_field` is the data's field that has to be what
    the call names as `parameter`."""

    channel: Channel
    model: type[EventData]
    parameter: str
    id_field: str
    reply: Callable[[Any], BaseModel]


def alibaba_order(said: OrderSynced) -> AlibabaOrderDetail:
    """The 1688 order detail."""
    amounts = said.amounts or _NOTHING
    head = _made(
        OrderHead,
        id_of_str=said.order_id,
        out_order_id=said.order_no,
        status=said.platform_status,
        total_amount=amounts.total,
        sum_product_payment=amounts.goods,
        shipping_fee=amounts.shipping,
        refund=amounts.refunded,
        create_time=said.created_at,
        pay_time=said.paid_at,
    )
    stages = [_made(PaymentStage, pay_status=said.platform_pay_status)]
    return _made(
        AlibabaOrderDetail,
        base_info=head,
        trade_terms=tuple(stages) if said.platform_pay_status else (),
        product_items=tuple(map(_alibaba_line, said.lines)),
    )


def _alibaba_line(line: Line) -> OrderLine:
    amounts = line.amounts or _NOTHING
    return _made(
        OrderLine,
        sub_item_id=line.line_id,
        product_id=line.item_id,
        sku_id=line.sku_id,
        name=line.title,
        quantity=line.quantity,
        status=line.platform_status,
        refund_id=line.refund_id,
        refund_status=line.platform_refund_status,
        price=line.price,
        item_amount=amounts.total,
        refund=amounts.refunded,
    )


def alibaba_parcels(said: LogisticsTracked) -> OrderLogistics:
    """The parcels of a 1688 order."""
    traces = tuple(_alibaba_trace(trace, said.order_id) for trace in said.traces)
    return _made(OrderLogistics, traces=traces)


def _alibaba_trace(trace: Trace, order_id: str | None) -> AlibabaLogisticsTrace:
    """Steps with an action or a place are nodes; the others are texts alone."""
    has_nodes = any(step.action or step.place for step in trace.steps)
    return _made(
        AlibabaLogisticsTrace,
        order_id=order_id,
        logistics_id=trace.parcel.logistics_id,
        logistics_bill_no=trace.parcel.waybill_no,
        logistics_company_name=trace.parcel.carrier,
        trace_node_list=tuple(map(_node, trace.steps)) if has_nodes else (),
        logistics_steps=() if has_nodes else tuple(map(_step, trace.steps)),
    )


def _node(step: TraceStep) -> AlibabaTraceNode:
    return _made(
        AlibabaTraceNode,
        accept_time=step.time,
        action=step.action,
        remark=step.description,
        facility_name=step.place,
    )


def _step(step: TraceStep) -> AlibabaLogisticsStep:
    return _made(AlibabaLogisticsStep, accept_time=step.time, remark=step.description)


def alibaba_refund(said: AftersalesSynced) -> AlibabaRefund:
    """A 1688 case."""
    return _made(
        AlibabaRefund,
        refund_id=said.refund_id,
        order_id=said.order_id,
        status=said.platform_status,
        apply_payment=said.amount,
        refund_payment=said.amount if said.status is RefundStatus.REFUNDED else None,
        apply_reason=said.reason,
    )


def taobao_order(said: OrderSynced) -> TaobaoOrderDetail:
    """A Taobao order."""
    amounts = said.amounts or _NOTHING
    return _made(
        TaobaoOrderDetail,
        purchase_order_id=said.order_id,
        order_no=said.order_no,
        seller_id=said.seller_id,
        status=said.platform_status,
        purchase_amount=amounts.total,
        product_amount=amounts.goods,
        domestic_post_fee=amounts.shipping,
        purchase_currency=amounts.total.currency if amounts.total else None,
        created_time=said.created_at,
        pay_time=said.paid_at,
        sub_orders=tuple(map(_taobao_line, said.lines)),
    )


def _taobao_line(line: Line) -> OrderLineDetail:
    amounts = line.amounts or _NOTHING
    parcels = tuple(
        _made(
            LogisticOrder,
            logistic_company_name=parcel.carrier,
            logistic_number=parcel.waybill_no,
        )
        for parcel in line.parcels
    )
    return _made(
        OrderLineDetail,
        sub_purchase_order_id=line.line_id,
        purchase_order_line_outer_id=line.line_no,
        item_id=line.item_id,
        sku_id=line.sku_id,
        title=line.title,
        quantity=line.quantity,
        status=line.platform_status,
        refund_id=line.refund_id,
        refund_status=line.platform_refund_status,
        purchase_amount=amounts.total,
        product_amount=amounts.goods,
        domestic_post_fee=amounts.shipping,
        purchase_currency=amounts.total.currency if amounts.total else None,
        logistic_orders=parcels,
    )


def taobao_refund(said: AftersalesSynced) -> TaobaoRefund:
    """A Taobao case."""
    case = _made(
        TaobaoRefundOrder,
        refund_id=said.refund_id,
        refund_status=said.platform_status,
        refund_fee=said.amount,
        reason_desc=said.reason,
    )
    currency = said.amount.currency if said.amount else None
    return _made(TaobaoRefund, refund_order=case, currency=currency)


SOURCES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "alibaba_orders_detail": Source("1688", OrderSynced, "orderId", "order_id", alibaba_order),
        "alibaba_orders_logistics": Source(
            "1688", LogisticsTracked, "orderId", "order_id", alibaba_parcels
        ),
        "alibaba_refunds_detail": Source(
            "1688", AftersalesSynced, "refundId", "refund_id", alibaba_refund
        ),
        "taobao_orders_detail": Source("taobao", OrderSynced, "orderId", "order_id", taobao_order),
        "taobao_refunds_detail": Source(
            "taobao", AftersalesSynced, "refundId", "refund_id", taobao_refund
        ),
    }
)
"""The rows that can be answered from a snapshot, by name. Taobao's parcels are asked for line by
line, which `logistics.tracked` does not hold."""


def _made(model: type[ModelT], **fields: Any) -> ModelT:
    """The fields have names of ours, which the models of replies do not read."""
    return model().model_copy(update=fields)
