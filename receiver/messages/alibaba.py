"""The 1688 messages, one row of `TOPICS` each. Pure functions.

Sources: docs/platform/messages.md#messages-of-a-ka-account,
docs/platform/messages.md#1688-topics.

The names are the platform's, spelled as it spells them. The same topics arrive through the
dialects `xport` and `aop`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from receiver.callback import EventDraft, Fault
from receiver.messages.json_text import decoded
from receiver.messages.orders_1688 import OrderView, read_order
from receiver.messages.reading import Message
from schemas.alibaba import (
    BatchPayMessage,
    LogisticsOrderItem,
    MailNoChangeMessage,
    PackageMessage,
    TraceMessage,
)
from schemas.events import (
    AftersalesRefundUpdated,
    LogisticsPackageChanged,
    LogisticsPartlyShipped,
    LogisticsProgressed,
    LogisticsShipped,
    LogisticsWaybillChanged,
    OrderClosed,
    OrderCompleted,
    OrderCreated,
    OrderPriceChanged,
    OrderReceiptConfirmed,
    Parcel,
    PaymentBatchSettled,
    PaymentResult,
    PaymentStageSucceeded,
    PaymentSucceeded,
)
from schemas.statuses import (
    ClosedBy,
    OrderStatus,
    RefundStage,
    RefundStatus,
    closed_by,
    operator,
    payment_outcome,
    progress,
    refund_status,
)

Reader = Callable[[Message], list[EventDraft]]


def _created(message: Message) -> list[EventDraft]:
    order = read_order(message)
    data = OrderCreated(
        **order.fact(message),
        status=order.status(),
        platform_status=order.platform_status,
        amounts=order.amounts,
        platform_pay_status=order.pay_status,
        created_at=order.created_at,
    )
    return [EventDraft(data, order.created_at or order.changed_at)]


def _price_changed(message: Message) -> list[EventDraft]:
    order = read_order(message)
    data = OrderPriceChanged(
        **order.fact(message),
        status=order.status(),
        platform_status=order.platform_status,
        amounts=order.amounts,
        platform_pay_status=order.pay_status,
        lines=order.lines,
    )
    return [EventDraft(data, order.changed_at)]


def _closed(message: Message, *, by: ClosedBy | None) -> list[EventDraft]:
    order = read_order(message)
    data = OrderClosed(
        **order.fact(message),
        status=order.status(OrderStatus.CLOSED),
        platform_status=order.platform_status,
        amounts=order.amounts,
        platform_pay_status=order.pay_status,
        closed_by=by or closed_by(order.close_operator, order.close_reason),
        reason=order.close_reason,
    )
    return [EventDraft(data, order.changed_at)]


def _paid(message: Message) -> list[EventDraft]:
    order = read_order(message)
    data = PaymentSucceeded(
        **order.fact(message),
        status=order.status(),
        platform_status=order.platform_status,
        amounts=order.amounts,
        platform_pay_status=order.pay_status,
        paid_at=order.paid_at,
    )
    return [EventDraft(data, order.paid_at or order.changed_at)]


def _status_fact(
    message: Message,
    *,
    model: type[
        PaymentStageSucceeded
        | OrderReceiptConfirmed
        | OrderCompleted
        | LogisticsShipped
        | LogisticsPartlyShipped
    ],
    otherwise: OrderStatus = OrderStatus.UNKNOWN,
) -> list[EventDraft]:
    order = read_order(message)
    data = model(
        **order.fact(message),
        status=order.status(otherwise),
        platform_status=order.platform_status,
    )
    return [EventDraft(data, order.changed_at)]


def _refund(message: Message, *, stage: RefundStage) -> list[EventDraft]:
    order = read_order(message)
    data = AftersalesRefundUpdated(
        **order.fact(message),
        refund_id=order.refund_id,
        status=_refund_status(order),
        platform_status=order.refund_word,
        stage=stage,
        action=order.refund_action,
        operator=operator(order.operator),
        amount=order.amounts.refunded if order.amounts else None,
    )
    return [EventDraft(data, order.changed_at)]


def _refund_status(order: OrderView) -> RefundStatus:
    """The status word first; of the actions only SYSTEM_AGREE_REFUND is documented as an end.

    docs/platform/messages.md#refund-part-of-a-topic
    """
    status = refund_status(order.refund_word)
    if status is RefundStatus.UNKNOWN and order.refund_action == "SYSTEM_AGREE_REFUND":
        return RefundStatus.REFUNDED
    return status


def _batch_settled(message: Message) -> list[EventDraft]:
    drafts: list[EventDraft] = []
    for item in message.read(BatchPayMessage).batch_pay:
        if item.order_id is None:
            message.faults.append(
                Fault(f"{message.place}.batchPay", "an entry without an order id")
            )
            continue
        result = PaymentResult(
            order_id=item.order_id,
            outcome=payment_outcome(item.status),
            platform_outcome=item.status,
        )
        data = PaymentBatchSettled(
            channel=message.channel, order_id=item.order_id, results=(result,)
        )
        drafts.append(EventDraft(data))
    return _some(drafts, message, "batchPay")


def _progressed(message: Message) -> list[EventDraft]:
    _unwrap(message, "OrderLogisticsTracingModel")
    trace = message.read(TraceMessage)
    parcel = Parcel(
        carrier_code=trace.cp_code, waybill_no=trace.mail_no, logistics_id=trace.logistics_id
    )
    drafts = [
        EventDraft(
            LogisticsProgressed(
                channel=message.channel,
                order_id=order_id,
                parcel=parcel,
                progress=progress(trace.status_changed),
                platform_progress=trace.status_changed,
                changed_at=trace.change_time,
                line_ids=line_ids,
            ),
            trace.change_time,
        )
        for order_id, line_ids in _by_order(trace.order_logs_items, trace.order_id).items()
    ]
    return _some(drafts, message, "orderLogsItems")


def _waybill_changed(message: Message) -> list[EventDraft]:
    _unwrap(message, "MailNoChangeModel")
    change = message.read(MailNoChangeMessage)
    old = Parcel(
        carrier_code=change.old_cp_code,
        waybill_no=change.old_mail_no,
        logistics_id=change.logistics_id,
    )
    new = Parcel(
        carrier_code=change.new_cp_code,
        waybill_no=change.new_mail_no,
        logistics_id=change.logistics_id,
    )
    drafts = [
        EventDraft(
            LogisticsWaybillChanged(
                channel=message.channel,
                order_id=order_id,
                old=old,
                new=new,
                changed_at=change.event_time,
                line_ids=line_ids,
            ),
            change.event_time,
        )
        for order_id, line_ids in _by_order(change.order_logs_items, change.order_id).items()
    ]
    return _some(drafts, message, "orderLogsItems")


def _package_changed(message: Message) -> list[EventDraft]:
    package = message.read(PackageMessage)
    orders = dict.fromkeys(order_id for order_id in package.trade_order_ids if order_id)
    drafts = [
        EventDraft(
            LogisticsPackageChanged(
                channel=message.channel,
                order_id=order_id,
                package_id=package.package_id,
                buyer_id=package.buyer_user_id,
                stage=package.stage_type,
                parcel=Parcel(
                    carrier_code=package.carrier_partner_code, waybill_no=package.mail_no
                ),
                transport_status=package.transport_status,
                warehouse_status=package.warehouse_status,
                changed_at=package.action_time,
            ),
            package.action_time,
        )
        for order_id in orders
    ]
    return _some(drafts, message, "tradeOrderIds")


def _unwrap(message: Message, model_name: str) -> None:
    """Step into the model where the data names it: `data` is the model or holds it by its name."""
    if not isinstance(message.body, dict) or message.body.get(model_name) is None:
        return
    place = f"{message.place}.{model_name}"
    held = decoded(message.body[model_name], place, message.faults)
    if isinstance(held, dict | list):
        message.body, message.place = held, place
        message.take_lone_object()


def _by_order(
    items: Iterable[LogisticsOrderItem], order_id: str | None
) -> dict[str, tuple[str, ...]]:
    """The line ids of each order a parcel holds, in the order given."""
    orders: dict[str, tuple[str, ...]] = {order_id: ()} if order_id else {}
    for item in items:
        if item.order_id is not None:
            lines = (item.order_entry_id,) if item.order_entry_id else ()
            orders[item.order_id] = orders.get(item.order_id, ()) + lines
    return orders


def _some(drafts: list[EventDraft], message: Message, field_name: str) -> list[EventDraft]:
    if not drafts:
        message.require(None, field_name, else_="no order id")
    return drafts


_shipped: Final = partial(_status_fact, model=LogisticsShipped, otherwise=OrderStatus.SHIPPED)
_partly_shipped: Final = partial(
    _status_fact, model=LogisticsPartlyShipped, otherwise=OrderStatus.PARTLY_SHIPPED
)

TOPICS: Final[dict[str, Reader]] = {
    "ORDER_CREATE": _created,
    "ORDER_CANCEL": partial(_closed, by=None),
    "ORDER_PAY_SUCCESS": _paid,
    "ORDER_BATCH_PAY": _batch_settled,
    "ORDER_BUYER_VIEW_BUYER_MAKE": _created,
    "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY": _price_changed,
    "ORDER_ORDER_PRICE_MODIFY": _price_changed,
    "ORDER_BUYER_VIEW_ORDER_PAY": _paid,
    "ORDER_BUYER_VIEW_ORDER_STEP_PAY": partial(_status_fact, model=PaymentStageSucceeded),
    "ORDER_BUYER_VIEW_PART_PART_SENDGOODS": _partly_shipped,
    "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS": _shipped,
    "ORDER_BUYER_VIEW_ORDER_COMFIRM_RECEIVEGOODS": partial(
        _status_fact, model=OrderReceiptConfirmed
    ),
    "ORDER_BUYER_VIEW_ORDER_SUCCESS": partial(
        _status_fact, model=OrderCompleted, otherwise=OrderStatus.COMPLETED
    ),
    "ORDER_BUYER_VIEW_ORDER_BUYER_CLOSE": partial(_closed, by="buyer"),
    "ORDER_BUYER_VIEW_ORDER_SELLER_CLOSE": partial(_closed, by="seller"),
    "ORDER_BUYER_VIEW_ORDER_BOPS_CLOSE": partial(_closed, by="platform"),
    "ORDER_BUYER_VIEW_ORDER_BUYER_REFUND": partial(_refund, stage="unknown"),
    "ORDER_BUYER_VIEW_ORDER_BUYER_REFUND_IN_SALES": partial(_refund, stage="in_sale"),
    "ORDER_BUYER_VIEW_ORDER_REFUND_AFTER_SALES": partial(_refund, stage="after_sale"),
    "LOGISTICS_BUYER_VIEW_TRACE": _progressed,
    "LOGISTICS_MAIL_NO_CHANGE": _waybill_changed,
    "LOGISTICS_GLOBAL_1688_PACKAGE_CHANGE": _package_changed,
}
"""Message type (without the optional prefix `1688_`) to its reader."""
