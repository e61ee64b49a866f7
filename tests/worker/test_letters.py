"""Dead letters and run records on a real server: what they hold, and that they can be read."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from receiver.bus.codec import encode_event
from receiver.bus.headers import decode_header
from receiver.bus.jetstream_api import call
from receiver.bus.message import StoredMessage
from receiver.bus.state.memory import MemoryEntries
from receiver.bus.subjects import input_subject
from receiver.client import trail
from receiver.event import Event
from receiver.observability.logs import get_logger
from receiver.testing import eventually, make_event
from receiver.testing.schedules import RecordingSchedules
from receiver.worker.effects.holders import LocalHolders
from receiver.worker.effects.ledger import Ledger
from receiver.worker.interface import Context
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Router
from receiver.worker.run_records import RunRecords
from receiver.worker.runner import Runner
from receiver.worker.services import Services
from schemas.events import OrderCreated, OrderSynced
from tests.worker.conftest import Bench

Created = Event[OrderCreated]
ONCE = RetryPolicy(max_attempts=1)


def created(order_id: str = "1") -> OrderCreated:
    return OrderCreated(channel="1688", order_id=order_id)


async def letters(bench: Bench, handler: str) -> list[tuple[str, dict[str, str]]]:
    subject = f"{bench.subjects.root}.dead.{handler}.*"
    return [
        (stored.nats_subject, {k: decode_header(v) for k, v in stored.headers.items()})
        for stored in await bench.messages(bench.subjects.dead_stream, subject)
    ]


def now() -> datetime:
    return datetime.now(UTC)


def runner(bench: Bench) -> Runner:
    state = MemoryEntries()
    return Runner(
        Services(
            publisher=bench.publisher,
            subjects=bench.subjects,
            policy=ONCE,
            clock=now,
            schedules=RecordingSchedules(),
            state=state,
            ledger=Ledger(
                state, LocalHolders(), clock=lambda: datetime.now(UTC), kept=timedelta(days=90)
            ),
            records=RunRecords(bench.connection, bench.subjects),
        )
    )


async def test_a_letter_tells_cause_history_fact_and_code(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def fail(event: Created, ctx: Context) -> None:
        raise KeyError("shelf") if ctx.attempt < 3 else ValueError("no such shelf")

    (event,) = await bench.store(created())
    first = await bench.work(router)
    await eventually(lambda: first.counts.of("fail", "retried") == 1)
    await first.stop()
    await bench.work(router)  # the history is not of one process
    await bench.handled(router)
    ((subject, letter),) = await letters(bench, "fail")
    assert letter["yizhan-reason"] == "ValueError: no such shelf"
    assert letter["yizhan-traceback"].endswith("ValueError: no such shelf")
    history = json.loads(letter["yizhan-history"])
    assert len(history) == int(letter["yizhan-attempts"]) == 3
    digests = [attempt["digest"] for attempt in history]
    assert digests[0] == digests[1] != digests[2]
    assert subject.endswith(f".{digests[2]}")
    assert all("fail:" in attempt["place"] for attempt in history)
    times = [datetime.fromisoformat(attempt["time"]) for attempt in history]
    assert times == sorted(times)
    assert letter["yizhan-factid"] == event.fact_id
    assert letter["yizhan-codeversion"] == router.handlers[0].code_version
    assert len(letter["yizhan-codeversion"]) == 12


async def test_what_is_run_again_and_fails_again_is_another_letter(bench: Bench) -> None:
    async def fail(event: Created, ctx: Context) -> None:
        raise ValueError

    router = Router()
    router.on(OrderCreated)(fail)
    await bench.store(created())
    (stored,) = await bench.messages(bench.subjects.stream, bench.subjects.all_events)
    running = runner(bench)
    for _ in "12":
        await running.run(router.handlers[0], stored, attempt=1, log=get_logger("test"))
    assert len(await letters(bench, "fail")) == 2


async def test_a_run_that_died_becomes_a_letter(bench: Bench) -> None:
    async def kill(event: Created, ctx: Context) -> None:
        raise AssertionError("it is not run")

    router = Router()
    router.on(OrderCreated)(kill)
    (event,) = await bench.store(created())
    (stored,) = await bench.messages(bench.subjects.stream, bench.subjects.all_events)
    ended = await runner(bench).run(
        router.handlers[0], stored, attempt=2, failures=0, deaths=2, log=get_logger("test")
    )
    ((_, letter),) = await letters(bench, "kill")
    assert ended.decision.outcome == "dead_lettered"
    assert letter["ce-id"] == event.id
    assert letter["yizhan-reason"] == "killed its process 2 times, at last with nothing beside it"
    assert letter["yizhan-attempts"] == "2"
    assert letter["yizhan-place"].endswith(".kill")


@pytest.mark.parametrize("result", [7, [None], {"channel": "1688"}])
async def test_a_wrong_result_becomes_a_letter(bench: Bench, result: Any) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def lost(event: Created, ctx: Context) -> Any:
        return result

    await bench.store(created())
    await bench.work(router)
    await bench.handled(router)
    ((_, letter),) = await letters(bench, "lost")
    assert "return an event's data" in letter["yizhan-reason"]


async def test_an_event_of_a_newer_schema_becomes_a_letter_and_the_next_is_handled(
    bench: Bench,
) -> None:
    router, seen = Router(), []

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    newer = encode_event(make_event(created("1")), bench.subjects)
    head = newer.head.replace(b"yizhan.order.created.v1", b"yizhan.order.created.v9")
    await bench.publisher.publish([newer._replace(head=head)])
    await bench.store(created("2"))
    await bench.work(router)
    await bench.handled(router)
    ((_, letter),) = await letters(bench, "note")
    assert letter["yizhan-reason"].startswith("DecodingError")
    assert seen == ["2"]


async def test_letters_of_the_subject_without_a_cause_are_in_the_same_stream(bench: Bench) -> None:
    client, subjects = bench.connection.client, bench.subjects
    await bench.connection.jetstream.publish(f"{subjects.root}.dead.fail", b"{}")
    reply = await call(
        client, f"STREAM.INFO.{subjects.dead_stream}", {"subjects_filter": subjects.all_dead}
    )
    assert reply["state"]["subjects"] == {f"{subjects.root}.dead.fail": 1}


async def test_each_run_leaves_a_record(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def sync(event: Created, ctx: Context) -> OrderSynced:
        trail.note("alibaba_orders_detail")
        await ctx.publish(OrderSynced(channel="1688", order_id="first"))
        if ctx.attempt == 1:
            raise ValueError
        return OrderSynced(channel="1688", order_id="last")

    (event,) = await bench.store(created("1 .*"))
    await bench.work(router)
    await bench.handled(router)
    await eventually(lambda: recorded(bench, "sync", 2))
    failed, done = await bench.records("sync")
    assert (failed["outcome"], failed["attempt"]) == ("retried", 1)
    assert len(failed["error_digest"]) == 12
    assert "sync:" in failed["place"]
    assert failed["published"] == [f"{event.id}.sync.0"]
    assert done["published"] == [f"{event.id}.sync.0", f"{event.id}.sync.1"]
    assert {key: done[key] for key in ("event_id", "outcome", "attempt", "error_digest")} == {
        "event_id": event.id,
        "outcome": "done",
        "attempt": 2,
        "error_digest": None,
    }
    assert (done["api"], done["api_count"]) == (["alibaba_orders_detail"], 1)
    assert done["duration_ms"] >= 0
    assert datetime.now(UTC) - datetime.fromisoformat(done["started_at"]) < timedelta(days=1)
    found = await bench.messages(bench.subjects.runs_stream, bench.subjects.all_runs)
    subjects = {stored.nats_subject for stored in found}
    assert subjects == {f"{bench.subjects.root}.runs.sync.1688.1%20%2E%2A"}


async def recorded(bench: Bench, handler: str, count: int) -> bool:
    return len(await bench.records(handler)) >= count


async def test_a_run_that_a_stop_cancels_leaves_a_record(bench: Bench) -> None:
    router, started = Router(), asyncio.Event()

    @router.on(OrderCreated)
    async def hang(event: Created, ctx: Context) -> None:
        started.set()
        await asyncio.Event().wait()

    await bench.store(created())
    worker = await bench.work(router, grace_s=0.0)
    await started.wait()
    await worker.stop()
    await eventually(lambda: recorded(bench, "hang", 1))
    assert [record["outcome"] for record in await bench.records("hang")] == ["released"]


async def test_a_run_of_ten_thousand_events_names_the_first_hundred(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def many(event: Created, ctx: Context) -> list[OrderSynced]:
        return [OrderSynced(channel="1688", order_id=str(number)) for number in range(10_000)]

    fresh = make_event(created(), received_at=datetime.now(UTC))
    await bench.publisher.publish([encode_event(fresh, bench.subjects)])
    worker = await bench.work(router)
    await eventually(lambda: worker.counts.of("many", "done") == 1, within_s=100)
    await eventually(lambda: recorded(bench, "many", 1))
    (record,) = await bench.records("many")
    assert (len(record["published"]), record["published_count"]) == (100, 10_000)
    made = bench.subjects.events_of_type("order.synced")
    assert len(await bench.messages(bench.subjects.stream, made)) == 10_000


async def test_the_stream_of_records_acknowledges_before_it_writes_and_is_made_again(
    bench: Bench,
) -> None:
    router, seen = Router(), []

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    await bench.work(router)
    client, stream = bench.connection.client, bench.subjects.runs_stream
    config = (await call(client, f"STREAM.INFO.{stream}", {}))["config"]
    assert (config["persist_mode"], config["max_age"]) == ("async", 14 * 86400 * 10**9)
    await bench.connection.jetstream.delete_stream(stream)
    await bench.store(created("1"))
    await eventually(lambda: seen == ["1"])  # nothing depends on it
    await bench.work(Router())
    assert (await call(client, f"STREAM.INFO.{stream}", {}))["config"]["name"] == stream


async def test_handlers_run_where_no_record_can_be_kept(bench: Bench) -> None:
    router, seen = Router(), []

    @router.on(OrderCreated)
    async def note(event: Created, ctx: Context) -> None:
        seen.append(event.order_id)

    jetstream = bench.connection.jetstream
    taken = f"{bench.subjects.stream}_TAKEN"
    await jetstream.add_stream(name=taken, subjects=[bench.subjects.all_runs])
    with structlog.testing.capture_logs() as logs:
        await bench.work(router)
    await bench.store(created("1"))
    await eventually(lambda: seen == ["1"])
    assert "runs_not_recorded" in [line["event"] for line in logs]
    await jetstream.delete_stream(taken)


async def test_a_record_of_an_unreadable_message_has_no_key(bench: Bench) -> None:
    router = Router()

    @router.on(OrderCreated)
    async def never(event: Created, ctx: Context) -> None: ...

    subject = bench.subjects.event("1688", "order.created", None)
    await bench.connection.client.publish(input_subject(subject), b"\xff")
    await bench.work(router)
    await bench.handled(router)
    await eventually(lambda: recorded(bench, "never", 1))
    found: list[StoredMessage] = await bench.messages(
        bench.subjects.runs_stream, bench.subjects.all_runs
    )
    assert [stored.nats_subject for stored in found] == [f"{bench.subjects.root}.runs.never.1688._"]
