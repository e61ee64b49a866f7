"""The wire contract: subjects and CloudEvents headers round-trip, and hostile text stays tame."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.bus.codec import decode_event, encode_event
from receiver.bus.headers import decode_header, encode_header
from receiver.bus.message import MSG_ID
from receiver.bus.subjects import Subjects, decode_token, encode_token
from receiver.errors import ConfigurationError, DecodingError
from receiver.event import Event
from receiver.testing import make_event
from schemas.events import EventData, OrderCreated, PaymentSucceeded, UnknownReceived

SUBJECTS = Subjects()
any_text = st.text(st.characters(codec=None), max_size=60)


@given(any_text.filter(bool))
def test_a_key_is_one_token_and_round_trips(text: str) -> None:
    token = encode_token(text)
    assert decode_token(token) == text
    assert token.isascii()
    assert token.isprintable()
    assert not set(token) & set(" .*>")
    assert token != "_"


def test_no_key_is_an_underscore() -> None:
    assert encode_token(None) == encode_token("") == "_"
    assert decode_token("_") is None
    assert encode_token("_") == "%5F"


@given(any_text)
def test_a_header_is_printable_ascii_and_round_trips(text: str) -> None:
    encoded = encode_header(text)
    assert decode_header(encoded) == text
    assert all("\x21" <= c <= "\x7e" and c != '"' for c in encoded)


events = st.builds(
    lambda order_id, order_no, time, more: make_event(
        OrderCreated(channel="1688", order_id=order_id, order_no=order_no),
        time=time,
        traceparent=None,
        **more,
    ),
    st.text(max_size=40).filter(bool) | st.none(),
    st.text(max_size=40) | st.none(),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))])),
    st.fixed_dictionaries(
        {
            "simulated": st.booleans(),
            "trust": st.sampled_from(["body", "headers", "token", "none", "requeried"]),
            "origin": st.sampled_from(["push", "handler", "sweep", "reparse", "replay"]),
            "causation_id": st.text(min_size=1, max_size=20) | st.none(),
            "retransmission_of": st.text(min_size=1, max_size=20) | st.none(),
            "extensions": st.dictionaries(st.sampled_from(["replayof", "mine"]), st.text()),
        }
    ),
)


@given(events)
def test_an_event_round_trips(event: Event[EventData]) -> None:
    message = encode_event(event, SUBJECTS)
    decoded = decode_event(message.headers, message.body)
    assert decoded == event
    assert message.msg_id == event.id
    assert len(message.subject.split(".")) == 6


def test_the_headers_are_those_of_the_contract() -> None:
    event = make_event(OrderCreated(channel="1688", order_id="订单 1"), causation_id="c")
    message = encode_event(event, SUBJECTS)
    assert message.headers["ce-subject"] == "%E8%AE%A2%E5%8D%95%201"
    assert message.headers["ce-type"] == "yizhan.order.created.v1"
    assert message.headers["ce-dataschema"] == "urn:yizhan:schema:order.created:v1"
    assert set(message.headers) == {
        MSG_ID,
        "ce-specversion",
        "ce-id",
        "ce-type",
        "ce-source",
        "ce-subject",
        "ce-time",
        "ce-dataschema",
        "ce-datacontenttype",
        "ce-channel",
        "ce-receivedtime",
        "ce-callbackid",
        "ce-factid",
        "ce-causationid",
        "ce-trust",
        "ce-origin",
    }


def good() -> tuple[dict[str, str], bytes]:
    event = make_event(UnknownReceived(channel="unknown", body={"a": 1}))
    message = encode_event(event, SUBJECTS)
    return dict(message.headers), message.body


WRONG: dict[str, tuple[str, str | None, str]] = {
    "no id": ("ce-id", None, "ce-id is missing"),
    "no version": ("ce-specversion", None, "ce-specversion is missing"),
    "another version": ("ce-specversion", "2.0", "is not 1.0"),
    "no type": ("ce-type", None, "ce-type is missing"),
    "a foreign type": ("ce-type", "com.example.thing", "no event type of ours"),
    "another major": ("ce-type", "yizhan.order.created.v2", "no event type of ours"),
    "no time": ("ce-time", None, "ce-time is missing"),
    "no RFC 3339": ("ce-time", "yesterday", "not an RFC 3339 time"),
    "no offset": ("ce-time", "2026-01-01T00:00:00", "has no offset"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_foreign_message_is_recognized_by_its_header(case: str) -> None:
    name, value, reason = WRONG[case]
    headers, body = good()
    headers.pop(name)
    if value is not None:
        headers[name] = value
    with pytest.raises(DecodingError, match=reason):
        decode_event(headers, body)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"null", b'{"channel":5}'])
def test_a_body_that_does_not_fit_is_told_without_its_content(body: bytes) -> None:
    headers, _ = good()
    with pytest.raises(DecodingError, match="does not fit its type"):
        decode_event(headers, body)


def test_a_foreign_header_that_is_no_utf8_is_read_as_it_can_be() -> None:
    headers, body = good()
    assert decode_event(headers | {"ce-odd": "%FF"}, body).extensions == {"odd": "\ufffd"}


def test_an_overlong_order_id_of_a_handler_is_refused_before_it_breaks_the_connection() -> None:
    with pytest.raises(ConfigurationError, match="at most 128 characters"):
        encode_event(make_event(OrderCreated(channel="1688", order_id="9" * 10_000)), SUBJECTS)


def test_a_word_or_an_attribute_that_was_added_later_refuses_nothing() -> None:
    headers, body = good()
    later = {"ce-trust": "notarised", "ce-origin": "satellite", "ce-mood": "good", "x-other": "1"}
    event = decode_event(headers | later, body)
    assert (event.trust, event.origin) == ("unknown", "unknown")
    assert event.extensions == {"mood": "good"}


def test_an_event_of_an_older_version_has_a_fact_id_all_the_same() -> None:
    made = make_event(PaymentSucceeded(channel="1688", order_id="1"))
    message = encode_event(made, SUBJECTS)
    older = {name: text for name, text in message.headers.items() if name != "ce-factid"}
    assert decode_event(older, message.body).fact_id == made.fact_id


def test_no_headers_at_all_are_no_event() -> None:
    with pytest.raises(DecodingError):
        decode_event(None, b"{}")


def test_a_reader_of_today_takes_tomorrows_words_and_fields() -> None:
    event = make_event(OrderCreated(channel="1688", order_id="1"))
    message = encode_event(event, SUBJECTS)
    body = json.loads(message.body) | {"status": "teleported", "mood": "good", "channel": "douyin"}
    decoded = decode_event(message.headers, json.dumps(body).encode())
    assert isinstance(decoded.data, OrderCreated)
    assert (decoded.data.status, decoded.data.channel) == ("unknown", "unknown")


def test_times_keep_their_offset() -> None:
    china = timezone(timedelta(hours=8))
    event = make_event(OrderCreated(channel="1688", created_at=datetime(2026, 1, 1, tzinfo=china)))
    message = encode_event(event, SUBJECTS)
    assert json.loads(message.body)["created_at"] == "2026-01-01T00:00:00+08:00"
