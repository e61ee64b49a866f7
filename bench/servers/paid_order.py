"""A callback of a paid order by hand: verified, read, stored as a raw message and a typed event.

What a good developer writes without a framework of events. The same as Yizhan does: the signature
with its time, the JSON of both layers read by pydantic, the same two messages under the same ids,
both acknowledged, one log line. Not done, so that this has less to do than Yizhan: a used signature
is not claimed, a retransmission under another push time is not recognised (so the digest of the
content, the fact id and the delivery id are left out), there is one message type in place of 30
and one spelling of each value, NATS being away is an error, unknown fields are not reported.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal, NamedTuple

from nats.js import JetStreamContext
from nats.js.api import PubAck
from pydantic import BaseModel, ConfigDict, Json
from pydantic.alias_generators import to_camel

from bench.signed import ACCESS_KEY, SECRET

SOURCE = "bench"
_TOLERANCE_S = 600
_CHINA = timezone(timedelta(hours=8))
_STATUSES = {
    "WAITING_FOR_PAYMENT": "awaiting_payment",
    "WAITING_FOR_SENT": "awaiting_shipment",
    "CANCEL": "closed",
}
_log = logging.getLogger(__name__)


class SignatureError(Exception):
    """Not signed by the platform, or not lately."""


class Order(BaseModel):
    """The inner layer: text in the outer one. Amounts are fen, times are China's."""

    model_config = ConfigDict(alias_generator=to_camel)

    order_id: str
    order_no: str | None = None
    order_status: str | None = None
    pay_status: int | None = None
    total_amount: int | None = None
    shipping_fee: int | None = None
    product_amount: int | None = None
    refund_amount: int | None = None
    pay_time: datetime | None = None


class Push(BaseModel):
    """The outer layer."""

    model_config = ConfigDict(alias_generator=to_camel)

    message_type: Literal["ORDER_PAY_SUCCESS"]
    message_body: Json[Order]
    timestamp: str


class Money(BaseModel):
    """Decimal text of yuan."""

    amount: str
    currency: str = "CNY"


class Amounts(BaseModel):
    """The sums of the order."""

    total: Money | None
    goods: Money | None
    shipping: Money | None
    refunded: Money | None


class PaymentSucceeded(BaseModel):
    """The typed event."""

    channel: str = "1688"
    order_id: str
    order_no: str | None
    buyer_id: str | None = None
    seller_id: str | None = None
    status: str
    platform_status: str | None
    amounts: Amounts
    platform_pay_status: str | None
    paid_at: datetime | None


class Message(NamedTuple):
    """What is published."""

    subject: str
    headers: dict[str, str]
    body: bytes


async def take(
    jetstream: JetStreamContext, headers: Mapping[str, str], body: bytes, *, root: str
) -> PubAck:
    """Store a callback below the subject `root`; gives the acknowledgement of the raw message.

    Raises `SignatureError`, `pydantic.ValidationError` for what cannot be read, and the errors of
    nats-py where it is not stored.
    """
    began = time.perf_counter()
    now = datetime.now(UTC)
    verify(headers, now)
    messages = messages_of(body, now, root)
    raw, event = await asyncio.gather(
        *(jetstream.publish(each.subject, each.body, headers=each.headers) for each in messages)
    )
    _log.info(
        "callback_stored source=%s callback_id=%s stream_seq=%d event_seq=%d duration_ms=%.2f",
        SOURCE,
        messages[0].headers["Nats-Msg-Id"],
        raw.seq,
        event.seq,
        (time.perf_counter() - began) * 1000,
    )
    return raw


def verify(headers: Mapping[str, str], now: datetime) -> None:
    """Raise `SignatureError` unless the headers are signed, within ten minutes of `now`."""
    key, stamp = headers.get("access-key", ""), headers.get("timestamp", "")
    text = f"{key}{stamp}{headers.get('nonce-str', '')}{SECRET}"
    signed = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()
    given = headers.get("signature", "").upper()
    if not (_same(key, ACCESS_KEY) and _same(given, signed)):
        raise SignatureError("bad signature")
    if len(stamp) not in {10, 13} or not stamp.isdigit():
        raise SignatureError("bad timestamp")
    if abs(now.timestamp() - _seconds(stamp)) > _TOLERANCE_S:
        raise SignatureError("stale timestamp")


def messages_of(body: bytes, now: datetime, root: str) -> tuple[Message, Message]:
    """The raw message and the event of a callback that came `now`."""
    push = Push.model_validate_json(body)
    order = push.message_body
    identity = hashlib.sha256(SOURCE.encode() + b"\n" + body).hexdigest()[:32]
    received = now.isoformat()
    paid_at = order.pay_time.replace(tzinfo=_CHINA) if order.pay_time else None
    time = paid_at or datetime.fromtimestamp(_seconds(push.timestamp), UTC)
    raw = {
        "Nats-Msg-Id": identity,
        "yizhan-callbackid": identity,
        "yizhan-receivedtime": received,
        "yizhan-dialect": "xport",
        "yizhan-trust": "headers",
        "yizhan-secretindex": "0",
        "yizhan-messagetype": push.message_type,
        "content-type": "application/json",
    }
    event = {
        "Nats-Msg-Id": f"{identity}.0",
        "ce-specversion": "1.0",
        "ce-id": f"{identity}.0",
        "ce-type": "yizhan.payment.succeeded.v1",
        "ce-source": f"/sources/{SOURCE}",
        "ce-time": time.isoformat(),
        "ce-dataschema": "urn:yizhan:schema:payment.succeeded:v1",
        "ce-datacontenttype": "application/json",
        "ce-channel": "1688",
        "ce-receivedtime": received,
        "ce-callbackid": identity,
        "ce-trust": "headers",
        "ce-origin": "push",
        "ce-subject": order.order_id,
    }
    data = _paid(order, paid_at).model_dump_json().encode()
    return (
        Message(f"{root}.callbacks.{SOURCE}", raw, body),
        Message(f"{root}.events.1688.payment.succeeded.{order.order_id}", event, data),
    )


def _paid(order: Order, paid_at: datetime | None) -> PaymentSucceeded:
    return PaymentSucceeded(
        order_id=order.order_id,
        order_no=order.order_no,
        status=_STATUSES.get(order.order_status or "", "unknown"),
        platform_status=order.order_status,
        amounts=Amounts(
            total=_money(order.total_amount),
            goods=_money(order.product_amount),
            shipping=_money(order.shipping_fee),
            refunded=_money(order.refund_amount),
        ),
        platform_pay_status=None if order.pay_status is None else str(order.pay_status),
        paid_at=paid_at,
    )


def _money(fen: int | None) -> Money | None:
    return None if fen is None else Money(amount=f"{fen // 100}.{fen % 100:02}")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _seconds(stamp: str) -> float:
    """Of epoch milliseconds, or seconds."""
    return int(stamp) / (1000 if len(stamp) == 13 else 1)
