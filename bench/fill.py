"""Fills the stream with callbacks and events as the receiver stores them, but in bulk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

from bench.broker import Broker
from receiver.bus.headers import CONTENT
from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.callback import callback_id
from receiver.composition.bus import opened_bus
from receiver.settings import NatsSettings, ReceiverSettings, Settings

_AT_ONCE = 400
_BODY = (
    '{"messageType":"ORDER_PAY_SUCCESS","messagePlatform":1,"messageBody":"{\\"orderId\\":\\"%d\\",'
    '\\"orderStatus\\":\\"WAITING_FOR_SENT\\",\\"totalAmount\\":1200,\\"payTime\\":'
    '\\"2026-01-31 08:00:00\\"}"}'
)
_DATA = (
    '{"channel":"1688","order_id":"%d","order_no":null,"amounts":{"total":{"amount":"12.00",'
    '"currency":"CNY"},"goods":null,"shipping":null,"refunded":null},'
    '"paid_at":"2026-01-31T08:00:00+08:00"}'
)
_FIRST_ORDER = 1_000_000_000_000_000_000


async def fill(broker: Broker, events: int) -> None:
    """Store callbacks, each with its event, until there are `events` events."""
    settings = Settings(
        nats=NatsSettings(url=broker.url), receiver=ReceiverSettings(publish_timeout_s=30)
    )
    async with opened_bus(settings, name="bench-fill") as bus:
        have = await broker.messages(bus.connection.stream) // 2
        numbers = range(have, events)
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            halves = (some[: len(some) // 2], some[len(some) // 2 :])
            await asyncio.gather(
                *(bus.publisher.publish([*_messages(half)]) for half in halves if len(half))
            )


def _messages(numbers: range) -> Iterator[OutgoingMessage]:
    now = datetime.now(UTC).isoformat()
    for number in numbers:
        order = _FIRST_ORDER + number
        body = (_BODY % order).encode()
        identity = callback_id("filled", body)
        yield OutgoingMessage.of("yizhan.callbacks.filled", _raw_headers(identity, now), body)
        yield OutgoingMessage.of(
            f"yizhan.events.1688.payment.succeeded.{order}",
            _event_headers(identity, order, now),
            (_DATA % order).encode(),
        )


def _raw_headers(identity: str, now: str) -> dict[str, str]:
    return {
        MSG_ID: identity,
        "yizhan-callbackid": identity,
        "yizhan-receivedtime": now,
        "yizhan-dialect": "xport",
        "yizhan-trust": "headers",
        "yizhan-messagetype": "ORDER_PAY_SUCCESS",
        CONTENT: identity,
    }


def _event_headers(identity: str, order: int, now: str) -> dict[str, str]:
    return {
        MSG_ID: f"{identity}.0",
        "ce-specversion": "1.0",
        "ce-id": f"{identity}.0",
        "ce-type": "yizhan.payment.succeeded.v1",
        "ce-source": "/sources/filled",
        "ce-time": now,
        "ce-dataschema": "urn:yizhan:schema:payment.succeeded:v1",
        "ce-datacontenttype": "application/json",
        "ce-channel": "1688",
        "ce-receivedtime": now,
        "ce-callbackid": identity,
        "ce-factid": identity,
        "ce-trust": "headers",
        "ce-origin": "push",
        "ce-subject": str(order),
    }
