"""Sending a test callback, which leads to the page where its life is followed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final

from receiver.bus.read.filters import Filters
from receiver.console.desk import Desk
from receiver.console.rendering import query, segment
from receiver.console.screen import Act, Asked, Done, GoneError, Screen
from receiver.operations.look.documents import header
from receiver.operations.trying import (
    CallbackSender,
    KnownMessage,
    TrialSource,
    UnreachableError,
    chosen_source,
    new_order_id,
    send_test,
)

_SOURCE: Final = "source"
_TYPE: Final = "type"
_ORDER: Final = "order"
_PATH: Final = "/test-callback"
_NO_SENDER: Final = (
    "Test callbacks go to sources that are marked simulated = true, of a receiver on this machine: "
    "the settings of this console name none. `yizhan up --simulate` adds two."
)


@dataclass(frozen=True, slots=True)
class TrialView:
    """The form: `sources` by name, one of them chosen, whose `messages` can be sent, one of them
    chosen as `type`, about the order of an id that may be any.
    """

    title: str
    command: str
    sources: tuple[str, ...]
    source: str
    dialect: str
    messages: tuple[KnownMessage, ...]
    type: str
    order_id: str


async def read(desk: Desk, asked: Asked) -> TrialView:
    """The form, filled by the query: `source`, `type`, `order`; raises `GoneError` where there is
    nothing to send to.
    """
    sender = _sender(desk)
    chosen = asked.others.get(_SOURCE, sender.sources[0].name)
    source = chosen_source(sender, chosen)
    return view(asked, sender, source)


def view(asked: Asked, sender: CallbackSender, source: TrialSource) -> TrialView:
    """The page of what can be sent to a source."""
    chosen = asked.others.get(_TYPE, source.messages[0].name)
    order_id = asked.others.get(_ORDER) or new_order_id()
    words = ["yizhan", "send", chosen, "--source", source.name, "--order", order_id]
    return TrialView(
        title="Send a test callback",
        command=shlex.join(words),
        sources=tuple(one.name for one in sender.sources),
        source=source.name,
        dialect=source.dialect,
        messages=source.messages,
        type=chosen,
        order_id=order_id,
    )


async def send(desk: Desk, asked: Asked) -> Done:
    """Push it; leads to the page where its life is, and back to the form where the receiver did
    not take it.
    """
    given = {name: asked.others.get(name, "") for name in (_SOURCE, _TYPE, _ORDER)}
    source, message_type, order_id = given.values()
    sender, trail = _sender(desk), desk.trail(asked.viewer.name)
    try:
        answer = await send_test(sender, source, message_type, order_id, trail, desk.archive)
    except UnreachableError as error:
        return Done(_PATH + query(given), f"Not sent: {error}")
    if not answer.is_taken or answer.callback_id is None:
        said = answer.text or "and nothing more"
        return Done(_PATH + query(given), f"The receiver answered {answer.status}: {said}")
    page = await _page_of(desk, answer.callback_id)
    return Done(page, f"Sent: the receiver answered {answer.status}, {answer.outcome}.")


async def _page_of(desk: Desk, callback_id: str) -> str:
    """Where its life is: the page of the order, else of the event, else of the callback."""
    raw = await desk.archive.remembered_callback(callback_id, Filters())
    events = [] if raw is None else await desk.archive.events_of_callback(raw)
    for event in events:
        if order_id := header(event.headers, "ce-subject"):
            return f"/orders/{segment(order_id)}"
    return f"/events/{events[0].stream_seq}" if events else f"/callbacks/{segment(callback_id)}"


def _sender(desk: Desk) -> CallbackSender:
    if desk.sender is None or not desk.sender.sources:
        raise GoneError(_NO_SENDER)
    return desk.sender


SCREEN: Final = Screen(
    name="test-callback",
    path=_PATH,
    template="test_callback.html",
    read=read,
    others=(_SOURCE, _TYPE, _ORDER),
    act=Act(send),
)
