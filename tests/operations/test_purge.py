"""Deleting what filters select, on a real stream with real workers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.message import OutgoingMessage
from receiver.bus.read.filters import Filters
from receiver.bus.read.selection import StreamSelection
from receiver.bus.state.keys import effect_key, order_key
from receiver.bus.state.store import StateStore
from receiver.bus.subjects import Subjects
from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.operations.keeping.plan import CHOICES, Kind, PurgePlan
from receiver.operations.keeping.planning import Planning
from receiver.operations.keeping.purging import purge
from receiver.operations.look.archive import Archive
from receiver.operations.repair.tally import Tally
from receiver.testing import eventually
from receiver.worker.interface import Context, Retry
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Router
from schemas.events import PaymentSucceeded
from tests.operations.shelf import Shelf
from tests.worker.conftest import Bench, bench

__all__ = ["bench"]

GONE, KEPT = "3100", "3200"
FACT = "0a" * 16


def at_work() -> Router:
    """Both handlers fail with one order: `bury` for good, `put_off` for an hour."""
    router = Router()

    @router.on(PaymentSucceeded, start="all", retry=RetryPolicy(max_attempts=1))
    async def bury(event: Event[PaymentSucceeded], ctx: Context) -> None:
        if event.order_id == GONE:
            raise ValueError("no such shelf")

    @router.on(PaymentSucceeded, start="all")
    async def put_off(event: Event[PaymentSucceeded], ctx: Context) -> None:
        if event.order_id == GONE:
            raise Retry(after=timedelta(hours=1))

    return router


async def held(archive: Archive) -> dict[str, int]:
    """How many messages each stream has of each kind of subject."""
    found: dict[str, int] = {}
    subjects = archive.subjects
    for stream in (
        subjects.stream,
        subjects.dead_stream,
        subjects.runs_stream,
        subjects.state_stream,
    ):
        async for one in archive.reader.read(StreamSelection(stream, [">"]), headers_only=True):
            kind = one.nats_subject.removeprefix("$KV.").split(".")[1]
            found[kind] = found.get(kind, 0) + 1
    return found


async def planned(archive: Archive, what: tuple[Kind, ...], **given: object) -> PurgePlan:
    return await Planning(archive, Filters(**given), what).plan()  # type: ignore[arg-type]


async def test_an_order_is_forgotten_and_the_rest_stays(bench: Bench) -> None:
    connection, subjects = bench.connection, bench.subjects
    archive, shelf = Archive(connection, subjects), Shelf(bench.publisher, subjects)
    await shelf.push(GONE)
    await shelf.push(GONE, again="earlier")
    await shelf.push(KEPT)
    claim = OutgoingMessage.of(subjects.nonce("shop", "ab"), {"Nats-Msg-Id": "nonce.ab"}, b"one")
    await bench.publisher.publish([claim])
    store = StateStore(connection, subjects)
    await store.ensure()
    events = [
        one
        async for one in archive.reader.read(
            StreamSelection(subjects.stream, [subjects.event("1688", "payment.succeeded", GONE)])
        )
    ]
    fact = events[0].headers["ce-factid"]
    index = f"number.order_no.77.1688.{GONE}"
    for key in (
        order_key("1688", GONE),
        order_key("1688", KEPT),
        effect_key("h", FACT, "n"),
        index,
    ):
        await store.put(key, b"{}", 0)
    await store.put(effect_key("h", fact, "n"), b'{"state": "done"}', 0)
    await store.stop()
    await bench.work(at_work())

    async def settled() -> bool:
        kinds = await held(archive)
        return (kinds.get("dead"), kinds.get("schedules"), kinds.get("runs")) == (2, 2, 6)

    await eventually(settled, within_s=60)
    before = await held(archive)
    plan = await planned(archive, CHOICES, order_id=GONE)
    with pytest.raises(ConfigurationError, match=r"put_off has not handled 2 of the events"):
        plan.check(unprocessed=False)
    plan.check(unprocessed=True)
    selected = {"callbacks": 2, "letters": 2, "runs": 4, "state": 3, "deferred": 2, "events": 2}
    assert plan.numbers == selected
    assert (dict(plan.types), dict(plan.effects)) == ({"payment.succeeded": 2}, {"done": 1})
    assert (plan.shared, plan.callbacks_missing, plan.states_kept) == (0, 0, 0)

    first, again = Tally(), Tally()
    await purge(connection, plan, first, erase=True)
    await purge(connection, plan, again, erase=True)

    assert (first.numbers, again.counts["taken"]) == ({"deleted": 15, **selected}, 15)
    gone = {
        "callbacks": 2,
        "dead": 2,
        "runs": 4,
        "order": 1,
        "effect": 1,
        "schedules": 2,
        "events": 2,
        "number": 1,
    }
    assert await held(archive) == {
        kind: count - gone.get(kind, 0)
        for kind, count in before.items()
        if count > gone.get(kind, 0)
    }
    assert before["nonces"] == 1
    left = await planned(archive, CHOICES, order_id=GONE)
    assert left.total == 0


@pytest.mark.parametrize("count", [70, 300], ids=["in one reading", "one by one"])
async def test_the_callbacks_of_an_order_are_found_far_off_and_with_what_else_they_said(
    bench: Bench, count: int
) -> None:
    archive, subjects = Archive(bench.connection, bench.subjects), bench.subjects
    shelf = Shelf(bench.publisher, subjects)
    await shelf.push("", "ORDER_BATCH_PAY", batchPay=[{"orderId": GONE}, {"orderId": KEPT}])
    await shelf.push(GONE)
    event = await archive.reader.get(subjects.stream, 5)
    assert event is not None
    others = [
        OutgoingMessage.of(subjects.raw("shop"), {"Nats-Msg-Id": f"other.{n}"}, b"{}")
        for n in range(count)
    ]
    again = OutgoingMessage.of(
        event.nats_subject,
        {**event.headers, "Nats-Msg-Id": "again", "ce-origin": "reparse"},
        event.body,
    )
    await bench.publisher.publish([*others, again])
    await call(bench.connection.client, f"STREAM.MSG.DELETE.{subjects.stream}", {"seq": 5})
    plan = await planned(archive, ("callbacks",), order_id=GONE)
    assert plan.numbers == {"callbacks": 2}
    assert (plan.shared, plan.callbacks_missing) == (1, 0)
    await purge(bench.connection, plan, Tally(), erase=False)
    left = await planned(archive, ("callbacks", "events"), event_type="payment")
    assert left.numbers == {"events": 3}
    assert left.callbacks_missing == 2


@pytest.mark.parametrize(
    ("what", "given", "said"),
    [
        (CHOICES, {}, "without a filter"),
        (("state",), {"source": "shop"}, "give --order"),
        (("state",), {"order_id": GONE, "event_type": "order"}, "no filter but --channel"),
        (("events",), {"handler": "h"}, "handler: selects no events"),
        (("events", "runs"), {"event_type": "order"}, "type: selects no runs"),
    ],
    ids=[
        "no filter",
        "state of no order",
        "state of a type",
        "events of a handler",
        "runs of a type",
    ],
)
async def test_a_purge_that_would_select_too_much_is_refused(
    what: tuple[Kind, ...],
    given: dict[str, str],
    said: str,
    connection: Connection,
    subjects: Subjects,
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        await planned(Archive(connection, subjects), what, **given)
