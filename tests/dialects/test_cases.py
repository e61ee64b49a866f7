"""Messages that were misread once: each input as it came, and the values it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from receiver.bus.callback_codec import encode_callback
from receiver.bus.codec import decode_event
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.settings import DialectName, SourceSettings
from schemas.times import CHINA

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
NOW = datetime(2026, 5, 21, tzinfo=UTC)
ORDER_ID = "3305075341149134261"
PUSHED = datetime(2026, 5, 20, 7, 47, 49, 913000, UTC)


def verified(dialect: DialectName, case: str) -> VerifiedRequest:
    body = (CASES / case).read_bytes().rstrip(b"\n")
    if dialect == "aop":
        body = urlencode({"message": body}).encode()
    source = SourceSettings(name="s", dialect=dialect, verification="none")
    return VerifiedRequest(InboundRequest(source, (), body, NOW), Proof("none"))


def read(dialect: DialectName, case: str) -> Callback:
    callback = DIALECTS[dialect].parse(verified(dialect, case))
    assert isinstance(callback, Callback)
    return callback


def events(callback: Callback) -> list[tuple[str, dict[str, Any]]]:
    return [(d.data.event_type, d.data.model_dump(mode="json")) for d in callback.events]


def places(callback: Callback) -> list[str]:
    return [fault.place for fault in callback.faults]


def test_fen_with_decimals_are_null_and_noted() -> None:
    callback = read("xport", "fen-text-with-decimals-is-a-hundredth/body.json")
    ((kind, data),) = events(callback)
    assert (kind, data["order_id"], data["amounts"]) == ("payment.succeeded", ORDER_ID, None)
    assert places(callback) == ["messageBody.totalAmount"]


def test_a_refund_id_of_zero_is_no_refund() -> None:
    callback = read("global", "refund-id-zero-makes-a-refund/body.json")
    ((kind, data),) = events(callback)
    assert (kind, data["order_id"]) == ("order.status_changed", "200002638011")
    assert data["lines"][0]["refund_id"] is None
    assert list(callback.faults) == []


def test_one_order_of_a_trace_is_a_list_of_one() -> None:
    callback = read("aop", "list-as-object-or-text/trace.json")
    ((kind, data),) = events(callback)
    assert (kind, data["order_id"], data["line_ids"]) == ("logistics.progressed", ORDER_ID, ["1"])
    assert places(callback) == ["message.data.OrderLogisticsTracingModel.orderLogsItems"]


def test_one_order_of_a_package_is_a_list_of_one() -> None:
    callback = read("aop", "list-as-object-or-text/package.json")
    ((kind, data),) = events(callback)
    assert (kind, data["order_id"]) == ("logistics.package_changed", ORDER_ID)
    assert places(callback) == ["message.data.tradeOrderIds"]


def test_one_line_of_an_order_is_a_list_of_one() -> None:
    callback = read("global", "list-as-object-or-text/global.json")
    (changed, shipped) = events(callback)
    assert (changed[0], shipped[0]) == ("order.status_changed", "logistics.shipped")
    assert shipped[1]["parcels"][0]["waybill_no"] == "SF1"
    assert places(callback) == ["data.sku_list"]


@pytest.mark.parametrize(
    ("dialect", "case", "kind", "place"),
    [
        ("aop", "aop.json", "payment.succeeded", "message.data"),
        ("xport", "xport.json", "order.created", "messageBody"),
    ],
)
def test_a_body_that_is_encoded_twice_is_read(
    dialect: DialectName, case: str, kind: str, place: str
) -> None:
    callback = read(dialect, f"body-as-json-text/{case}")
    ((made, data),) = events(callback)
    assert (made, data["order_id"], places(callback)) == (kind, ORDER_ID, [place])


def test_a_time_of_1970_is_none_and_the_push_tells_when() -> None:
    request = verified("xport", "epoch-placeholder-is-a-time/body.json")
    callback = read("xport", "epoch-placeholder-is-a-time/body.json")
    ((_, data),) = events(callback)
    assert (data["paid_at"], places(callback)) == (None, ["messageBody.payTime"])
    _, message = encode_callback(request, callback, Subjects())
    assert decode_event(message.headers, message.body).time == PUSHED


def test_a_time_as_a_whole_float_is_a_time() -> None:
    callback = read("global", "time-as-float-or-other-spelling/body.json")
    moment = datetime(2022, 4, 26, 10, 21, 27, tzinfo=CHINA) + timedelta(milliseconds=564)
    assert callback.events[0].time == moment
    assert list(callback.faults) == []


def test_a_half_fen_is_rounded_up_and_noted() -> None:
    callback = read("aop", "half-even-rounding/message.json")
    ((_, data),) = events(callback)
    amounts = {name: money and money["amount"] for name, money in data["amounts"].items()}
    assert amounts == {"total": "0.29", "goods": None, "shipping": "12.35", "refunded": "0.13"}
    assert places(callback) == [
        "message.data.baseInfo.totalAmount",
        "message.data.baseInfo.shippingFee",
        "message.data.baseInfo.refund",
    ]


def test_half_a_surrogate_pair_in_a_text_does_not_lose_the_order() -> None:
    callback = read("xport", "one-bad-character-loses-the-event/body.txt")
    ((kind, data),) = events(callback)
    assert (kind, data["order_id"], places(callback)) == ("payment.succeeded", "1", ["body"])
