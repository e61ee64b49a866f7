"""Which message a body is, and so which events it makes. Pure functions."""

from __future__ import annotations

from typing import Final

from receiver.callback import EventDraft
from receiver.messages import alibaba, taobao
from receiver.messages.reading import Message, exact_json, readable_id
from schemas.events import UnknownReceived

_ID_FIELDS: Final = ("orderId", "salesOrderId", "purchase_id", "purchaseOrderId")


def events_of(message: Message) -> list[EventDraft]:
    """The events of a message of either channel, by its name or by its body.

    Raises `MalformedCallbackError` where the message is known and its identity is not readable.
    """
    kind = None if message.channel == "1688" else taobao.kind_of(message)
    if kind and (message.channel == "taobao" or taobao.looks_like_taobao(message.body)):
        message.channel = "taobao"
        message.take_lone_object()
        return taobao.read_message(message, kind)
    reader = alibaba.TOPICS.get(message.message_type or "")
    if reader is None:
        return [unknown(message)]
    message.take_lone_object()
    if message.channel == "unknown":
        message.channel = "1688"  # the name is one of the 1688 topics
    return reader(message)


def unknown(message: Message) -> EventDraft:
    """The event of a message in no table, under its order's id where it has one."""
    order_id = None
    if isinstance(message.body, dict):
        ids = (readable_id(message.body.get(name)) for name in _ID_FIELDS)
        order_id = next(filter(None, ids), None)
    return EventDraft(
        UnknownReceived(
            channel=message.channel,
            order_id=order_id,
            message_type=message.message_type,
            body=exact_json(message.body),
        )
    )
