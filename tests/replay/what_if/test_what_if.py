"""What-if: today's code beside what was done then, each run set back into its time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from receiver.event import Event
from receiver.replay.what_if.results import Difference, Result
from receiver.testing import make_event, retransmitted
from receiver.testing.fake_api import FakeAPI
from receiver.worker.interface import Context, Drop
from receiver.worker.run_records import RunRecord
from schemas.events import (
    AftersalesSynced,
    EventData,
    OrderClosed,
    OrderCreated,
    OrderStatusChanged,
    OrderSynced,
    PaymentSucceeded,
)
from schemas.statuses import OrderStatus
from tests.replay.what_if.production import Production, version
from yizhan.api import order_snapshot

Created = Event[OrderCreated]


@pytest.fixture
async def production(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
) -> AsyncIterator[Production]:
    made = Production(connection, publisher, subjects)
    await made.start()
    yield made
    await made.stop()


def created(order_id: str | None, **more: Any) -> Created:
    return make_event(OrderCreated(channel="1688", order_id=order_id, **more))


def closed(event: Event[Any], reason: str = "late") -> OrderClosed:
    return OrderClosed(channel="1688", order_id=event.order_id, reason=reason)


def verdicts(results: list[Result]) -> dict[str | None, str]:
    return {result.order_id: result.verdict for result in results}


async def test_code_that_did_not_change_does_the_same(production: Production) -> None:
    async def ship(event: Created, ctx: Context) -> OrderClosed:
        if ctx.attempt == 1:
            raise ValueError("the shelf is empty")
        await ctx.publish(closed(event, "early"))
        return closed(event, f"attempt {ctx.attempt}")

    def plainly(event: Created, ctx: Context) -> list[EventData]:
        ctx.log.info("plain")
        return [closed(event, str(ctx.wait(ctx.order()) and ctx.attempt))]

    handler = version(ship, OrderCreated)
    plain = version(plainly, OrderCreated, state=True)
    first, second, without_order = await production.store(*map(created, ("1", "2", None)))
    for message in (first, without_order):
        assert await production.run(handler, message) == "retried"
        assert await production.run(handler, message, attempt=2) == "done"
    await production.run(plain, second)
    results = await production.what_if(handler)
    (of_plain,) = [r for r in await production.what_if(plain) if r.order_id == "2"]

    assert [result.verdict for result in results] == ["same", "differs", "same"], results
    assert results[0].then.published == results[0].now.published
    assert [made.event_type for made in results[0].now.published] == ["order.closed"] * 2
    assert results[0].now.at == results[0].then.at
    assert (of_plain.verdict, of_plain.now.outcome) == ("same", "done"), of_plain
    assert [line["event"] for line in of_plain.now.logs] == ["plain"]


async def test_what_changed_is_named_field_by_field(production: Production) -> None:
    async def then(event: Created, ctx: Context) -> EventData | None:
        if event.order_id in {"drops", "other"}:
            raise Drop("not wanted") if event.order_id == "drops" else KeyError("shelf")
        return closed(event)

    async def now(event: Created, ctx: Context) -> list[EventData]:
        match event.order_id:
            case "more":
                return [closed(event), PaymentSucceeded(channel="1688", order_id="more")]
            case "field":
                return [closed(event, "early")]
            case "raises" | "other":
                raise ValueError("no such shelf")
            case "nothing":
                return []
        return [closed(event)]

    orders = ("same", "more", "field", "raises", "other", "nothing", "drops", "new")
    messages = await production.store(*map(created, orders))
    before = version(then, OrderCreated)
    for message in messages[:-1]:
        await production.run(before, message)
    found = {
        result.order_id: result for result in await production.what_if(version(now, OrderCreated))
    }
    renamed = await production.what_if(version(now, PaymentSucceeded))

    assert [found[order].verdict for order in orders] == ["same", *["differs"] * 6, "new"]
    differing = {order: found[order].differences for order in orders}
    assert differing["more"] == [Difference("published[1]", None, "payment.succeeded")]
    assert differing["field"] == [Difference("published[0].data.reason", "late", "early")]
    assert differing["raises"][0] == Difference("outcome", "done", "retried")
    assert [d.field for d in differing["raises"]] == ["outcome", "error", "published[0]"]
    assert [d.field for d in differing["other"]] == ["error"]
    assert differing["other"][0].now.endswith("(ValueError: no such shelf)")
    assert differing["nothing"] == [Difference("published[0]", "order.closed", None)]
    assert [d.field for d in differing["drops"]] == ["outcome", "published[0]"]
    assert found["new"].then.outcome == "no record"
    assert {result.now.outcome for result in renamed} == {"not taken"}
    assert len(renamed) == 7


async def test_effects_are_due_as_they_were_then(production: Production) -> None:
    async def then(event: Created, ctx: Context) -> None:
        async with ctx.once("label") as effect:
            if effect.due:
                effect.result = event.id
        await mail(event, ctx)

    async def mail(event: Created, ctx: Context) -> None:
        async with ctx.once("mail", key=f"order {event.order_id}") as effect:
            if effect.due:
                effect.result = 1

    async def now(event: Created, ctx: Context) -> None:
        await then(event, ctx)
        async with ctx.once("invoice") as effect:
            if effect.due:
                effect.result = 2

    async def fails(event: Created, ctx: Context) -> None:
        async with ctx.once("label") as effect:
            if effect.due:
                raise KeyError("shelf")
        await mail(event, ctx)

    before = version(then, OrderCreated)
    first = created("1")
    one, other = await production.store(first, created("2"))
    (again,) = await production.store(retransmitted(first, datetime.now(UTC)))
    for message in (one, other, again):
        await production.run(before, message)
    same = await production.what_if(before)
    alone = await production.what_if(before, events=[again])
    more = await production.what_if(version(now, OrderCreated))
    failing = await production.what_if(version(fails, OrderCreated))

    assert [result.verdict for result in failing] == ["differs", "differs", "same"], failing
    assert [result.verdict for result in [*same, *alone]] == ["same"] * 4, same
    assert [list(result.now.effects) for result in same] == [["label", "mail"]] * 2 + [[]]
    assert [list(result.now.effects) for result in alone] == [[]]
    assert [result.differences for result in more] == [
        [Difference("effects", ["label", "mail"], ["invoice", "label", "mail"])],
        [Difference("effects", ["label", "mail"], ["invoice", "label", "mail"])],
        [],
    ]


async def test_timers_fire_where_they_fired_then(production: Production) -> None:
    async def then(event: Created, ctx: Context) -> OrderClosed | None:
        if ctx.timer is None:
            await ctx.schedule(after=0.01, key="look")
            return None
        if event.order_id == "twice" and ctx.attempt == 1 and ctx.timer == "look":
            await ctx.schedule(after=0.01, key="again")
        return closed(event, ctx.timer)

    async def now(event: Created, ctx: Context) -> OrderClosed | None:
        if ctx.timer is None and event.order_id == "never":
            return None
        if ctx.timer is None and event.order_id == "early":
            await ctx.schedule(after=0.01, key="peep")
        return await then(event, ctx)

    before = version(then, OrderCreated)
    orders = ("1", "twice", "never", "early")
    for order in orders:
        (message,) = await production.store(created(order))
        await production.run(before, message)
        await production.fire(before)
        if order == "twice":
            await production.fire(before)
    same = await production.what_if(before)
    changed = await production.what_if(version(now, OrderCreated))

    assert [(r.order_id, r.timer, r.verdict) for r in same if r.verdict != "same"] == []
    fired = {(r.order_id, r.timer) for r in same if r.timer}
    assert fired == {*((order, "look") for order in orders), ("twice", "again")}
    assert [(r.order_id, r.timer, r.differences) for r in changed if r.verdict != "same"] == [
        ("never", None, [Difference("timer", "look", None)]),
        ("early", "peep", [Difference("outcome", "no record", "done")]),
    ]


async def test_what_was_coalesced_is_not_compared(production: Production) -> None:
    async def ship(event: Created, ctx: Context) -> OrderClosed:
        return closed(event)

    handler = version(ship, OrderCreated, coalesce=5.0)
    old, new = await production.store(created("1"), created("1", order_no="7"))
    await production.store(created("2"))
    assert [await production.run(handler, message) for message in (old, new)] == ["coalesced"] * 2
    assert await production.fire(handler) == "done"
    results = await production.what_if(handler)
    assert [(r.order_id, r.verdict, r.then.outcome) for r in results] == [
        ("1", "same", "coalesced"),
        ("1", "same", "done"),
        ("2", "new", "no record"),
    ]


async def test_the_state_of_an_order_is_that_of_the_event(production: Production) -> None:
    async def ship(event: Event[OrderStatusChanged], ctx: Context) -> AftersalesSynced:
        said = f"{(await ctx.order()).status} {ctx.arrival}"
        return AftersalesSynced(channel="1688", order_id=event.order_id, reason=said)

    def at(status: OrderStatus, minute: int) -> Event[OrderStatusChanged]:
        data = OrderStatusChanged(channel="1688", order_id="1", status=status)
        return make_event(data, time=datetime(2026, 1, 31, 12, minute, tzinfo=UTC))

    handler = version(ship, OrderStatusChanged, only="advance", state=True)
    for event in (
        at(OrderStatus.AWAITING_SHIPMENT, 1),
        at(OrderStatus.AWAITING_PAYMENT, 0),
        at(OrderStatus.SHIPPED, 2),
    ):
        (message,) = await production.store(event)
        await production.run(handler, message)
    results = await production.what_if(handler)
    everything = await production.what_if(version(ship, OrderStatusChanged, state=True))
    assert [r.verdict for r in results] == ["same"] * 3, results
    assert [r.now.outcome for r in results] == ["done", "dropped", "done"]
    assert [made.data["reason"] for made in results[0].now.published] == [
        "awaiting_shipment advance"
    ]
    assert [r.verdict for r in everything] == ["same", "differs", "same"]


async def test_the_api_answers_as_it_did_then_or_not_at_all(production: Production) -> None:
    async def then(event: Event[PaymentSucceeded], ctx: Context) -> OrderSynced:
        return await order_snapshot(ctx.api, "1688", event.order_id or "")

    async def now(event: Event[PaymentSucceeded], ctx: Context) -> OrderSynced:
        if event.order_id == "2":
            await ctx.api.alibaba.orders.cancel("2")
        if event.order_id == "mails":
            await ctx.http.post("https://mail.invalid/messages", json={"to": "a"})
        return await order_snapshot(ctx.api, "1688", event.order_id or "")

    api = FakeAPI.of_samples()
    how: dict[str, Any] = {"needs_api": True, "trust": "requeried"}
    before = version(then, PaymentSucceeded, **how)
    orders = ("1", "2", "mails", "unseen")
    events = [make_event(PaymentSucceeded(channel="1688", order_id=order)) for order in orders]
    messages = await production.store(*events)
    for message in messages:
        if message is not messages[-1]:
            assert await production.run(before, message, api=api) == "done"
    assert await production.run(version(_nothing, PaymentSucceeded), messages[-1]) == "done"
    same = await production.what_if(before)
    changed = await production.what_if(version(now, PaymentSucceeded, **how))

    assert [r.verdict for r in same] == ["same", "same", "same", "differs"], same
    assert {call.row for r in same[:3] for call in r.now.calls} == {"alibaba_orders_detail"}
    assert same[0].now.calls[0].answer == f"order.synced #{messages[-1].stream_seq + 1}"
    assert same[3].unanswered == ["alibaba.orders.detail"]
    assert [r.verdict for r in changed] == ["same", "differs", "cannot_tell", "differs"]
    assert Difference("calls.alibaba_orders_cancel", 0, 1) in changed[1].differences
    assert changed[1].now.calls[-1].changes_state
    assert changed[2].unanswered == ["ctx.http POST https://mail.invalid"]


async def _nothing(event: Any, ctx: Context) -> None:
    """Calls nothing."""


async def test_an_event_of_another_version_is_compared_as_far_as_it_can_be_read(
    production: Production,
) -> None:
    async def ship(event: Created, ctx: Context) -> OrderClosed:
        return closed(event)

    handler = version(ship, OrderCreated)
    encoded = encode_event(created("1"), production.subjects)
    older = b'{"channel":"1688","order_id":"1","a_former_field":true}'
    foreign = b'{"channel":"1688","order_id":"2","amounts":"many"}'
    readable = await production.put(encoded._replace(body=older))
    headers = encode_event(created("2"), production.subjects)
    unreadable = await production.put(headers._replace(body=foreign))
    await production.run(handler, readable)
    ran = RunRecord(
        event_id=unreadable.headers["ce-id"],
        stream_seq=unreadable.stream_seq,
        attempt=1,
        started_at=unreadable.stored_at.isoformat(),
        duration_ms=1.0,
        outcome="done",
        error_digest=None,
        place=None,
        published=[f"{unreadable.headers['ce-id']}.ship.0"],
        published_count=1,
        api=[],
        api_count=0,
    )
    production.records.put("ship", unreadable, ran)
    await production.connection.client.flush()
    same, cannot = await production.what_if(handler)
    assert (same.verdict, same.differences) == ("same", [])
    assert cannot.verdict == "differs"
    assert [d.field for d in cannot.differences] == ["outcome", "error", "published[0]"]
    assert cannot.differences[2].then == "an event that was not found"
    assert "DecodingError" in cannot.now.error
