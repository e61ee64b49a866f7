"""What a parsed callback says beside its events: the content, the ids, the push time, the notes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from receiver.bus.callback_codec import encode_callback
from receiver.bus.subjects import Subjects, decode_token
from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.dialects.verification import verify
from receiver.settings import DialectName, SourceSettings

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
PUSHED = datetime(2026, 1, 31, 5, 0, 0, tzinfo=UTC)
MILLISECONDS = int(PUSHED.timestamp()) * 1000


def verified(dialect: DialectName, body: bytes) -> VerifiedRequest:
    source = SourceSettings(name="s", dialect=dialect, verification="none")
    return VerifiedRequest(InboundRequest(source, (), body, NOW), Proof("none"))


def parse(dialect: DialectName, body: bytes) -> Callback:
    callback = DIALECTS[dialect].parse(verified(dialect, body))
    assert isinstance(callback, Callback)
    return callback


def came_as(dialect: DialectName, body: bytes) -> str:
    """The id of a callback."""
    request = verified(dialect, body).request
    return verify(DIALECTS[dialect], request, NOW).callback_id


def xport(body: Any, **outer: Any) -> bytes:
    said = {"messageType": "ORDER_CREATE", "messageBody": body, "messagePlatform": 1}
    return json.dumps(said | outer).encode()


def aop(**outer: Any) -> bytes:
    said = {"msgId": 7, "type": "ORDER_BUYER_VIEW_BUYER_MAKE", "data": {"orderId": 1}} | outer
    return urlencode({"message": json.dumps(said), "_aop_signature": "0"}).encode()


def pushed(**outer: Any) -> bytes:
    said = {"message_type": 3, "data": {"purchase_id": 1, "status": "x"}, "seller_id": 1}
    return json.dumps(said | outer).encode()


BODIES = [{"orderId": "1", "orderNo": "2"}, '{"orderId":"1"}', None, [1], 5, "text"]


@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_the_content_is_the_body_without_the_push_time(body: Any) -> None:
    first = parse("xport", xport(body, messageType="NEW", timestamp="1769835600123"))
    again = parse("xport", xport(body, messageType="NEW", timestamp="1769837400456"))
    never = parse("xport", xport(body, messageType="NEW"))
    assert first.content_digest == again.content_digest == never.content_digest


def test_the_content_does_not_hang_on_the_order_or_the_spacing_of_keys() -> None:
    body = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"1","orderNo":"2"}}'
    other = b'{ "messageBody": {"orderNo":"2", "orderId":"1"}, "messageType": "ORDER_CREATE"}'
    assert parse("xport", body).content == parse("xport", other).content


def test_the_content_is_the_same_in_every_process_and_version() -> None:
    callback = parse("xport", xport({"orderId": "单"}, timestamp="1769835600123"))
    assert callback.content == (
        b'{"messageBody":{"orderId":"\\u5355"},"messagePlatform":1,"messageType":"ORDER_CREATE"}'
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"messageType": "ORDER_CANCEL"},
        {"messagePlatform": "1"},
        {"messageBody": {"orderId": "1", "orderNo": "3"}},
        {"messageBody": '{"orderId": "1", "orderNo": "2"}'},
        {"more": None},
    ],
    ids=repr,
)
def test_another_content_is_another_digest(changed: dict[str, Any]) -> None:
    first = parse("xport", xport(BODIES[0]))
    second = parse("xport", xport(BODIES[0], **changed))
    assert first.content_digest != second.content_digest


@pytest.mark.parametrize("message_id", [1234567890123456789, "1234567890123456789"], ids=repr)
def test_an_aop_message_is_known_by_its_own_id(message_id: Any) -> None:
    callback = parse("aop", aop(msgId=message_id))
    assert callback.message_id == "1234567890123456789"
    other = parse("aop", aop(msgId=message_id, data={"orderId": 2}))
    assert callback.content_digest == other.content_digest


@pytest.mark.parametrize(
    "message_id", [None, "", " ", 0, "0", "000", -1, 1.5, "null", True, [], {}], ids=repr
)
def test_an_aop_message_without_a_usable_id_is_known_by_what_it_says(message_id: Any) -> None:
    first, again, other = (
        parse("aop", aop(msgId=message_id, gmtBorn=MILLISECONDS + n, data={"orderId": order}))
        for n, order in ((0, 1), (1, 1), (2, 2))
    )
    assert first.message_id is None
    assert first.content_digest == again.content_digest != other.content_digest


def test_a_global_push_is_known_by_what_it_says() -> None:
    first = parse("global", pushed(timestamp=MILLISECONDS // 1000, site="taobao_hk"))
    again = parse("global", pushed(timestamp=MILLISECONDS, site="taobao_hk"))
    others = (
        parse("global", pushed(**changed))
        for changed in (
            {},
            {"site": "taobao_tw"},
            {"site": "taobao_hk", "seller_id": 2},
            {"site": "taobao_hk", "message_type": 8},
            {"site": "taobao_hk", "data": {"purchase_id": 2, "status": "x"}},
        )
    )
    assert first.content_digest == again.content_digest
    assert first.content_digest not in {other.content_digest for other in others}


def test_the_parameters_of_an_aop_form_are_one_callback_in_any_order_and_under_any_signature() -> (
    None
):
    bodies = (
        b"message=%7B%7D&a=1&_aop_signature=AA",
        b"a=1&_aop_signature=BB&message=%7b%7d",
        b"a=%31&message=%7B%7D",
    )
    other = b"message=%7B%7D&a=2&_aop_signature=AA"
    ids = {came_as("aop", body) for body in bodies}
    assert len(ids) == 1
    assert came_as("aop", other) not in ids


def test_a_callback_in_any_other_dialect_is_its_bytes() -> None:
    assert came_as("xport", b'{"a":1}') != came_as("xport", b'{"a": 1}')
    assert came_as("aop", b"no form at all") != came_as("aop", b"no form at all!")


def test_an_aop_message_without_a_readable_id_is_told_still() -> None:
    callback = parse("aop", aop(msgId=1.5))
    assert callback.message_id is None
    assert [fault.place for fault in callback.faults] == ["message.msgId"]
    assert callback.events[0].data.order_id == "1"


@pytest.mark.parametrize("stamp", [MILLISECONDS, str(MILLISECONDS)], ids=repr)
def test_the_push_time_is_read_in_either_unit(stamp: int | str) -> None:
    seconds = int(stamp) // 1000
    assert parse("xport", xport(BODIES[0], timestamp=stamp)).pushed_at == PUSHED
    assert parse("aop", aop(gmtBorn=stamp)).pushed_at == PUSHED
    assert parse("global", pushed(timestamp=stamp)).pushed_at == PUSHED
    assert parse("global", pushed(timestamp=seconds)).pushed_at == PUSHED
    assert parse("xport", xport(BODIES[0], timestamp=seconds)).pushed_at == PUSHED


@pytest.mark.parametrize("stamp", ["soon", 1.5, -1, 10**30, [], True], ids=repr)
def test_a_push_time_that_is_none_is_noted_and_the_event_made(stamp: Any) -> None:
    for callback, place in (
        (parse("xport", xport(BODIES[0], timestamp=stamp)), "body.timestamp"),
        (parse("aop", aop(gmtBorn=stamp)), "message.gmtBorn"),
        (parse("global", pushed(timestamp=stamp)), "body.timestamp"),
    ):
        assert callback.pushed_at is None
        assert [fault.place for fault in callback.faults] == [place]
        assert callback.events[0].data.order_id == "1"


def test_new_fields_of_the_envelope_and_of_the_message_are_noted() -> None:
    callback = parse("xport", xport({"orderId": "1", "new": 1}, alsoNew={}))
    assert set(callback.unknown_fields) == {"new", "alsoNew"}
    assert set(parse("aop", aop(new=1)).unknown_fields) == {"new"}
    assert set(parse("global", pushed(new=1)).unknown_fields) == {"new"}


ODD_IDS = [
    "a.b", "*", ">", "a b", "\x00", "\x1b", "\r\n.", "_", "%5F", "订单", "\U0001f600", "a" * 128
]  # fmt: skip


@pytest.mark.parametrize("order_id", ODD_IDS, ids=ascii)
def test_an_odd_order_id_is_one_token_of_the_subject_and_survives(order_id: str) -> None:
    request = verified("xport", xport({"orderId": order_id}))
    callback = parse("xport", request.request.body)
    _, message = encode_callback(request, callback, Subjects())
    tokens = message.subject.split(".")
    kept = order_id.strip()
    assert tokens[:-1] == ["yizhan", "events", "1688", "order", "created"]
    assert decode_token(tokens[-1]) == kept
    assert not set(tokens[-1]) & set("*> \r\n\x00")
    assert json.loads(message.body)["order_id"] == kept
