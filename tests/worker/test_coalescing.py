"""Events of one order that come close together, on a real server."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from receiver.bus.codec import encode_event
from receiver.bus.schedules import Place, StreamSchedules, TooLargeError
from receiver.bus.stream_plan import MAX_AGE
from receiver.event import Event
from receiver.testing import NOON, Kit, eventually, make_event
from receiver.worker.coalescing import coalesced
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import EventData, OrderClosed, OrderCreated, UnknownReceived
from tests.worker.conftest import Bench

SOON = timedelta(seconds=2)
LONG = timedelta(hours=1)
CREATED = OrderCreated(channel="1688", order_id="1")


def event(number: int, minute: int, data: EventData = CREATED) -> Event[EventData]:
    return make_event(data, id=f"e{number}", time=NOON + timedelta(minutes=minute))


async def put(bench: Bench, *events: Event[EventData]) -> None:
    await bench.publisher.publish([encode_event(event, bench.subjects) for event in events])


async def test_many_events_of_an_order_make_one_run_of_the_newest(bench: Bench) -> None:
    router, runs = Router(), list[tuple[str, int, str | None]]()

    @router.on(OrderCreated, OrderClosed, coalesce=SOON, order="strict")
    async def sync(event: Event[OrderCreated | OrderClosed], ctx: Context) -> None:
        runs.append((event.id, ctx.attempt, ctx.timer))
        if ctx.attempt == 1:
            raise ValueError

    stale, other = event(50, 1), event(51, 0, OrderClosed(channel="1688", order_id="2"))
    await put(bench, *(event(n, n) for n in range(50)), stale, other)
    with structlog.testing.capture_logs() as logs:
        worker = await bench.work(router)
        await eventually(lambda: worker.counts.of("sync", "done") == 2, within_s=60)
    assert sorted(runs) == [("e49", 1, None), ("e49", 2, None), ("e51", 1, None), ("e51", 2, None)]
    assert worker.counts.of("sync", "coalesced") == 52
    lines = [line for line in logs if line.get("outcome") == "coalesced"]
    assert {line["event"] for line in lines} == {"event_handled"}

    async def recorded() -> bool:  # after the run is over
        return {one["outcome"] for one in await bench.records("sync")} == {"retried", "done"}

    await eventually(recorded, within_s=60)


async def test_events_without_an_order_are_run_one_by_one(bench: Bench) -> None:
    router = Router()

    @router.on(UnknownReceived, coalesce=LONG)
    async def look(event: Event[UnknownReceived], ctx: Context) -> None: ...

    kinds = [UnknownReceived(channel="1688", message_type=kind, body="{}") for kind in ("A", "B")]
    await bench.store(*kinds)
    worker = await bench.work(router)
    await bench.handled(router)
    assert worker.counts.read() == {("look", "done"): 2}


async def test_what_was_put_off_and_not_acknowledged_is_run_once(bench: Bench) -> None:
    router, runs = Router(), list[str]()

    @router.on(OrderCreated, coalesce=SOON)
    async def sync(event: Event[OrderCreated], ctx: Context) -> None:
        runs.append(event.id)

    first = event(1, 1)
    await put(bench, first)
    (stored,) = await bench.messages(bench.subjects.stream, bench.subjects.all_events)
    schedules = StreamSchedules(bench.connection, bench.subjects, kept=MAX_AGE)
    (handler,) = router.handlers
    assert await coalesced(schedules, handler, stored, first, datetime.now(UTC))
    worker = await bench.work(router)  # as if the one that put it off had died
    await eventually(lambda: worker.counts.of("sync", "done") == 1, within_s=60)
    await bench.handled(router)
    assert runs == ["e1"]
    assert worker.counts.of("sync", "coalesced") == 1


async def test_a_worker_killed_as_it_puts_an_event_off_loses_none_and_runs_none_twice(
    bench: Bench,
) -> None:
    router, runs = Router(), list[str]()

    @router.on(OrderCreated, coalesce=SOON)
    async def sync(event: Event[OrderCreated], ctx: Context) -> None:
        runs.append(event.id)

    await put(bench, event(1, 1))
    command = (sys.executable, "-m", "tests.worker.killed_coalescer")
    ended = await asyncio.create_subprocess_exec(
        *command, bench.connection.url, bench.subjects.root
    )
    assert await ended.wait() == -signal.SIGKILL
    worker = await bench.work(router)
    await eventually(lambda: worker.counts.of("sync", "coalesced") == 1, within_s=60)
    await put(bench, event(2, 2))  # what waits for an hour by then is put off with it
    await eventually(lambda: worker.counts.of("sync", "done") == 1, within_s=60)
    await bench.handled(router)
    assert runs == ["e2"]
    assert worker.counts.of("sync", "coalesced") == 2


async def test_one_put_off_by_another_meanwhile_is_not_replaced_unseen(bench: Bench) -> None:
    await put(bench, event(1, 1))
    (stored,) = await bench.messages(bench.subjects.stream, bench.subjects.all_events)
    schedules = StreamSchedules(bench.connection, bench.subjects, kept=MAX_AGE)
    place, at = Place("coalesce", "sync", "1688", "1"), datetime.now(UTC) + LONG
    assert await schedules.put(place, stored, at, {}, over=0)
    held = await schedules.held(place)
    assert held is not None
    assert not await schedules.put(place, stored, at, {}, over=0)
    assert await schedules.put(place, stored, at, {}, over=held.seq)
    await schedules.cancel(place)
    assert await schedules.held(place) is None
    assert await schedules.put(place, stored, at, {}, over=0)


async def test_where_events_never_stop_one_is_run_in_time() -> None:
    router = Router()

    @router.on(OrderCreated, coalesce=60, coalesce_within=150)
    async def sync(event: Event[OrderCreated], ctx: Context) -> None: ...

    kit = Kit(sync)
    due = []
    for minute in range(3):
        assert (await kit.run(event(minute, minute))).outcome == "coalesced"
        ((_, waiting),) = kit.schedules.waiting.items()
        due.append(waiting.at - NOON)
        await kit.advance(timedelta(seconds=59))
    assert due == [timedelta(seconds=s) for s in (60, 119, 150)]


async def test_an_event_too_large_to_be_put_off_is_run_at_once(bench: Bench) -> None:
    router, large = Router(), event(1, 1)

    @router.on(OrderCreated, coalesce=SOON)
    async def sync(event: Event[OrderCreated], ctx: Context) -> None: ...

    await put(bench, large)
    (stored,) = await bench.messages(bench.subjects.stream, bench.subjects.all_events)
    client = bench.connection.client
    stored = replace(stored, body=b" " * (client.max_payload - 500))
    schedules = StreamSchedules(bench.connection, bench.subjects, kept=MAX_AGE)
    (handler,) = router.handlers

    assert not await coalesced(schedules, handler, stored, large, datetime.now(UTC))
    await client.round_trip(timeout_s=60)  # the server has not hung up
    with pytest.raises(TooLargeError):
        await schedules.put(Place("timer", "sync", "1688", "1"), stored, datetime.now(UTC), {})
