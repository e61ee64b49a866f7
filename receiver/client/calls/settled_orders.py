"""What a read shows of a change to orders whose outcome is unknown. Performs no I/O.

Nothing is taken for made or for not made that the read does not show: what lies between is
`unknown`. Of what the upstream works on after its answer (Taobao's cancellations and payments,
docs/platform/calls-orders.md#taobao-cancellation-payment-render) a read never shows that it was not
made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from receiver.client.settlement import Verdict
from schemas.api.alibaba_order_detail import AlibabaOrderDetail
from schemas.api.alibaba_orders import (
    BatchCreateRequest,
    BatchPayRequest,
    CargoParam,
    OrderCreateRequest,
    ReceiptRequest,
)
from schemas.api.taobao_order_replies import TaobaoOrderDetail
from schemas.api.taobao_orders import (
    TaobaoCancelRequest,
    TaobaoOrderCreateRequest,
    TaobaoPayRequest,
)
from schemas.statuses import OrderStatus

_MARGIN: Final = timedelta(seconds=60)
"""How much earlier than the call its order may seem to be, by clocks that are not ours."""
_SLACK: Final = timedelta(seconds=5)
"""How much earlier an order may be that is surely this call's."""
_PAID: Final = frozenset(
    {
        OrderStatus.AWAITING_SHIPMENT,
        OrderStatus.PARTLY_SHIPPED,
        OrderStatus.SHIPPED,
        OrderStatus.RECEIVED,
        OrderStatus.COMPLETED,
    }
)
_ARRIVED: Final = frozenset({OrderStatus.RECEIVED, OrderStatus.COMPLETED})


def of_order(request: Any, _: datetime) -> Mapping[str, Any]:
    """The order that the request names."""
    return {"order_id": request.order_id}


def of_orders(request: BatchPayRequest, _: datetime) -> Mapping[str, Any]:
    """The orders that the request names."""
    return {"order_ids": list(request.order_ids)}


def since(_: Any, sent_at: datetime) -> Mapping[str, Any]:
    """The orders that were made since shortly before the call."""
    return {"create_start_time": (sent_at - _MARGIN).replace(microsecond=0)}


def changed_since(_: Any, sent_at: datetime) -> Mapping[str, Any]:
    """The Taobao orders that changed since shortly before the call."""
    return {"modify_time_start": int((sent_at - _MARGIN).timestamp() * 1000)}


def of_purchase(request: TaobaoCancelRequest, _: datetime) -> Mapping[str, Any]:
    """The Taobao order that the request names."""
    return {"order_id": request.purchase_id}


def of_purchases(request: TaobaoPayRequest, _: datetime) -> Mapping[str, Any]:
    """The Taobao orders that the request names."""
    return {"purchase_ids": list(request.purchase_order_id_list)}


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on several things, where they agree."""
    found = set(verdicts)
    return found.pop() if len(found) == 1 else "unknown"


def is_closed(_: Any, order: AlibabaOrderDetail, __: datetime) -> Verdict:
    """Whether the order was cancelled."""
    status = _status(order)
    if status in {OrderStatus.UNKNOWN, OrderStatus.PENDING}:
        return "unknown"
    return "done" if status is OrderStatus.CLOSED else "not done"


def is_paid(_: Any, order: AlibabaOrderDetail, __: datetime) -> Verdict:
    """Whether the order was paid."""
    return _paid(_status(order))


def are_paid(
    request: BatchPayRequest, orders: Sequence[AlibabaOrderDetail], _: datetime
) -> Verdict:
    """Whether each of the orders was paid; `unknown` where some were."""
    statuses = {order.order_id: _status(order) for order in orders}
    asked = (statuses.get(order_id, OrderStatus.UNKNOWN) for order_id in request.order_ids)
    return combined(map(_paid, asked))


def has_arrived(request: ReceiptRequest, order: AlibabaOrderDetail, _: datetime) -> Verdict:
    """Whether the lines count as received."""
    if _status(order) in _ARRIVED:
        return "done"
    lines = {line.sub_item_id: line.our_status for line in order.product_items}
    asked = [lines.get(entry, OrderStatus.UNKNOWN) for entry in request.order_entry_ids]
    if OrderStatus.UNKNOWN in asked:
        return "unknown"
    return combined("done" if status in _ARRIVED else "not done" for status in asked)


def is_made(
    request: OrderCreateRequest, orders: Sequence[AlibabaOrderDetail], sent_at: datetime
) -> Verdict:
    """Whether one of the orders since has the lines of the request.

    The platform gives an order no mark of the call that made it, so two orders that are alike leave
    it open which one it is.
    """
    wanted = _wanted(request.cargo_param_list)
    alike = [order for order in orders if _lines(order, wanted) == wanted]
    if not alike:
        return "not done" if all(order.product_items for order in orders) else "unknown"
    is_sure = len(alike) == 1 and not any(key == ("", "") for key, _ in wanted)
    return "done" if is_sure and _is_new(alike[0], sent_at) else "unknown"


def are_made(
    request: BatchCreateRequest, orders: Sequence[AlibabaOrderDetail], sent_at: datetime
) -> Verdict:
    """Whether the orders since have the lines of the request, all of them together."""
    wanted = _wanted(request.cargo_param_list)
    parts = [order for order in orders if _lines(order, wanted) <= wanted]
    if not parts:
        return "not done"
    found = sum((_lines(order, wanted) for order in parts), Counter[_Line]())
    is_sure = found == wanted and not any(key == ("", "") for key, _ in wanted)
    return "done" if is_sure and all(_is_new(order, sent_at) for order in parts) else "unknown"


def any_made(_: Any, orders: Sequence[Any], __: datetime) -> Verdict:
    """Whether there is an order at all that the call may have made; which one is not shown."""
    return "unknown" if orders else "not done"


def is_purchased(
    request: TaobaoOrderCreateRequest, orders: Sequence[TaobaoOrderDetail], _: datetime
) -> Verdict:
    """Whether one of the orders since has the request's `seller_order_number`."""
    number = request.seller_order_number
    if not orders:
        return "not done"
    if number and any(order.seller_order_number == number for order in orders):
        return "done"
    is_shown = number and all(order.seller_order_number for order in orders)
    return "not done" if is_shown else "unknown"


def is_purchase_closed(
    request: TaobaoCancelRequest, order: TaobaoOrderDetail, _: datetime
) -> Verdict:
    """Whether the order, or the lines that were named, are closed by now."""
    named = set(request.sub_purchase_order_id_list or ())
    lines = [line for line in order.sub_orders if line.sub_purchase_order_id in named]
    closed = all(line.our_status is OrderStatus.CLOSED for line in lines)
    if order.our_status is OrderStatus.CLOSED or (named and len(lines) == len(named) and closed):
        return "done"
    return "unknown"


def are_purchases_paid(
    request: TaobaoPayRequest, orders: Sequence[TaobaoOrderDetail], _: datetime
) -> Verdict:
    """Whether each of the orders is paid by now."""
    paid = {order.purchase_order_id for order in orders if order.our_status in _PAID}
    return "done" if paid.issuperset(request.purchase_order_id_list) else "unknown"


_Line = tuple[tuple[str, str], int]
"""A line as a request and an order both show it: offer and specification, and how many."""


def _wanted(cargo: Iterable[CargoParam]) -> Counter[_Line]:
    """The lines of a request; an opaque offer of v2 is not in an order, and left out."""
    return Counter(((line.offer_id or "", line.spec_id or ""), line.quantity) for line in cargo)


def _lines(order: AlibabaOrderDetail, wanted: Counter[_Line]) -> Counter[_Line]:
    """The lines of an order, with the parts that those of the request have."""
    with_offer = any(offer for (offer, _), _ in wanted)
    return Counter(
        (
            (line.product_id or "" if with_offer else "", line.spec_id or ""),
            int(line.quantity or 0),
        )
        for line in order.product_items
    )


def _status(order: AlibabaOrderDetail) -> OrderStatus:
    return order.base_info.our_status if order.base_info else OrderStatus.UNKNOWN


def _is_new(order: AlibabaOrderDetail, sent_at: datetime) -> bool:
    created = order.base_info.create_time if order.base_info else None
    return created is not None and created >= sent_at - _SLACK


def _paid(status: OrderStatus) -> Verdict:
    if status in _PAID:
        return "done"
    return "not done" if status is OrderStatus.AWAITING_PAYMENT else "unknown"
