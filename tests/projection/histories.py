"""Histories of one order, drawn by hypothesis; `bench/histories.py` draws more of them.

The platform's messages are the sample bodies of `tests/fixtures/messages`, their times and amounts
drawn anew and read by the real dialects. Beside them stand the snapshots that handlers make.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus, unquote_plus

from hypothesis import strategies as st

from receiver.bus.callback_codec import Marks, encode_callback
from receiver.bus.codec import decode_event
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.event import Event
from receiver.facts import own_fact_id
from receiver.projection.orders import fold
from receiver.projection.state import OrderState, empty
from receiver.settings import SourceSettings
from schemas.events import AftersalesSynced, Channel, EventData, OrderSynced
from schemas.parts import Amounts
from schemas.statuses import OrderStatus, RefundStatus
from schemas.values import Money

START: Final = datetime(2026, 1, 31, 4, tzinfo=UTC)
_FOLDER: Final = Path(__file__).parents[1] / "fixtures" / "messages"
_CHINA: Final = timedelta(hours=8)
_CLOCK: Final = re.compile(r"20\d\d-\d\d-\d\d +\d\d:\d\d:\d\d")
_COMPACT: Final = re.compile(r"20\d{12}000(?=\+0800)")
_SAID: Final = re.compile(r"((?:business_time|actionTime)\W+)17698\d{5}")
_PUSHED: Final = re.compile(r"((?:timestamp|gmtBorn)\W+)17698\d{5}")
_FEN: Final = re.compile(r"(?<=Amount.{4})128(?=00\D)|(?<=TotalFee.{3})35(?=00\D)")
_SUBJECTS: Final = Subjects()
_ORDERS: Final = {
    "1688": "2745812000123456789",
    "taobao": "3456789012345678901",
    "global": "5556667778889990001",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: the dialect that reads it, and the body's text."""

    dialect: Any
    text: str

    def at(self, minute: int, *, pushed: int, yuan: int) -> bytes:
        """The body with its own times at a minute, pushed at another, with another total."""
        said, push = START + timedelta(minutes=minute), START + timedelta(minutes=pushed, seconds=7)
        text = unquote_plus(self.text) if self.dialect == "aop" else self.text
        text = _CLOCK.sub((said + _CHINA).strftime("%Y-%m-%d %H:%M:%S"), text)
        text = _COMPACT.sub((said + _CHINA).strftime("%Y%m%d%H%M%S000"), text)
        text = _FEN.sub(str(yuan), text)
        text = _SAID.sub(rf"\g<1>{int(said.timestamp())}", text)
        text = _PUSHED.sub(rf"\g<1>{int(push.timestamp())}", text)
        if self.dialect == "aop":  # a message id of its own for each
            text = text.replace("1234567890123456789", f"12345678{minute:05}{pushed:05}")
            head, _, rest = text.partition("=")
            message, _, signature = rest.rpartition("&")
            text = f"{head}={quote_plus(message)}&{signature}"
        return text.encode()


def _samples() -> dict[str, list[Sample]]:
    """The samples that make an event of one of `_ORDERS`, by order."""
    found: dict[str, list[Sample]] = {order: [] for order in _ORDERS.values()}
    for file in sorted(_FOLDER.glob("*/*.json")):
        fixture = json.loads(file.read_text(encoding="utf-8"))
        for order in {event["key"] for event in fixture["events"]} & found.keys():
            found[order].append(Sample(fixture["dialect"], fixture["body"]))
    return found


SAMPLES: Final = _samples()


_SOURCES: Final = {
    dialect: SourceSettings(name="s", dialect=dialect, verification="none") for dialect in DIALECTS
}


def read(
    dialect: Any, body: bytes, received: datetime, first: str | None
) -> list[Event[EventData]]:
    """The events as the receiver stores them; `first` is what this retransmits."""
    request = InboundRequest(_SOURCES[dialect], (), body, received)
    verified = VerifiedRequest(request, Proof("none"))
    callback = DIALECTS[dialect].parse(verified)
    assert isinstance(callback, Callback)
    marks = Marks(retransmission_of=first)
    _, *messages = encode_callback(verified, callback, _SUBJECTS, marks)
    return [decode_event(message.headers, message.body) for message in messages]


@st.composite
def pushes(draw: st.DrawFn, order_id: str, samples: Sequence[Sample]) -> list[Event[EventData]]:
    """The events of one of the samples, and often those of its retransmission."""
    sample = draw(st.sampled_from(samples))
    minute = draw(st.integers(0, 300))
    pushed = minute + draw(st.integers(0, 90))
    yuan = draw(st.integers(10, 12))
    body = sample.at(minute, pushed=pushed, yuan=yuan)
    events = read(sample.dialect, body, START + timedelta(minutes=pushed, seconds=8), None)
    if draw(st.booleans()):
        later = pushed + draw(st.integers(1, 170))
        again = sample.at(minute, pushed=later, yuan=yuan)
        if sample.dialect == "aop":  # the same message under the same id
            again = again.replace(
                f"{minute:05}{later:05}".encode(), f"{minute:05}{pushed:05}".encode()
            )
        if again != body:  # else the receiver stores it once
            received = START + timedelta(minutes=later, seconds=8)
            events += read(sample.dialect, again, received, events[0].callback_id)
    return [event for event in events if event.order_id == order_id]


@st.composite
def snapshots(draw: st.DrawFn, channel: Channel, order_id: str) -> list[Event[EventData]]:
    """What `order_sync` and `aftersales_sync` publish."""
    time = START + timedelta(minutes=draw(st.integers(0, 500)), seconds=draw(st.integers(0, 59)))
    yuan = Money.yuan(Decimal(draw(st.integers(10, 12))))
    data: EventData
    if draw(st.booleans()):
        data = OrderSynced(
            channel=channel,
            order_id=order_id,
            status=draw(st.sampled_from(OrderStatus)),
            amounts=Amounts(total=yuan),
            paid_at=draw(st.none() | st.just(START)),
        )
    else:
        data = AftersalesSynced(
            channel=channel,
            order_id=order_id,
            refund_id=draw(st.sampled_from(("TQ123456789012345678", "987654321"))),
            status=draw(st.sampled_from(RefundStatus)),
            amount=yuan,
        )
    number = draw(st.integers(0, 10**6))
    made = Event(
        id=f"{number:032}.0.sync.0",
        source="s",
        time=time,
        received_at=START,
        data=data,
        callback_id=f"{number:032}",
        trust="requeried",
        origin="handler",
    )
    return [made]


@st.composite
def histories(draw: st.DrawFn) -> list[Event[EventData]]:
    """The events of one order of either channel, in some order, each once."""
    order_id = draw(st.sampled_from(sorted(_ORDERS.values())))
    channel: Channel = "1688" if order_id == _ORDERS["1688"] else "taobao"
    some = st.lists(st.sampled_from(SAMPLES[order_id]), min_size=1, max_size=3)
    pushed = pushes(order_id, draw(some))  # few kinds, so that there are several of one
    part = st.one_of(pushed, pushed, pushed, snapshots(channel, order_id))
    parts = draw(st.lists(part, min_size=2, max_size=8))
    by_id: dict[str, Event[EventData]] = {}
    for event in (event for part in parts for event in part):
        by_id.setdefault(event.id, event)
    return list(by_id.values())


@st.composite
def shuffled(draw: st.DrawFn, history: Sequence[Event[EventData]]) -> list[Event[EventData]]:
    """The same events in another order, some of them more than once."""
    again = draw(st.lists(st.sampled_from(list(history)), max_size=4)) if history else []
    return draw(st.permutations([*history, *again]))


def folded(events: Sequence[Event[EventData]]) -> OrderState:
    """The state of an order's events, as they come in."""
    state = empty("1688", "-")
    for seq, event in enumerate(events, start=1):
        state, _ = fold(state, event, seq)
    return state


def effects(events: Sequence[Event[EventData]]) -> list[str]:
    """The fact ids that a handler acts on which leaves duplicates alone, sorted; of those facts
    that a retransmission repeats."""
    state, found = empty("1688", "-"), list[str]()
    for seq, event in enumerate(events, start=1):
        state, arrival = fold(state, event, seq)
        if arrival != "duplicate" and event.fact_id != own_fact_id(event.data, event.id):
            found.append(event.fact_id)
    return sorted(found)


def check(history: Sequence[Event[EventData]], other: Sequence[Event[EventData]]) -> None:
    """That a history without its retransmissions and `other`, the same with them in another order,
    end in one state, and in one set of effects."""
    originals = [event for event in history if event.retransmission_of is None]
    one, two = folded(originals), folded(other)
    assert one.content() == two.content()
    assert OrderState.from_json(two.to_json()) == two
    assert effects(originals) == effects(other) == sorted({*effects(other)})
