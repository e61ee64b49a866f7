"""One fact, one `ce-factid`: whatever the message, the dialect and the push time."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from receiver.event import Event
from schemas.events import EventData
from tests.identity.receiving import Receiver

ORDER_ID = "2745812000123456789"
TOPIC = "ORDER_BUYER_VIEW_"
SENT = "2026-01-31 08:00:00"
LATER = "2026-01-31 08:00:01"


def xport(name: str, body: object, pushed_ms: int = 1, **outer: object) -> tuple[str, bytes]:
    said = {"messageType": name, "messagePlatform": 1, "timestamp": str(1769835600000 + pushed_ms)}
    return "xport", json.dumps(said | {"messageBody": body} | outer).encode()


def aop(name: str, data: object, message_id: int = 1) -> tuple[str, bytes]:
    message = {"msgId": message_id, "gmtBorn": 1769835600000 + message_id, "type": name}
    form = {"message": json.dumps(message | {"data": data}), "_aop_signature": "AB"}
    return "aop", urlencode(form).encode()


def pushed(message_type: int, data: dict[str, object], pushed_s: int = 1) -> tuple[str, bytes]:
    said = {"message_type": message_type, "data": {"purchase_id": int(ORDER_ID)} | data}
    return "global", json.dumps(said | {"timestamp": 1769835600 + pushed_s}).encode()


def order(**body: object) -> dict[str, object]:
    return {"orderId": ORDER_ID} | body


async def facts(receiver: Receiver, *callbacks: tuple[str, bytes]) -> list[Event[EventData]]:
    """The events of the callbacks, which were all stored."""
    for source, body in callbacks:
        assert await receiver.post(source, body) in {"stored", "retransmission"}
    return list(await receiver.events())


PAID = order(orderStatus="WAITING_FOR_SENT", totalAmount=1200, payTime=SENT)
ONE_FACT: dict[str, tuple[tuple[str, bytes], ...]] = {
    "a payment in two names, two dialects and at four times": (
        xport("ORDER_PAY_SUCCESS", json.dumps(PAID), 1),
        xport("ORDER_BUYER_VIEW_ORDER_PAY", order(currentStatus="waitsellersend"), 2),
        xport("1688_ORDER_BUYER_VIEW_ORDER_PAY", order(msgSendTime=LATER), 3),
        aop("ORDER_BUYER_VIEW_ORDER_PAY", {"orderId": int(ORDER_ID), "msgSendTime": SENT}),
    ),
    "an order placed": (
        xport("ORDER_CREATE", order(tbCreateTime=SENT)),
        aop(f"{TOPIC}BUYER_MAKE", order()),
    ),
    "an order closed": (
        xport("ORDER_CANCEL", order(closeReason="buyer_cancel")),
        aop(f"{TOPIC}ORDER_BUYER_CLOSE", order(msgSendTime=SENT)),
    ),
    "a completed trade": (
        aop(f"{TOPIC}ORDER_SUCCESS", order(msgSendTime=SENT), 1),
        aop(f"{TOPIC}ORDER_SUCCESS", order(msgSendTime=LATER), 2),
    ),
    "a price of one moment": (
        xport(f"{TOPIC}ORDER_PRICE_MODIFY", order(msgSendTime=SENT, totalAmount=900), 1),
        xport(f"{TOPIC}ORDER_PRICE_MODIFY", order(msgSendTime=f" {SENT}", totalAmount="900"), 2),
    ),
    "a status of one moment in two spellings": (
        pushed(3, {"business_time": 1769835600123, "status": "WAIT_BUYER_P"}, 1),
        pushed(3, {"business_time": "1769835600123", "status": "WAIT_BUYER_PAY"}, 2),
    ),
    "a stage paid at one moment": (
        xport(f"{TOPIC}ORDER_STEP_PAY", order(msgSendTime=SENT), 1),
        aop(f"{TOPIC}ORDER_STEP_PAY", order(msgSendTime=SENT)),
    ),
    "a receipt of one moment": (
        xport(f"{TOPIC}ORDER_COMFIRM_RECEIVEGOODS", order(msgSendTime=SENT), 1),
        aop(f"{TOPIC}ORDER_COMFIRM_RECEIVEGOODS", order(msgSendTime=SENT)),
    ),
    "a refund that reached a status at one moment": (
        xport(f"{TOPIC}ORDER_BUYER_REFUND", order(refundId="TQ1", msgSendTime=SENT)),
        aop(f"{TOPIC}ORDER_BUYER_REFUND_IN_SALES", order(refundId="TQ1 ", msgSendTime=SENT)),
    ),
    "a shipment without parcels at one moment": (
        xport(f"{TOPIC}ANNOUNCE_SENDGOODS", order(msgSendTime=SENT)),
        aop(f"{TOPIC}ANNOUNCE_SENDGOODS", order(msgSendTime=SENT)),
    ),
    "a batch payment that succeeded": (
        aop("ORDER_BATCH_PAY", {"batchPay": [order(status="successed")]}, 1),
        aop("ORDER_BATCH_PAY", {"batchPay": [order(status="SUCCESSED ")]}, 2),
    ),
}


@pytest.mark.parametrize("case", ONE_FACT)
async def test_one_fact_has_one_id(receiver: Receiver, case: str) -> None:
    events = await facts(receiver, *ONE_FACT[case])
    assert len({event.id for event in events}) == len(ONE_FACT[case])
    assert len({event.fact_id for event in events}) == 1


TWO_FACTS: dict[str, tuple[tuple[str, bytes], ...]] = {
    "payments of two orders": (
        xport("ORDER_PAY_SUCCESS", order()),
        xport("ORDER_PAY_SUCCESS", order(orderId="2745812000123456788")),
    ),
    "an order placed and paid": (
        xport("ORDER_CREATE", order()),
        xport("ORDER_PAY_SUCCESS", order()),
    ),
    "one order id in two channels": (
        aop(f"{TOPIC}ORDER_PRICE_MODIFY", order(msgSendTime=SENT)),
        pushed(8, {"business_time": SENT}),
    ),
    "prices of two moments": (
        xport(f"{TOPIC}ORDER_PRICE_MODIFY", order(msgSendTime=SENT, totalAmount=900)),
        xport(f"{TOPIC}ORDER_PRICE_MODIFY", order(msgSendTime=LATER, totalAmount=900)),
    ),
    "two prices within a second": (
        xport(f"{TOPIC}ORDER_PRICE_MODIFY", order(msgSendTime=SENT, totalAmount=900)),
        xport(f"{TOPIC}ORDER_PRICE_MODIFY", order(msgSendTime=SENT, totalAmount=800)),
    ),
    "the same price again, without the platform's time": (
        xport(f"{TOPIC}ORDER_PRICE_MODIFY", order(totalAmount=900), 1),
        xport(f"{TOPIC}ORDER_PRICE_MODIFY", order(totalAmount=900), 2),
    ),
    "the same status again, without the platform's time": (
        pushed(3, {"status": "WAIT_BUYER_P"}, 1),
        pushed(3, {"status": "WAIT_BUYER_P"}, 2),
    ),
    "two callbacks of one status and one push time, without the platform's time": (
        pushed(3, {"status": "WAIT_BUYER_P", "sku_list": [{"order_line_no": "1"}]}),
        pushed(3, {"status": "WAIT_BUYER_P", "sku_list": [{"order_line_no": "2"}]}),
    ),
    "two statuses of one moment": (
        pushed(3, {"status": "WAIT_BUYER_P", "business_time": SENT}),
        pushed(3, {"status": "TRADE_CLOSED", "business_time": SENT}),
    ),
    "two statuses of one moment that we do not know": (
        pushed(3, {"status": "SLEEPING", "business_time": SENT}),
        pushed(3, {"status": "WAKING", "business_time": SENT}),
    ),
    "two stages": (
        aop(f"{TOPIC}ORDER_STEP_PAY", order(msgSendTime=SENT), 1),
        aop(f"{TOPIC}ORDER_STEP_PAY", order(msgSendTime=LATER), 2),
    ),
    "two stages without the platform's time": (
        aop(f"{TOPIC}ORDER_STEP_PAY", order(), 1),
        aop(f"{TOPIC}ORDER_STEP_PAY", order(), 2),
    ),
    "two receipts without the platform's time": (
        aop(f"{TOPIC}ORDER_COMFIRM_RECEIVEGOODS", order(), 1),
        aop(f"{TOPIC}ORDER_COMFIRM_RECEIVEGOODS", order(), 2),
    ),
    "two refund cases": (
        aop(f"{TOPIC}ORDER_BUYER_REFUND_IN_SALES", order(refundId="TQ1", msgSendTime=SENT), 1),
        aop(f"{TOPIC}ORDER_BUYER_REFUND_IN_SALES", order(refundId="TQ2", msgSendTime=SENT), 2),
    ),
    "a refund that is applied for, without the platform's time, and again after a refusal": (
        xport(f"{TOPIC}ORDER_BUYER_REFUND", order(refundId="TQ1", refundStatus="applied"), 1),
        xport(f"{TOPIC}ORDER_BUYER_REFUND", order(refundId="TQ1", refundStatus="applied"), 2),
    ),
    "two tries to pay that failed": (
        aop("ORDER_BATCH_PAY", {"batchPay": [order(status="ACCOUNT_FROZEN")]}, 1),
        aop("ORDER_BATCH_PAY", {"batchPay": [order(status="ACCOUNT_FROZEN")]}, 2),
    ),
    "two messages that we do not know": (
        xport("TOMORROW", order(), 1),
        xport("TOMORROW", order(), 2),
    ),
}


@pytest.mark.parametrize("case", TWO_FACTS)
async def test_two_facts_have_two_ids(receiver: Receiver, case: str) -> None:
    events = await facts(receiver, *TWO_FACTS[case])
    assert len({event.fact_id for event in events}) == 2


def shipment(*waybills: object, business_time: object = None, pushed_s: int = 1) -> Any:
    lines = [
        {"order_line_no": str(n), "status": "WAIT_BUYER_CONFIRM_GOODS", "logistic_number": number}
        for n, number in enumerate(waybills)
    ]
    data = {"status": "WAIT_BUYER_CONFIRM_GOODS", "sku_list": lines}
    return pushed(3, data | {"business_time": business_time}, pushed_s)


@pytest.mark.parametrize(
    ("one", "another", "same"),
    [
        (("SF1", "YT2"), ("YT2", "SF1"), True),
        (("SF1 234",), (" sf1234",), True),
        (("SF1", "SF1"), ("SF1",), True),
        (("SF1",), ("SF1", "YT2"), False),
        (("SF1", "YT2"), ("SF1,YT2",), False),
        ((None,), (None, None), False),
    ],
    ids=repr,
)
async def test_a_shipment_is_known_by_its_waybill_numbers(
    receiver: Receiver, one: tuple[object, ...], another: tuple[object, ...], same: bool
) -> None:
    events = await facts(receiver, shipment(*one), shipment(*another, pushed_s=2))
    shipped = [event.fact_id for event in events if event.event_type == "logistics.shipped"]
    assert len(shipped) == 2
    assert (shipped[0] == shipped[1]) is same


async def test_the_header_is_what_the_docs_say_it_is(receiver: Receiver) -> None:
    await receiver.post(*xport("ORDER_PAY_SUCCESS", PAID))
    await receiver.post(*pushed(3, {"business_time": 1769835600123, "status": "WAIT_BUYER_P"}))
    hashed = [
        f'["payment.succeeded","1688","{ORDER_ID}"]',
        f'["order.status_changed","taobao","{ORDER_ID}","status=awaiting_payment",'
        '"time=1769835600123"]',
    ]
    headers = [message.headers or {} for message in await receiver.stored()]
    assert [each["ce-factid"] for each in headers if "ce-id" in each] == [
        hashlib.sha256(text.encode()).hexdigest()[:32] for text in hashed
    ]
