"""The Taobao messages, recognised by name or by body. Pure functions.

Sources: docs/platform/messages.md#taobao-channel,
docs/platform/messages.md#taobao-global-messages.

Only the name of the price change is documented; so a body that looks like one of the three known
messages is read as that message, whatever its name.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from receiver.callback import EventDraft
from receiver.messages.reading import Message, read_leniently, readable_id
from schemas.events import (
    AftersalesRefundUpdated,
    Amounts,
    Line,
    LogisticsPartlyShipped,
    LogisticsShipped,
    OrderPriceChanged,
    OrderStatusChanged,
    Parcel,
)
from schemas.statuses import OrderStatus, order_status, refund_status
from schemas.taobao import LinePrice, Price, SubOrder, TaobaoOrderMessage
from schemas.values import NO_CURRENCY, Money, no_id

Kind = Literal["price", "status", "refund"]

_NAMES: Final[dict[str, Kind]] = {"ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY": "price"}
_NAME_PARTS: Final[tuple[tuple[str, Kind], ...]] = (
    ("PRICE", "price"),
    ("REFUND", "refund"),
    ("STATUS", "status"),
)
"""Inferred: the two names that are not documented follow the pattern of the known one.

docs/platform/messages.md#taobao-channel
"""
_BODY_MARKS: Final[tuple[tuple[str, Kind], ...]] = (
    ("purchaseOrderPriceDTO", "price"),
    ("purchaseOrderLinePriceChangeMessageDTOList", "price"),
    ("refundId", "refund"),
    ("refund_id", "refund"),
    ("refundStatus", "refund"),
    ("subOrders", "status"),
    ("sku_list", "status"),
)
_REFUND_IDS: Final = frozenset({"refundId", "refund_id"})
_ID_MARKS: Final = ("salesOrderId", "purchase_id", "purchaseOrderId", "subOrders", "sku_list")
_SHIPPED: Final = frozenset({OrderStatus.SHIPPED, OrderStatus.RECEIVED, OrderStatus.COMPLETED})


def looks_like_taobao(body: Any) -> bool:
    """Whether a body of an undocumented name carries Taobao's own fields."""
    return isinstance(body, dict) and any(mark in body for mark in _ID_MARKS)


def kind_of(message: Message) -> Kind | None:
    """Which of the three messages this is; None where neither name nor body shows it."""
    name, body = message.message_type or "", message.body
    if name in _NAMES:
        return _NAMES[name]
    if not isinstance(body, dict):
        return None
    if not (looks_like_taobao(body) or (message.channel == "taobao" and "orderId" in body)):
        return None
    by_name = (kind for part, kind in _NAME_PARTS if part in name.upper())
    by_body = (kind for mark, kind in _BODY_MARKS if _is_given(mark, body.get(mark)))
    return next(by_name, None) or next(by_body, None)


def _is_given(mark: str, value: Any) -> bool:
    """Whether a field holds something: a placeholder of an id, a refund's 0, no price do not."""
    if mark in _REFUND_IDS:
        return readable_id(value) is not None
    if mark == "refundStatus":
        return not no_id(value)
    return value is not None and (bool(value) or mark in _ID_MARKS)


def has_refund_id(message: Message) -> bool:
    """Whether a refund's id can be read, of the message itself or of a line."""
    if not isinstance(message.body, dict):
        return False
    order, _ = read_leniently(TaobaoOrderMessage, message.body, message.place)
    return any((order.refund_id, *(line.refund_id for line in order.sub_orders)))


def read_message(message: Message, kind: Kind, *, upstream: bool = False) -> list[EventDraft]:
    """The events of a Taobao message; raises `MalformedCallbackError` without an order id.

    The query API knows an order of the platform's feed by `salesOrderId`, and one of Taobao
    Global (`upstream`) by `purchase_id`. A refund case of the latter is known by its own id: there
    the order's may be absent.
    """
    order = message.read(TaobaoOrderMessage)
    lines = tuple(line_of(part) for part in order.sub_orders)
    order_id = _order_id(message, order, kind, upstream=upstream)
    fact: dict[str, Any] = {
        "channel": message.channel,
        "order_id": order_id,
        "order_no": order.order_no,
        "seller_id": order.seller_id,
    }
    if kind == "price":
        priced = lines + tuple(map(_priced, order.line_prices))
        changed = OrderPriceChanged(
            **fact,
            status=order_status(order.status),
            platform_status=order.status,
            amounts=_amounts(order.price),
            lines=priced,
        )
        return [EventDraft(changed, order.business_time)]
    if kind == "refund":
        return _refunds(fact, order, lines)
    return _status_events(fact, order, lines)


def _order_id(
    message: Message, order: TaobaoOrderMessage, kind: Kind, *, upstream: bool
) -> str | None:
    ours, theirs = order.sales_order_id, order.purchase_order_id
    known = (theirs or ours) if upstream else (ours or theirs)
    outer = (line.purchase_order_outer_id for line in order.sub_orders)
    order_id = known or order.order_id or next(filter(None, outer), None)
    if upstream and kind == "refund":
        return order_id
    return message.require(order_id, "purchase_id" if upstream else "salesOrderId")


def _status_events(
    fact: dict[str, Any], order: TaobaoOrderMessage, lines: tuple[Line, ...]
) -> list[EventDraft]:
    """The change itself, then the shipment of its lines, then their refund cases."""
    word = order.status or _common_word(lines)
    parts = order.sub_orders
    reasons = [part.close_reason for part in parts] + [part.error_message for part in parts]
    changed = OrderStatusChanged(
        **fact,
        status=order_status(word),
        platform_status=word,
        lines=lines,
        reason=next(filter(None, reasons), None),
    )
    drafts = [EventDraft(changed, order.business_time)]
    shipped = tuple(line for line in lines if line.status is OrderStatus.SHIPPED)
    if shipped:
        whole = all(line.status in _SHIPPED for line in lines)
        model = LogisticsShipped if whole else LogisticsPartlyShipped
        event = model(
            **fact,
            status=OrderStatus.SHIPPED if whole else OrderStatus.PARTLY_SHIPPED,
            platform_status=word,
            parcels=tuple(dict.fromkeys(p for line in shipped for p in line.parcels)),
            lines=shipped,
        )
        drafts.append(EventDraft(event, order.business_time))
    drafts.extend(_line_refunds(fact, order, lines))
    return drafts


def _refunds(
    fact: dict[str, Any], order: TaobaoOrderMessage, lines: tuple[Line, ...]
) -> list[EventDraft]:
    """One event a refund case: the message's own, else each line's, else one without an id."""
    if order.refund_id is None and (drafts := _line_refunds(fact, order, lines)):
        return drafts
    word = order.refund_status
    event = AftersalesRefundUpdated(
        **fact,
        refund_id=order.refund_id,
        status=refund_status(word),
        platform_status=word,
        amount=order.refund_fee,
        line_ids=_line_ids(lines),
    )
    return [EventDraft(event, order.business_time)]


def _line_refunds(
    fact: dict[str, Any], order: TaobaoOrderMessage, lines: tuple[Line, ...]
) -> list[EventDraft]:
    cases: dict[str, list[Line]] = {}
    for line in lines:
        if line.refund_id is not None:
            cases.setdefault(line.refund_id, []).append(line)
    drafts = []
    for refund_id, members in cases.items():
        word = members[0].platform_refund_status
        event = AftersalesRefundUpdated(
            **fact,
            refund_id=refund_id,
            status=refund_status(word),
            platform_status=word,
            line_ids=_line_ids(members),
        )
        drafts.append(EventDraft(event, order.business_time))
    return drafts


def _line_ids(lines: tuple[Line, ...] | list[Line]) -> tuple[str, ...]:
    return tuple(line.line_id for line in lines if line.line_id)


def _common_word(lines: tuple[Line, ...]) -> str | None:
    """The lines' status where they agree: a message of lines alone gives the order's by them."""
    words = {line.platform_status for line in lines}
    return words.pop() if len(words) == 1 else None


def line_of(part: SubOrder) -> Line:
    """One line, of a message or of a reply of the API."""
    return Line(
        line_id=part.sub_purchase_order_id,
        line_no=part.purchase_order_line_outer_id,
        item_id=part.item_id,
        sku_id=part.sku_id,
        title=part.title,
        quantity=part.quantity,
        status=order_status(part.status),
        platform_status=part.status,
        refund_id=part.refund_id,
        platform_refund_status=part.refund_status,
        amounts=_line_amounts(part),
        parcels=_parcels(part),
    )


def _line_amounts(part: SubOrder) -> Amounts | None:
    total, goods, shipping = (
        money_in(money, part.purchase_currency)
        for money in (
            part.pay_amount or part.purchase_amount,
            part.product_amount,
            part.domestic_post_fee,
        )
    )
    if total is None and goods is None and shipping is None:
        return None
    return Amounts(total=total, goods=goods, shipping=shipping)


def _parcels(part: SubOrder) -> tuple[Parcel, ...]:
    parcels = [
        Parcel(carrier=p.logistic_company_name, waybill_no=p.logistic_number)
        for p in (part, *part.logistic_orders)
        if p.logistic_number or p.logistic_company_name
    ]
    return tuple(dict.fromkeys(parcels))


def _priced(part: LinePrice) -> Line:
    line_no = next(filter(None, part.line_nos), None)
    return Line(line_id=part.line_id, line_no=line_no, amounts=_amounts(part.price))


def _amounts(price: Price | None) -> Amounts | None:
    if price is None:
        return None
    return Amounts(
        total=money_in(price.total, price.currency),
        goods=money_in(price.goods, price.currency),
        shipping=money_in(price.shipping, price.currency),
    )


def money_in(money: Money | None, currency: str | None) -> Money | None:
    """The amount in the currency that was named for it; None where that is no currency."""
    if money is None or currency is None or currency == money.currency:
        return money
    return None if currency == NO_CURRENCY else Money.yuan(money.amount, currency)
