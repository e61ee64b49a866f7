"""The words of the platforms, row by row of their tables, and ours.

The tables: docs/platform/statuses.md#words-and-codes-for-states.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.statuses import (
    OrderStatus,
    PaymentOutcome,
    PaymentStatus,
    Progress,
    RefundStatus,
    closed_by,
    line_logistics_status,
    operator,
    order_status,
    payment_outcome,
    payment_status,
    progress,
    refund_status,
)
from tests.every import every

ORDERS = {
    "pending": "12 ORDER_BULIDING BULIDING",
    "awaiting_payment": "0 1 2 3 5 WAIT_BUYER_P WAIT_BUYER_PAY waitbuyerpay WAITING_FOR_PAYMENT",
    "awaiting_shipment": "10 WAIT_SELLER_SEND_GOODS waitsellersend WAITING_FOR_SENT",
    "shipped": "11 WAIT_BUYER_CONFIRM_GOODS waitbuyerreceive",
    "received": "confirm_goods confirm_goods_and_has_subsidy",
    "completed": "success",
    "closed": "4 TRADE_CLOSED cancel CANCEL terminated",
    "unknown": "9 tomorrow",
}
REFUNDS = {
    "none": "0",
    "applied": "10 waitselleragree WAIT_SELLER_AGREE",
    "agreed": "20 90 waitbuyersend WAIT_BUYER_SEND",
    "returned": "30 waitsellerreceive WAIT_SELLER_RECEIVE",
    "refunded": "100 refundsuccess REFUND_SUCCESS",
    "refused": "-10 waitbuyermodify WAIT_BUYER_MODIFY",
    "closed": "-20 refundclose REFUND_CLOSE",
    "unknown": "40 tomorrow",
}


def rows(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(word, ours) for ours, words in table.items() for word in words.split()]


@every(rows(ORDERS))
def test_the_word_for_an_order_is_known(row: tuple[str, str]) -> None:
    word, ours = row
    assert order_status(word) == order_status(f" {word.lower()} ") == ours


@every(rows(REFUNDS))
def test_the_word_for_a_refund_is_known(row: tuple[str, str]) -> None:
    word, ours = row
    assert refund_status(word) == refund_status(f" {word.lower()} ") == ours


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        ("1", "awaiting_shipment"),
        ("2", "shipped"),
        ("3", "received"),
        ("4", "unknown"),  # returned: we have no word for it, the platform's own is told
        ("5", "partly_shipped"),
        ("8", "unknown"),
    ],
)
def test_the_code_of_a_lines_logistics_is_known(code: str, ours: str) -> None:
    assert line_logistics_status(code) == ours


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("CONSIGN", "consigned"),
        ("ACCEPT", "accepted"),
        ("TRANSPORT", "in_transit"),
        ("DELIVERING", "delivering"),
        ("AGENT_SIGN", "awaiting_pickup"),
        ("SIGN", "signed"),
        ("FAILED", "failed"),
        ("WAITACCEPT", "consigned"),
        ("NOGET", "failed"),
        ("UNSIGN", "failed"),
        ("CANCEL", "failed"),
        ("WAITING_COLLECT", "consigned"),
        ("COLLECTED", "accepted"),
        ("WAITING_CUSTOMS", "in_transit"),
        ("CUSTOMS_CLEARANCE", "in_transit"),
        ("CUSTOMS_FAILED", "failed"),
        ("SIGNED", "signed"),
        ("REJECTED", "failed"),
        ("RETURNED", "failed"),
        ("EXCEPTION", "failed"),
        ("TOMORROW", "unknown"),
    ],
)
def test_the_word_for_a_parcels_progress_is_known(word: str, ours: str) -> None:
    assert progress(word) == ours


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("successed", "succeeded"),
        ("ACCOUNT_BALANCE_NOT_ENOUGH", "balance_not_enough"),
        ("ACCOUNT_NOT_EXIST", "account_not_found"),
        ("ACCOUNT_FROZEN", "account_frozen"),
        ("PARAM_ILLEGAL", "parameters_illegal"),
        ("TOMORROW", "unknown"),
    ],
)
def test_the_word_for_a_batch_payment_is_known(word: str, ours: str) -> None:
    assert payment_outcome(word) == ours


@pytest.mark.parametrize(
    ("word", "ours"),
    [("buyer", "buyer"), ("seller", "seller"), ("system", "platform"), ("else", "unknown")],
)
def test_who_acted_is_known(word: str, ours: str) -> None:
    assert operator(word) == ours


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        ("1", "unpaid"),
        ("2", "paid"),
        ("4", "refunded"),
        ("6", "received"),
        ("7", "not_created"),
        ("8", "cancelled"),
        ("9", "being_paid"),
        ("12", "on_account"),
        ("3", "unknown"),
    ],
)
def test_the_code_of_a_payment_is_known(code: str, ours: str) -> None:
    assert payment_status(code) == ours


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (("CLOSE_TRADE_BY_SELLER", "buyerCancel"), "seller"),
        ((None, "buyerCancel"), "buyer"),
        (("TOMORROW", "sellerGoodsLack"), "seller"),
        (("CLOSE_TRADE_BY_CREADIT",), "platform"),
        (("other",), "unknown"),
    ],
)
def test_who_closed_an_order_is_known(words: tuple[str | None, ...], ours: str) -> None:
    assert closed_by(*words) == ours


READERS = {
    "order": order_status,
    "line": line_logistics_status,
    "refund": refund_status,
    "progress": progress,
    "outcome": payment_outcome,
    "operator": operator,
    "payment": payment_status,
    "closed by": closed_by,
}


@pytest.mark.parametrize("reader", READERS)
@given(word=st.none() | st.text(max_size=8))
def test_any_word_has_an_answer(reader: str, word: str | None) -> None:
    assert READERS[reader](word)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("word", [None, "", "  "], ids=repr)
def test_no_word_is_unknown(reader: str, word: str | None) -> None:
    assert READERS[reader](word) == "unknown"


@pytest.mark.parametrize(
    "words",
    [OrderStatus, RefundStatus, Progress, PaymentOutcome, PaymentStatus],
    ids=lambda words: words.__name__,
)
def test_a_word_of_tomorrow_is_read_as_unknown(words: Callable[[Any], StrEnum]) -> None:
    assert words("a word of tomorrow") == "unknown"
    with pytest.raises(ValueError, match="not a valid"):
        words(7)
