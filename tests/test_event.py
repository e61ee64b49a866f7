"""An event as a person reads it."""

from __future__ import annotations

from dataclasses import replace

from receiver.testing import make_event
from schemas.events import OrderCreated, UnknownReceived


def test_an_event_prints_its_type_its_order_and_a_short_id() -> None:
    event = make_event(OrderCreated(channel="1688", order_id="27458"), id="0123456789abcdef.0")
    assert str(event) == "order.created of 1688 order 27458 (01234567….0)"
    made = replace(event, id="0123456789abcdef.0.fetch_tracking.1")
    assert str(made).endswith("(01234567….0.fetch_tracking.1)")


def test_an_event_without_order_prints_none() -> None:
    data = UnknownReceived(channel="taobao", message_type="X", body={"name": "somebody"})
    assert str(make_event(data, id="7")) == "unknown.received of taobao (7)"
