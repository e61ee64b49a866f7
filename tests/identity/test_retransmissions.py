"""What is marked as a retransmission, for every message of every dialect, the whole way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from receiver.settings import DialectName
from tests.identity.receiving import Receiver

FIXTURES = Path(__file__).parents[1] / "fixtures"
PUSHED_MS = 1_769_835_600_000
HALF_AN_HOUR_MS = 1_800_000
BODY_FIELDS = {"xport": "messageBody", "aop": "data", "global": "data"}


def case(name: str, file: str) -> bytes:
    return (FIXTURES / "cases" / name / file).read_bytes()


@dataclass(frozen=True, slots=True)
class Message:
    """A callback of the fixtures; `outer` is the object that holds the push time."""

    name: str
    dialect: DialectName
    outer: dict[str, Any]
    order_id: str

    def pushed(self, times: int, **changed: Any) -> bytes:
        """The body of its n-th push, the first being 0."""
        at_ms = PUSHED_MS + times * HALF_AN_HOUR_MS
        if self.dialect == "aop":
            message = json.dumps(self.outer | {"gmtBorn": at_ms} | changed)
            return urlencode({"message": message, "_aop_signature": "AB"}).encode()
        stamp = at_ms // 1000 if self.dialect == "global" else str(at_ms)
        return json.dumps(self.outer | {"timestamp": stamp} | changed).encode()

    def of_a_stranger(self) -> Message:
        """The same message about another order, or with other words where it names none."""
        if self.order_id == "_":
            outer = self.outer | {BODY_FIELDS[self.dialect]: {"anything": "else"}}
        else:
            other = self.order_id[:-1] + ("2" if self.order_id[-1] == "1" else "1")
            outer = json.loads(json.dumps(self.outer).replace(self.order_id, other))
            assert outer != self.outer
        if "msgId" in outer:
            outer["msgId"] = int(outer["msgId"]) + 1
        return Message(self.name, self.dialect, outer, self.order_id)


def read_messages() -> list[Message]:
    found = []
    for file in sorted((FIXTURES / "messages").glob("*/*.json")):
        held = json.loads(file.read_text(encoding="utf-8"))
        dialect, body = held["dialect"], held["body"]
        outer = json.loads(parse_qs(body)["message"][0] if dialect == "aop" else body)
        key = held["events"][0]["key"]
        name = f"{dialect}-{file.stem}"
        found.append(Message(name, dialect, outer, key))
        if dialect == "aop":
            without = {key: value for key, value in outer.items() if key != "msgId"}
            found.append(Message(f"{name}-without-id", dialect, without, key))
    return found


@pytest.mark.parametrize("message", read_messages(), ids=lambda message: message.name)
async def test_only_the_same_content_under_another_push_time_is_a_retransmission(
    receiver: Receiver, message: Message
) -> None:
    bodies = (message.pushed(0), message.of_a_stranger().pushed(0), message.pushed(1))
    outcomes = [await receiver.post(message.dialect, body) for body in bodies]
    assert outcomes == ["stored", "stored", "retransmission"]
    marks = await receiver.marks()
    first, stranger, again = marks
    assert (marks[first], marks[stranger], marks[again]) == (None, None, first)


async def test_three_global_pushes_about_three_orders_are_three_facts(receiver: Receiver) -> None:
    name = "global-all-marked-retransmission"
    outcomes = [
        await receiver.post("signed", case(name, f"global-{number}.json")) for number in (1, 2, 3)
    ]
    assert outcomes == ["stored", "stored", "stored"]
    assert list((await receiver.marks()).values()) == [None, None, None]


@pytest.mark.parametrize(
    "message_id", [0, "0", -1, 1.5, "", None, "null", True, [], 10**200], ids=repr
)
async def test_aop_messages_that_share_a_placeholder_for_an_id_are_strangers(
    receiver: Receiver, message_id: object
) -> None:
    topic = "ORDER_BUYER_VIEW_ORDER_PAY"
    for order_id in (1, 2):
        outer = {"msgId": message_id, "type": topic, "data": {"orderId": order_id}}
        await receiver.post("aop", Message("", "aop", outer, "").pushed(0))
    assert list((await receiver.marks()).values()) == [None, None]


@pytest.mark.parametrize("source", ["xport", "aop", "global"])
async def test_what_cannot_be_read_is_never_a_retransmission(
    receiver: Receiver, source: str
) -> None:
    bodies = (b'{"messageType":1e', b"message=1", b'{"timestamp":"1"}', b'{"timestamp":"2"}')
    outcomes = [await receiver.post(source, body) for body in (*bodies, bodies[0])]
    assert outcomes == ["quarantined"] * len(bodies) + ["duplicate"]
    kept = await receiver.stored()
    assert [message.data for message in kept] == list(bodies)


async def test_without_a_push_time_the_third_of_a_b_a_is_a_duplicate(receiver: Receiver) -> None:
    a = case("a-b-a-without-timestamp", "a.json")
    outcomes = [await receiver.post("xport", body) for body in (a, a.replace(b"10000", b"9800"), a)]
    assert outcomes == ["stored", "stored", "duplicate"]
    totals = [
        json.loads(e.data.model_dump_json())["amounts"]["total"] for e in await receiver.events()
    ]
    assert [total["amount"] for total in totals] == ["100.00", "98.00"]


async def test_with_a_push_time_the_third_of_a_b_a_is_stored_and_marked(
    receiver: Receiver,
) -> None:
    outer = json.loads(case("a-b-a-without-timestamp", "a.json"))
    message = Message("", "xport", outer, outer["messageBody"]["orderId"])
    cheaper = outer["messageBody"] | {"totalAmount": 9800}
    bodies = (message.pushed(0), message.pushed(1, messageBody=cheaper), message.pushed(2))
    outcomes = [await receiver.post("xport", body) for body in bodies]
    assert outcomes == ["stored", "stored", "retransmission"]
    first, second, third = await receiver.events()
    assert (second.retransmission_of, third.retransmission_of) == (None, first.callback_id)
    assert len({first.fact_id, second.fact_id, third.fact_id}) == 3
