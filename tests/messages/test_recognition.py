"""Which message a body is, and the rules that stand beside the tables."""

from __future__ import annotations

from typing import Any

import pytest

from receiver.callback import EventDraft
from receiver.errors import MalformedCallbackError
from receiver.messages.catalogue import messages_of
from receiver.messages.reading import Message
from receiver.messages.recognition import events_of
from schemas.events import (
    AftersalesRefundUpdated,
    EventData,
    LogisticsPartlyShipped,
    LogisticsProgressed,
    LogisticsShipped,
    OrderClosed,
    OrderPriceChanged,
    OrderStatusChanged,
    PaymentBatchSettled,
)
from schemas.statuses import Channel, OrderStatus, RefundStatus

PRICE = "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY"


def message(name: str | None, body: Any, channel: Channel = "unknown") -> Message:
    return Message(name, channel, body, "messageBody")


def data(drafts: list[EventDraft]) -> list[EventData]:
    return [draft.data for draft in drafts]


KINDS: list[tuple[str | None, Channel, Any, str, str]] = [
    (PRICE, "1688", {"orderId": "1"}, "1688", "order.price_changed"),
    (PRICE, "unknown", {"orderId": "1"}, "1688", "order.price_changed"),
    (PRICE, "taobao", {"salesOrderId": "1"}, "taobao", "order.price_changed"),
    (PRICE, "unknown", {"salesOrderId": "1"}, "taobao", "order.price_changed"),
    ("X_STATUS_X", "taobao", {"orderId": "1"}, "taobao", "order.status_changed"),
    ("X_REFUND_X", "taobao", {"orderId": "1"}, "taobao", "aftersales.refund_updated"),
    ("X_PRICE_X", "taobao", {"orderId": "1"}, "taobao", "order.price_changed"),
    ("REFUND_STATUS", "taobao", {"orderId": "1"}, "taobao", "aftersales.refund_updated"),
    (
        None,
        "unknown",
        {"salesOrderId": "1", "refundId": "2"},
        "taobao",
        "aftersales.refund_updated",
    ),
    (None, "unknown", {"salesOrderId": "1", "subOrders": []}, "taobao", "order.status_changed"),
    (
        None,
        "taobao",
        {"salesOrderId": "1", "purchaseOrderPriceDTO": [], "subOrders": []},
        "taobao",
        "order.status_changed",
    ),
    (None, "taobao", {"orderId": "1", "refundStatus": 10}, "taobao", "aftersales.refund_updated"),
    ("NEW", "1688", {"salesOrderId": "1", "subOrders": []}, "1688", "unknown.received"),
    ("NEW", "unknown", {"salesOrderId": "1"}, "unknown", "unknown.received"),
    ("NEW", "taobao", {"orderId": "1"}, "taobao", "unknown.received"),
    ("X_STATUS_X", "unknown", {"orderId": "1"}, "unknown", "unknown.received"),
    ("X_STATUS_X", "taobao", [1], "taobao", "unknown.received"),
    (None, "unknown", None, "unknown", "unknown.received"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "channel", "body", "told", "event_type"), KINDS, ids=repr)
def test_a_message_is_known_by_its_name_or_its_body(
    name: str | None, channel: Channel, body: Any, told: str, event_type: str
) -> None:
    (first, *_) = data(events_of(message(name, body, channel)))
    assert (first.channel, first.event_type) == (told, event_type)


@pytest.mark.parametrize(
    ("body", "order_id"),
    [
        ({"orderId": 1}, "1"),
        ({"orderId": " ", "salesOrderId": "2"}, "2"),
        ({"orderId": 1.5, "purchase_id": 3}, "3"),
        ({"orderId": [], "purchaseOrderId": "4"}, "4"),
        ({"orderId": "9" * 200}, None),
        ({}, None),
        ([1], None),
    ],
    ids=repr,
)
def test_an_unknown_message_goes_under_its_orders_id(body: Any, order_id: str | None) -> None:
    (unknown,) = data(events_of(message("NEW", body, "1688")))
    assert unknown.order_id == order_id


@pytest.mark.parametrize(
    "order_id", ["a.b", "*", ">", "a b", "订单", "\x00", "\x1b[2J", "%2E", "_"]
)
def test_an_order_id_is_kept_as_it_is(order_id: str) -> None:
    (created,) = data(events_of(message("ORDER_CREATE", {"orderId": order_id})))
    assert created.order_id == order_id


@pytest.mark.parametrize(
    ("name", "reason", "closed_by"),
    [
        ("ORDER_CANCEL", "buyer_cancel", "buyer"),
        ("ORDER_CANCEL", "seller_cancel", "unknown"),
        ("ORDER_CANCEL", None, "unknown"),
        ("ORDER_BUYER_VIEW_ORDER_SELLER_CLOSE", "buyer_cancel", "seller"),
        ("ORDER_BUYER_VIEW_ORDER_BOPS_CLOSE", None, "platform"),
    ],
)
def test_who_closed_an_order_is_read_from_the_name_else_from_the_reason(
    name: str, reason: str | None, closed_by: str
) -> None:
    (closed,) = data(events_of(message(name, {"orderId": "1", "closeReason": reason})))
    assert isinstance(closed, OrderClosed)
    assert (closed.closed_by, closed.reason, closed.status) == (closed_by, reason, "closed")


@pytest.mark.parametrize(
    ("reason", "operator", "closed_by"),
    [
        ("buyerCancel", None, "buyer"),
        ("sellerGoodsLack", None, "seller"),
        ("other", None, "unknown"),
        ("other", "CLOSE_TRADE_BY_SELLER", "seller"),
        (None, "CLOSE_TRADE_BY_BOPS", "platform"),
        ("buyerCancel", "CLOSE_TRADE_BY_CREADIT", "platform"),
        ("sellerGoodsLack", "SOMEONE", "seller"),
    ],
)
def test_who_closed_an_order_is_read_from_a_whole_detail(
    reason: str | None, operator: str | None, closed_by: str
) -> None:
    head = {"idOfStr": "1", "closeReason": reason, "closeOperateType": operator}
    (closed,) = data(events_of(message("ORDER_CANCEL", {"baseInfo": head})))
    assert isinstance(closed, OrderClosed)
    assert (closed.closed_by, closed.reason) == (closed_by, reason)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"refundAction": "SYSTEM_AGREE_REFUND"}, RefundStatus.REFUNDED),
        (
            {"refundAction": "SYSTEM_AGREE_REFUND", "currentStatus": "refundclose"},
            RefundStatus.CLOSED,
        ),
        ({"refundAction": "SELLER_AGREE_REFUND"}, RefundStatus.UNKNOWN),
        ({"refundStatus": "refundsuccess", "currentStatus": "x"}, RefundStatus.REFUNDED),
    ],
    ids=repr,
)
def test_the_word_of_a_refund_comes_before_its_action(
    body: dict[str, Any], status: RefundStatus
) -> None:
    name = "ORDER_BUYER_VIEW_ORDER_REFUND_AFTER_SALES"
    (refund,) = data(events_of(message(name, {"orderId": "1"} | body)))
    assert isinstance(refund, AftersalesRefundUpdated)
    assert refund.status is status


def test_an_order_of_a_batch_without_an_id_is_noted_and_the_others_make_events() -> None:
    told = message("ORDER_BATCH_PAY", {"batchPay": [None, {"status": "x"}, {"orderId": 1}]})
    (settled,) = data(events_of(told))
    assert isinstance(settled, PaymentBatchSettled)
    assert settled.order_id == "1"
    assert [fault.place for fault in told.faults] == [
        "messageBody.batchPay",
    ]


def test_a_parcel_without_lines_goes_under_its_own_order() -> None:
    body = {"orderId": 1, "orderLogsItems": [None, {}, {"orderId": 2, "orderEntryId": None}]}
    first, second = data(events_of(message("LOGISTICS_BUYER_VIEW_TRACE", body)))
    assert isinstance(first, LogisticsProgressed)
    assert isinstance(second, LogisticsProgressed)
    assert (first.order_id, first.line_ids) == ("1", ())
    assert (second.order_id, second.line_ids) == ("2", ())


def test_an_order_named_twice_in_a_package_makes_one_event() -> None:
    body = {"packageId": 1, "tradeOrderIds": [7, "7", None, 8]}
    events = data(events_of(message("LOGISTICS_GLOBAL_1688_PACKAGE_CHANGE", body)))
    assert [event.order_id for event in events] == ["7", "8"]


@pytest.mark.parametrize("body", [None, [], "x", 5], ids=repr)
@pytest.mark.parametrize("name", ["ORDER_CREATE", "LOGISTICS_MAIL_NO_CHANGE", PRICE])
def test_a_known_message_that_is_no_object_is_refused(name: str, body: Any) -> None:
    with pytest.raises(MalformedCallbackError, match="not a JSON object") as refused:
        events_of(message(name, body))
    assert refused.value.place == "messageBody"


def status_of(*lines: dict[str, Any], **order: Any) -> list[EventData]:
    body = {"salesOrderId": "1", "subOrders": list(lines)} | order
    return data(events_of(message("TAOBAO_STATUS", body, "taobao")))


@pytest.mark.parametrize(
    ("words", "shipped"),
    [
        (["11"], LogisticsShipped),
        (["11", "WAIT_BUYER_CONFIRM_GOODS"], LogisticsShipped),
        (["11", "success"], LogisticsShipped),
        (["11", "10"], LogisticsPartlyShipped),
        (["10"], None),
        (["success"], None),
    ],
    ids=repr,
)
def test_shipped_lines_make_an_event_of_their_own(
    words: list[str], shipped: type[EventData] | None
) -> None:
    changed, *more = status_of(*({"status": word} for word in words))
    assert isinstance(changed, OrderStatusChanged)
    assert [type(event) for event in more] == ([shipped] if shipped else [])


@pytest.mark.parametrize(
    ("words", "order", "status"),
    [
        (["4", "4"], {}, OrderStatus.CLOSED),
        (["4", "10"], {}, OrderStatus.UNKNOWN),
        (["4", "10"], {"status": "10"}, OrderStatus.AWAITING_SHIPMENT),
        ([], {}, OrderStatus.UNKNOWN),
    ],
    ids=repr,
)
def test_lines_that_agree_give_the_orders_status(
    words: list[str], order: dict[str, str], status: OrderStatus
) -> None:
    (changed,) = status_of(*({"status": word} for word in words), **order)
    assert isinstance(changed, OrderStatusChanged)
    assert changed.status is status


def test_lines_of_one_refund_case_make_one_event() -> None:
    lines: list[dict[str, Any]] = [
        {"sub_purchase_order_id": number, "refund_id": case, "refund_status": 10}
        for number, case in enumerate(["a", "b", "a"], start=1)
    ]
    _, first, second = status_of(*lines)
    assert isinstance(first, AftersalesRefundUpdated)
    assert isinstance(second, AftersalesRefundUpdated)
    assert (first.refund_id, first.line_ids) == ("a", ("1", "3"))
    assert (second.refund_id, second.line_ids) == ("b", ("2",))


@pytest.mark.parametrize(
    ("currency", "told"),
    [("usd", "USD"), (None, "CNY"), ("", "CNY"), ("yuan", "CNY"), ("人民币", "CNY")],
    ids=repr,
)
def test_money_is_written_in_its_own_currency(currency: str | None, told: str) -> None:
    price = {"purchaseCurrency": currency, "purchaseTotalFee": "3500"}
    line = {"purchase_currency": currency, "pay_amount": 3500}
    body = {"salesOrderId": "1", "purchaseOrderPriceDTO": price, "subOrders": [line]}
    (changed,) = data(events_of(message(PRICE, body, "taobao")))
    assert isinstance(changed, OrderPriceChanged)
    for amounts in (changed.amounts, changed.lines[0].amounts):
        assert amounts is not None
        assert amounts.model_dump(mode="json")["total"] == {"amount": "35.00", "currency": told}


def test_a_line_price_without_its_price_tells_its_ids_alone() -> None:
    lines = [None, {"purchaseOrderLineId": 7, "salesOrderLineIdList": [None, 8]}]
    body = {"purchaseOrderId": 1, "purchaseOrderLinePriceChangeMessageDTOList": lines}
    (changed,) = data(events_of(message(PRICE, body, "taobao")))
    assert isinstance(changed, OrderPriceChanged)
    (line,) = changed.lines
    assert (changed.order_id, line.line_id, line.line_no) == ("1", "7", "8")
    assert (changed.amounts, line.amounts) == (None, None)


def test_the_messages_of_an_event_are_found() -> None:
    assert {row.name for row in messages_of("payment.succeeded")} == {
        "ORDER_PAY_SUCCESS",
        "ORDER_BUYER_VIEW_ORDER_PAY",
    }
    assert messages_of("order.synced") == ()
