"""Whether what comes again was provoked by our own answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import OnResult, Stored
from receiver.bus.subjects import Subjects
from receiver.callback import InboundRequest
from receiver.dialects import DIALECTS
from receiver.errors import BusError
from receiver.ingest.intake import Intake
from receiver.ingest.late_answers import LateAnswers
from receiver.ingest.peers import StoredCallbackBroadcast
from receiver.ingest.retransmissions import Retransmissions
from receiver.ingest.storing import Receipt
from receiver.ingest.tries import TryCounts
from receiver.observability.counters import DeliveryCounts
from receiver.resilience.cancellation import cancel_all
from receiver.settings import SourceSettings
from receiver.testing import eventually

SOURCE = SourceSettings(name="shop", dialect="xport", verification="none")


class Log:
    """Stores what it is given, unless it is `away`."""

    def __init__(self) -> None:
        self.away = False
        self.ids: set[str] = set()

    def submit(
        self,
        messages: Sequence[OutgoingMessage],
        claim: OutgoingMessage | None,
        on_result: OnResult,
    ) -> None:
        if self.away:
            on_result(BusError("NATS is away"))
            return
        known = [message.msg_id in self.ids for message in messages]
        self.ids.update(message.msg_id for message in messages)
        on_result([Stored(1, duplicate) for duplicate in known])

    def used_by(self, claim: OutgoingMessage) -> bytes | None:
        return None


class Door:
    """A receiver with a memory of its late answers."""

    def __init__(self) -> None:
        self.log, self.counts = Log(), DeliveryCounts()
        self.late = LateAnswers(TryCounts(self.counts, DIALECTS).tried)
        self.announced: list[tuple[str, str]] = []
        self.late.announce = lambda *content: self.announced.append(content)
        self.intake = Intake(self.log, Subjects(), DIALECTS, late=self.late)

    def push(self, order: str, *, again: str = "", took_s: float = 0) -> Receipt | None:
        """What a delivery is answered; None where that is not 200."""
        body = json.dumps({"orderId": order, "orderStatus": "WAITING_FOR_SENT", "totalAmount": 1})
        content = {"messageType": "ORDER_PAY_SUCCESS", "messagePlatform": 1, "messageBody": body}
        sent = json.dumps(content | ({"timestamp": again} if again else {}))
        received = datetime.now(UTC) - timedelta(seconds=took_s)
        results: list[object] = []
        self.intake.accept(InboundRequest(SOURCE, (), sent.encode(), received), results.append)
        (result,) = results
        return result if isinstance(result, Receipt) else None


def test_what_follows_a_late_answer_or_none_was_provoked() -> None:
    door = Door()
    in_time, again = door.push("1"), door.push("1")
    late, after_late = door.push("2", took_s=2), door.push("2", again="1769835600123")
    door.log.away = True
    refused = door.push("3")
    door.log.away = False
    after_refused, third = door.push("3"), door.push("3")

    assert in_time is not None
    assert again is not None
    assert (in_time.provoked, again.outcome, again.provoked) == (False, "duplicate", False)
    assert late is not None
    assert after_late is not None
    assert (late.provoked, after_late.provoked) == (False, True)
    assert refused is None
    assert after_refused is not None
    assert third is not None
    assert (after_refused.outcome, after_refused.provoked) == ("stored", True)
    assert (third.outcome, third.provoked) == ("duplicate", True)
    assert [source for source, _ in door.announced] == ["shop"] * 2


def test_each_callback_is_judged_at_its_first_try_and_its_retries_by_the_time_since() -> None:
    door = Door()
    door.push("1")
    door.push("1")
    door.push("2", took_s=2)
    door.log.away = True
    for hours in (2.5, 2, 1.5, 1, 0.5):
        door.push("3", took_s=hours * 3600)
    door.log.away = False
    door.push("3")

    counted = door.counts.figures().counters
    assert counted == {
        ("yizhan_first_try", "shop", "good"): 1,
        ("yizhan_first_try", "shop", "late"): 1,
        ("yizhan_first_try", "shop", "failed"): 1,
        ("yizhan_retries", "shop", "other"): 1,
        **{("yizhan_retries", "shop", str(nth)): 1 for nth in range(1, 6)},
        ("yizhan_last_tries", "shop", "failed"): 1,
        ("yizhan_last_tries", "shop", "good"): 1,
    }


def test_a_callback_is_counted_after_it_is_remembered_and_announced() -> None:
    log, done = Log(), list[str]()
    late = LateAnswers(lambda *_: done.append("counted"))
    remembered = Retransmissions(timedelta(hours=1))

    def announce(*_: object) -> None:
        done.append(f"announced, {len(remembered)} remembered")

    intake = Intake(
        log, Subjects(), DIALECTS, retransmissions=remembered, announce=announce, late=late
    )
    body = json.dumps({"orderId": "1", "orderStatus": "WAITING_FOR_SENT", "totalAmount": 1})
    content = {"messageType": "ORDER_PAY_SUCCESS", "messagePlatform": 1, "messageBody": body}
    request = InboundRequest(SOURCE, (), json.dumps(content).encode(), datetime.now(UTC))
    intake.accept(request, lambda _: done.append("answered"))
    assert done == ["answered", "announced, 1 remembered", "counted"]


def test_another_receiver_knows_of_it() -> None:
    one, other = Door(), Door()
    one.late.announce = other.late.remember
    one.push("1", took_s=2)
    receipt = other.push("1")
    assert receipt is not None
    assert receipt.provoked


async def test_receivers_broadcast_their_late_answers(
    connection: Connection, subjects: Subjects
) -> None:
    known: list[tuple[str, str]] = []
    one, other = (
        StoredCallbackBroadcast(
            connection, subjects, lambda *_: None, lambda *content: known.append(content)
        )
        for _ in range(2)
    )
    tasks = [asyncio.create_task(each.run()) for each in (one, other)]

    async def heard() -> bool:
        one.announce_late("shop", "content")
        return bool(known)

    await eventually(heard, within_s=60)
    await cancel_all(set(tasks))
    assert set(known) == {("shop", "content")}
