"""What operators do to handlers, on a real server with real workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from nats.aio.client import Client

from receiver.bus.beginning import unfinished
from receiver.bus.connection import Connection
from receiver.bus.consumers import GROUP
from receiver.bus.durables import Pause, Stored
from receiver.bus.jetstream_api import call
from receiver.bus.read.pull_request import PullRequest
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.event import Event
from receiver.operations.handler_report import handler_report
from receiver.operations.handlers import HandlerOperations, HandlerView, Rewind
from receiver.testing import eventually
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import OrderClosed, OrderCreated
from tests.subscribed import subscribed
from tests.worker.conftest import Bench, bench

__all__ = ["bench"]

KEPT = timedelta(days=90)
REASON = "the desk is closed: 仓库"


def noting(seen: list[str]) -> Router:
    """A router with one handler, `note`, which keeps the orders that it is given."""
    router = Router()

    @router.on(OrderCreated, start="all")
    async def note(event: Event[OrderCreated], ctx: Context) -> None:
        seen.append(event.order_id or "")

    return router


def failing() -> Router:
    router = Router()

    @router.on(OrderClosed, start="all")
    async def fail(event: Event[OrderClosed], ctx: Context) -> None:
        raise ValueError

    return router


def created(*orders: str) -> list[OrderCreated]:
    return [OrderCreated(channel="1688", order_id=order) for order in orders]


Operations = Callable[..., HandlerOperations]


@pytest.fixture
def operations(connection: Connection, subjects: Subjects) -> Operations:
    def of(*routers: Router, kept: timedelta = KEPT) -> HandlerOperations:
        loaded = [handler for router in routers for handler in router.handlers]
        return HandlerOperations(connection, subjects, loaded, kept=kept)

    return of


async def pause(operating: HandlerOperations, name: str = "note") -> None:
    await operating.pause(name, reason=REASON, by="root@desk", now=datetime.now(UTC))


async def view(operating: HandlerOperations, name: str = "note") -> HandlerView:
    return next(view for view in await operating.look() if view.name == name)


async def test_a_handler_that_was_never_started_is_listed_without_a_position(
    bench: Bench, operations: Operations
) -> None:
    operating = operations(noting([]))
    seen = await view(operating)
    assert (seen.durable, seen.oldest) == (None, None)
    with pytest.raises(ConfigurationError, match="note was never started"):
        await pause(operating)


async def test_the_backlog_of_a_paused_handler_is_counted(
    bench: Bench, operations: Operations
) -> None:
    router = noting([])
    operating = operations(router)
    await bench.store(*created("0"))
    await bench.work(router)
    await bench.handled(router)
    await pause(operating)
    await bench.store(*created("1", "2"))
    seen = await view(operating)
    assert seen.durable is not None
    assert (seen.durable.pending, seen.durable.unfinished) == (2, 0)
    assert seen.oldest is not None
    assert seen.oldest.seq == seen.durable.floor + 1
    assert seen.expires_at == seen.oldest.time + KEPT
    assert seen.expires_paused


async def test_dead_letters_are_counted_by_handler(bench: Bench, operations: Operations) -> None:
    router = failing()
    await bench.store(OrderClosed(channel="1688", order_id="1"))
    await bench.work(router)
    await bench.handled(router)
    assert (await view(operations(router), "fail")).dead_letters == 1


async def test_a_pause_holds_over_new_workers_and_keeps_its_reason(
    bench: Bench, operations: Operations
) -> None:
    seen: list[str] = []
    router = noting(seen)
    operating = operations(router)
    await (await bench.work(router)).stop()
    await pause(operating)
    await bench.work(router)
    await bench.store(*created("1"))
    await eventually(lambda: _has_pending(operating))
    durable = (await view(operating)).durable
    assert durable is not None
    assert isinstance(durable.pause, Pause)
    assert (durable.pause.reason, durable.pause.by) == (REASON, "root@desk")
    assert durable.pause.until > datetime.now(UTC) + timedelta(days=3000)
    assert seen == []
    assert await operating.resume("note", by="ann")
    await bench.handled(router)
    assert seen == ["1"]
    assert not await operating.resume("note", by="ann")
    assert "pause" not in str(await _metadata(bench))


async def _has_pending(operating: HandlerOperations) -> bool:
    durable = (await view(operating)).durable
    return durable is not None and durable.pending == 1


async def _metadata(bench: Bench) -> object:
    info = await bench.connection.jetstream.consumer_info(bench.subjects.stream, "handler-note")
    return info.config.metadata


async def test_a_rewound_handler_runs_again_what_it_said(
    bench: Bench, operations: Operations
) -> None:
    seen: list[str] = []
    router = noting(seen)
    operating = operations(router)
    await bench.store(*created("1", "2", "3"))
    await bench.work(router)
    await bench.handled(router)
    plan = await operating.plan_rewind("note", 2)
    await operating.rewind("note", plan, by="root@desk", now=datetime.now(UTC))
    await bench.handled(router)
    assert plan == Rewind(seq=2, again=2)
    assert sorted(seen) == ["1", "2", "2", "3", "3"]
    assert not await operating.resume("note", by="ann")


async def test_a_rewind_to_a_time_begins_with_what_was_stored_since(
    bench: Bench, operations: Operations
) -> None:
    router = noting([])
    operating = operations(router)
    await bench.store(*created("1"))
    await bench.work(router)
    await bench.handled(router)
    between = datetime.now(UTC)
    await bench.store(*created("2", "3"))
    await bench.handled(router)
    assert await operating.plan_rewind("note", between) == Rewind(seq=2, again=2)
    assert await operating.plan_rewind("note", datetime(1970, 1, 1, tzinfo=UTC)) == Rewind(1, 3)
    assert await operating.plan_rewind("note", datetime.now(UTC)) == Rewind(4, 0)


async def test_a_handler_that_does_not_finish_is_not_rewound(
    bench: Bench, operations: Operations
) -> None:
    go, router = asyncio.Event(), Router()

    @router.on(OrderCreated, start="all")
    async def note(event: Event[OrderCreated], ctx: Context) -> None:
        await go.wait()

    operating = operations(router)
    await bench.store(*created("1"))
    worker = await bench.work(router)
    await eventually(lambda: worker.status().handlers["note"].running == 1, within_s=60)
    plan, now = await operating.plan_rewind("note", 1), datetime.now(UTC)
    with pytest.raises(BusError, match="note still runs what it was given before"):
        await operating.rewind("note", plan, by="root@desk", now=now, patience_s=0.1)
    go.set()
    assert not await operating.resume("note", by="ann")
    await bench.handled(router)


async def test_a_handler_whose_owner_is_silent_is_not_rewound(
    bench: Bench, operations: Operations, client: Client
) -> None:
    router = noting([])
    operating = operations(router)
    await (await bench.work(router)).stop()
    await bench.store(*created("1"))
    await pause(operating)
    idle = await operations(failing()).forgettable("note")
    request, inbox = PullRequest(1, expires_s=600, group=GROUP), client.new_inbox()
    await client.subscribe(inbox)
    subject = request.subject(bench.subjects.stream, "handler-note")
    await client.publish(subject, request.body(), reply=inbox)
    await subscribed(client)
    with pytest.raises(BusError, match="waits for events of note and does not say"):
        await operating.rewind("note", Rewind(1, 0), by="root@desk", now=datetime.now(UTC))
    with pytest.raises(ConfigurationError, match="a worker runs note: stop it first"):
        await operations(failing()).forgettable("note")
    with pytest.raises(ConfigurationError, match="a worker runs note: stop it first"):
        await operations(failing()).forget(idle, by="root@desk")
    assert handler_report(await view(operating), datetime.now(UTC))["pulled"]


async def test_a_handler_that_is_half_made_is_left_to_its_worker(
    bench: Bench, operations: Operations
) -> None:
    config = {
        "name": "handler-note",
        "durable_name": "handler-note",
        "ack_policy": "explicit",
        **unfinished(7),
    }
    body = {"stream_name": bench.subjects.stream, "config": config, "action": "create"}
    verb = f"CONSUMER.CREATE.{bench.subjects.stream}.handler-note"
    assert "error" not in await call(bench.connection.client, verb, body)
    operating = operations(noting([]))
    with pytest.raises(ConfigurationError, match="note is not yet where it begins"):
        await operating.resume("note", by="ann")
    assert handler_report(await view(operating), datetime.now(UTC))["paused"] is None


async def test_a_rewound_handler_that_was_paused_stays_so_and_says_why(
    bench: Bench, operations: Operations
) -> None:
    seen: list[str] = []
    router = noting(seen)
    operating = operations(router)
    await bench.store(*created("1"))
    await bench.work(router)
    await bench.handled(router)
    await pause(operating)
    plan = await operating.plan_rewind("note", 1)
    await operating.rewind("note", plan, by="other@desk", now=datetime.now(UTC))
    durable = (await view(operating)).durable
    assert durable is not None
    assert durable.pause is not None
    assert durable.pause.reason == REASON
    assert (durable.pending, seen) == (1, ["1"])


async def test_a_handler_is_not_rewound_past_what_it_has_not_done(
    bench: Bench, operations: Operations
) -> None:
    router = noting([])
    operating = operations(router)
    await (await bench.work(router)).stop()
    await bench.store(*created("1", "2"))
    with pytest.raises(ConfigurationError, match=r"note has not come that far.*skip.*before #2"):
        await operating.plan_rewind("note", 2)
    assert await operating.plan_rewind("note", 1) == Rewind(1, 0)


async def test_only_a_handler_that_is_not_loaded_is_forgotten(
    bench: Bench, operations: Operations
) -> None:
    router = noting([])
    await (await bench.work(router)).stop()
    loading, operating = operations(router), operations(failing())
    with pytest.raises(
        ConfigurationError, match=r"note is loaded .*set handlers\.note\.enabled = false"
    ):
        await loading.forgettable("note")
    assert [orphan.handler for orphan in await operating.orphans()] == ["note"]
    assert await loading.orphans() == []
    await operating.forget(await operating.forgettable("note"), by="ann")
    assert await operating.orphans() == []


async def test_a_wrong_name_gets_a_suggestion(bench: Bench, operations: Operations) -> None:
    router = noting([])
    await (await bench.work(router)).stop()
    stored, loaded = operations(), operations(failing())
    with pytest.raises(ConfigurationError, match=r"'noet': no such handler: did you mean note\?"):
        await stored.resume("noet", by="ann")
    with pytest.raises(ConfigurationError, match="no such handler: there are: fail, note"):
        await loaded.plan_rewind("zzz", 1)


def test_an_event_expires_soon_in_the_last_tenth_of_its_time() -> None:
    stored = datetime(2026, 1, 1, tzinfo=UTC)
    seen = HandlerView("note", None, None, Stored(1, stored), stored + KEPT)
    assert not seen.expires_paused
    assert not seen.expires_soon(stored + KEPT, KEPT)


async def test_the_report_of_a_handler_says_where_it_is_and_what_it_is_run_with(
    bench: Bench, operations: Operations
) -> None:
    router = noting([])
    operating = operations(router)
    await bench.store(*created("1"))
    await (await bench.work(router)).stop()
    await pause(operating)
    report = handler_report(await view(operating), datetime.now(UTC))
    assert report["source"].startswith("tests/operations/test_handlers.py:")
    assert report["events"] == ["order.created"]
    assert report["options"]["start"] == "all"
    assert report["paused"]["reason"] == REASON
    assert report["paused"]["oldest_expires_first"] == (report["oldest"] is not None)
