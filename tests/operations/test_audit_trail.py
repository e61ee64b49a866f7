"""What operators do is recorded first, and what cannot be recorded is not done."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from nats.js.errors import APIError

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.read.filters import Filters
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.operations.audit_reading import DoneAct, acts
from receiver.operations.audit_trail import AuditTrail, words_of
from receiver.operations.handlers import HandlerOperations
from receiver.worker.routing import Router
from schemas.events import OrderCreated
from tests.operations.test_handlers import noting
from tests.worker.conftest import Bench, bench

__all__ = ["bench"]

ALL = Filters()


@pytest.fixture
def trail(connection: Connection, subjects: Subjects) -> AuditTrail:
    return AuditTrail(connection, subjects, "ann@desk")


async def recorded(trail: AuditTrail, filters: Filters = ALL, **more: str) -> list[DoneAct]:
    return await acts(trail._connection, trail._subjects, filters, **more)


async def test_an_act_is_listed_with_its_filters_and_the_numbers_of_its_end(
    trail: AuditTrail,
) -> None:
    filters = words_of(Filters(order_id="42", event_type="order.created"))
    async with trail.act("replay", target="a file", filters=filters, numbers={"selected": 3}) as a:
        (under_way,) = await recorded(trail)
        a.numbers["delivered"] = 2
        a.outcome = "partly"
    (done,) = await recorded(trail)
    report = done.report()
    assert under_way.report()["outcome"] is None
    assert (report["verb"], report["by"], report["target"]) == ("replay", "ann@desk", "a file")
    assert report["filters"] == {"order": "42", "type": "order.created"}
    assert report["numbers"] == {"selected": 3, "delivered": 2}
    assert (report["outcome"], report["error"]) == ("partly", None)
    assert report["begun_at"] <= report["ended_at"]


async def test_an_act_that_fails_or_is_interrupted_ends_with_its_error(trail: AuditTrail) -> None:
    with pytest.raises(BusError):
        async with trail.act("replay"):
            raise BusError("the disk is full")
    with pytest.raises(ValueError, match="a name"):
        async with trail.act("replay"):
            raise ValueError("with a name in it")
    with pytest.raises(asyncio.CancelledError):
        async with trail.act("replay"):
            raise asyncio.CancelledError
    ended = [(act.last.outcome, act.last.error) for act in await recorded(trail)]
    errors = ["the disk is full", "ValueError", "CancelledError"]
    assert ended == [("failed", error) for error in errors]


async def test_what_cannot_be_recorded_is_not_done(
    bench: Bench, trail: AuditTrail, connection: Connection, subjects: Subjects
) -> None:
    router = noting([])
    await (await bench.work(router)).stop()
    await connection.jetstream.add_stream(name=f"{subjects.root}X", subjects=[subjects.all_audit])
    operations = HandlerOperations(connection, subjects, router.handlers, kept=timedelta())
    words = "nothing was done, since it could not be recorded: NATS refuses the stream"
    with pytest.raises(BusError, match=words):
        await operations.pause("note", reason="why", by="ann", now=datetime.now(UTC))
    (view,) = await operations.backlogs()
    await connection.jetstream.delete_stream(f"{subjects.root}X")
    assert view.durable is not None
    assert view.durable.pause is None


async def test_each_act_on_a_handler_is_recorded(
    bench: Bench, trail: AuditTrail, connection: Connection, subjects: Subjects
) -> None:
    router, now = noting([]), datetime.now(UTC)
    await bench.store(OrderCreated(channel="1688", order_id="1"))
    worker = await bench.work(router)
    await bench.handled(router)
    await worker.stop()
    operations = HandlerOperations(connection, subjects, Router().handlers, kept=timedelta())
    await operations.pause("note", reason="the desk is closed", by="ann", now=now)
    await operations.resume("note", by="bob")
    plan = await operations.plan_rewind("note", 1)
    await operations.rewind("note", plan, by="ann", now=now)
    await operations.forget(await operations.forgettable("note"), by="ann")
    found = [act.last for act in await recorded(trail)]
    assert [(r.verb, r.by, r.target, r.outcome) for r in found] == [
        ("handlers-pause", "ann", "note", "done"),
        ("handlers-resume", "bob", "note", "done"),
        ("handlers-rewind", "ann", "note", "done"),
        ("handlers-forget", "ann", "note", "done"),
    ]
    assert found[0].reason == "the desk is closed"
    assert found[2].numbers == {"to sequence": 1, "selected": 1}
    assert found[3].numbers == {"not handled": 1}


async def test_acts_are_selected_by_time_verb_person_handler_and_number(
    trail: AuditTrail, connection: Connection, subjects: Subjects
) -> None:
    async with trail.act("handlers-pause", target="note"):
        pass
    between = datetime.now(UTC)
    other = AuditTrail(connection, subjects, "bob@desk")
    async with other.act("replay", filters={"handler": "note"}), trail.act("replay"):
        pass

    def verbs(found: list[DoneAct]) -> list[str]:
        return [f"{act.last.by[:3]} {act.last.verb}" for act in found]

    assert verbs(await recorded(trail, Filters(since=between))) == ["bob replay", "ann replay"]
    assert verbs(await recorded(trail, Filters(until=between))) == ["ann handlers-pause"]
    assert verbs(await recorded(trail, verb="replay")) == ["bob replay", "ann replay"]
    assert verbs(await recorded(trail, by="bob")) == ["bob replay"]
    assert verbs(await recorded(trail, Filters(limit=1))) == ["ann replay"]
    of_handler = await recorded(trail, Filters(handler="note"))
    assert verbs(of_handler) == ["ann handlers-pause", "bob replay"]
    with pytest.raises(ConfigurationError, match="no such act: did you mean handlers-pause"):
        await recorded(trail, verb="handler-pause")


async def test_no_act_is_recorded_where_none_was_done(trail: AuditTrail) -> None:
    assert await recorded(trail) == []


async def test_a_record_cannot_be_taken_out(
    trail: AuditTrail, connection: Connection, subjects: Subjects
) -> None:
    async with trail.act("replay"):
        pass
    stream = subjects.audit_stream
    deleted = await call(connection.client, f"STREAM.MSG.DELETE.{stream}", {"seq": 1})
    with pytest.raises(APIError):
        await connection.jetstream.purge_stream(stream)
    assert "error" in deleted
    assert len(await recorded(trail)) == 1
