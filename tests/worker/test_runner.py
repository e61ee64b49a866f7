"""One run of a handler: what it publishes, and how it ends."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from receiver.bus.codec import encode_event
from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.state.memory import MemoryEntries
from receiver.bus.subjects import Subjects
from receiver.client.platform import PlatformAPI
from receiver.client.priority import Priority, current_priority
from receiver.errors import APIRejectedError, BusError
from receiver.event import Event, Origin
from receiver.observability.logs import get_logger
from receiver.settings import APISettings
from receiver.testing import NOON, RecordingPublisher, make_event, run_handler
from receiver.testing.schedules import RecordingSchedules
from receiver.worker.effects.holders import LocalHolders
from receiver.worker.effects.ledger import Ledger
from receiver.worker.interface import Context, Drop, Retry
from receiver.worker.outcomes import NakWithDelay
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler
from receiver.worker.runner import Runner
from receiver.worker.services import Services
from schemas.events import LogisticsTracked, OrderCreated, OrderSynced

CREATED = make_event(
    OrderCreated(channel="1688", order_id="2745812000123456789"),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
SYNCED = OrderSynced(channel="1688", order_id="2745812000123456789")
TRACKED = LogisticsTracked(channel="1688", order_id="2745812000123456789")


async def sync(event: Event[OrderCreated], ctx: Context) -> list[OrderSynced]:
    return [SYNCED, SYNCED]


def runner_of(publisher: RecordingPublisher) -> Runner:
    state = MemoryEntries()
    return Runner(
        Services(
            publisher=publisher,
            subjects=Subjects(),
            policy=RetryPolicy(),
            clock=lambda: NOON,
            schedules=RecordingSchedules(),
            state=state,
            ledger=Ledger(state, LocalHolders(), clock=lambda: NOON, kept=timedelta(days=90)),
        )
    )


def as_handler(function: Any, *, needs_api: bool = False) -> Handler:
    return Handler(function.__name__, function, (OrderCreated,), needs_api=needs_api)


async def test_what_a_handler_returns_is_published_as_caused_by_its_event() -> None:
    ran = await run_handler(sync, CREATED)
    assert ran.outcome == "done"
    assert [event.id for event in ran.published] == [
        f"{CREATED.id}.sync.0",
        f"{CREATED.id}.sync.1",
    ]
    event = ran.published[0]
    assert event.data == SYNCED
    assert event.causation_id == CREATED.id
    assert event.callback_id == CREATED.callback_id
    assert (event.origin, event.source, event.trust) == ("handler", "test", "body")
    assert event.time == NOON
    assert event.traceparent == CREATED.traceparent


async def test_a_handler_that_asks_the_platform_is_trusted_as_having_asked() -> None:
    ran = await run_handler(as_handler(sync, needs_api=True), CREATED)
    assert {event.trust for event in ran.published} == {"requeried"}


async def test_a_rerun_publishes_nothing_twice() -> None:
    publisher = RecordingPublisher()
    first = await run_handler(sync, CREATED, publisher=publisher)
    again = await run_handler(sync, CREATED, publisher=publisher, attempt=2)
    assert (len(first.published), len(again.published)) == (2, 0)


async def test_ids_go_on_from_what_was_published_during_the_run() -> None:
    async def track(event: Event[OrderCreated], ctx: Context) -> OrderSynced:
        published = await ctx.publish(TRACKED)
        assert published.id == f"{CREATED.id}.track.0"
        return SYNCED

    ran = await run_handler(track, CREATED)
    assert [event.id for event in ran.published] == [
        f"{CREATED.id}.track.0",
        f"{CREATED.id}.track.1",
    ]


@pytest.mark.parametrize(
    ("origin", "priority"),
    [("push", "live"), ("replay", "replay"), ("reparse", "replay"), ("sweep", "sweep")],
)
async def test_calls_for_an_old_event_wait_behind_those_for_a_new_one(
    origin: Origin, priority: Priority
) -> None:
    seen: list[Priority] = []

    def answer(_: httpx2.Request) -> httpx2.Response:
        seen.append(current_priority())
        return httpx2.Response(200, json={"code": 200, "data": []})

    async def track(event: Event[OrderCreated], ctx: Context) -> None:
        await ctx.api.alibaba.orders.logistics("1")

    settings = APISettings(access_key="k", secret=SecretStr("s"))
    event = make_event(CREATED.data, origin=origin)
    async with PlatformAPI.open(settings, transport=httpx2.MockTransport(answer)) as api:
        ran = await run_handler(track, event, api=api)

    assert (ran.outcome, seen) == ("done", [priority])


async def test_a_handler_is_not_run_on_what_it_caused_itself() -> None:
    caused = make_event(SYNCED, id=f"{CREATED.id}.sync.0.other.0", origin="handler")
    ran = await run_handler(sync, caused)
    assert ran.outcome == "dropped"
    assert not ran.published


@pytest.mark.parametrize(
    ("after", "outcome"),
    [("settled.1795755664", "done"), ("settled.0", "dropped"), ("settled.t912.0.x.1", "dropped")],
)
async def test_a_handler_called_settled_gets_what_settles_a_conflict(
    after: str, outcome: str
) -> None:
    async def settled(event: Event[OrderCreated], ctx: Context) -> None: ...

    caused = make_event(SYNCED, id=f"{CREATED.id}.{after}", origin="handler")
    assert (await run_handler(settled, caused)).outcome == outcome


@pytest.mark.parametrize("result", [{"channel": "1688"}, "text", [SYNCED, None], 7])
async def test_a_result_that_is_no_event_is_dead_lettered_with_a_sentence(result: Any) -> None:
    async def lost(event: Event[OrderCreated], ctx: Context) -> Any:
        return result

    ran = await run_handler(lost, CREATED)
    assert ran.outcome == "dead_lettered"
    assert "return an event's data" in ran.error


async def test_a_coroutine_behind_a_plain_decorator_is_dead_lettered_with_a_sentence() -> None:
    def decorated(event: Event[OrderCreated], ctx: Context) -> Any:
        return sync(event, ctx)

    ran = await run_handler(decorated, CREATED)
    assert ran.outcome == "dead_lettered"
    assert "as behind a decorator: write that as `async def`, too" in ran.error


async def test_asking_for_an_api_that_is_not_there_is_answered_with_a_sentence() -> None:
    async def ask(event: Event[OrderCreated], ctx: Context) -> None:
        await ctx.api.alibaba.orders.detail("1")

    ran = await run_handler(ask, CREATED)
    assert ran.outcome == "dead_lettered"
    assert "add an [api] section" in ran.error


async def test_a_publish_failure_tries_again_later_whatever_the_attempt() -> None:
    ran = await run_handler(
        sync, CREATED, attempt=50, publisher=RecordingPublisher(BusError("away"))
    )
    assert ran.decision == NakWithDelay(3600.0, failed=False)


@pytest.mark.parametrize(
    ("signal", "outcome"), [(Retry(after=9), "postponed"), (Drop("old"), "dropped")]
)
async def test_signals_steer(signal: Exception, outcome: str) -> None:
    async def steer(event: Event[OrderCreated], ctx: Context) -> None:
        raise signal

    ran = await run_handler(steer, CREATED)
    assert ran.outcome == outcome


async def test_a_cancellation_that_nobody_asked_for_is_a_failure() -> None:
    async def cancel_itself(event: Event[OrderCreated], ctx: Context) -> None:
        inner = asyncio.create_task(asyncio.sleep(60))
        inner.cancel()
        await inner

    ran = await run_handler(cancel_itself, CREATED)
    assert (ran.outcome, ran.error) == ("retried", "CancelledError")


async def test_a_real_cancellation_goes_through() -> None:
    started = asyncio.Event()

    async def wait(event: Event[OrderCreated], ctx: Context) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(run_handler(wait, CREATED))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def refused(event: Event[OrderCreated], ctx: Context) -> None:
    raise APIRejectedError("order_detail: refused 订单")


async def test_a_dead_letter_holds_the_original_and_its_cause() -> None:
    ran = await run_handler(refused, CREATED, attempt=3)
    original = encode_event(CREATED, Subjects())
    (letter,) = ran.dead_letters
    assert re.fullmatch(r"yizhan\.dead\.refused\.[0-9a-f]{12}", letter.subject)
    assert letter.body == original.body
    assert letter.headers["ce-id"] == CREATED.id
    buried_ms = int(NOON.timestamp() * 1000)
    assert letter.headers["Nats-Msg-Id"] == f"{CREATED.id}.refused.1.{buried_ms}"
    told = {name: decode_header(text) for name, text in letter.headers.items()}
    assert told["yizhan-handler"] == "refused"
    assert told["yizhan-reason"] == "APIRejectedError: order_detail: refused 订单"
    assert told["yizhan-place"].startswith(f"{__name__}.refused:")
    assert told["yizhan-attempts"] == "3"
    assert told["yizhan-subject"] == original.subject
    assert told["yizhan-streamseq"] == "1"
    assert told["yizhan-time"] == NOON.isoformat()


async def test_a_dead_letter_that_cannot_be_stored_is_tried_again() -> None:
    ran = await run_handler(refused, CREATED, publisher=RecordingPublisher(BusError("away")))
    assert ran.decision == NakWithDelay(1.0)
    assert "away" in ran.error


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        ({"ce-specversion": "1.0", "ce-type": "yizhan.order.created.v1"}, b"{"),
        ({"ce-specversion": "1.0", "ce-type": "yizhan.order.vanished.v1", "ce-id": "x"}, b"{}"),
    ],
)
async def test_a_message_that_does_not_decode_is_dead_lettered(
    headers: dict[str, str], body: bytes
) -> None:
    publisher = RecordingPublisher()
    runner = runner_of(publisher)
    stored = StoredMessage("yizhan.events.1688.order.created.1", headers, body, 7, NOON)
    ran = await runner.run(as_handler(sync), stored, attempt=1, log=get_logger("test"))
    assert ran.decision.outcome == "dead_lettered"
    assert publisher.messages[0].headers["yizhan-reason"].startswith("DecodingError")
    assert publisher.messages[0].body == body


async def test_a_dead_letter_leaves_the_servers_own_headers_out() -> None:
    publisher = RecordingPublisher()
    runner = runner_of(publisher)
    message = encode_event(CREATED, Subjects())
    headers = {**message.headers, "Nats-Expected-Last-Sequence": "1", "nats-ttl": "1s"}
    stored = StoredMessage(message.subject, headers, message.body, 7, NOON)
    await runner.run(as_handler(refused), stored, attempt=1, log=get_logger("test"))
    names = [name for name in publisher.messages[0].headers if name.lower().startswith("nats-")]
    assert names == ["Nats-Msg-Id"]


async def test_a_message_delivered_without_end_is_dead_lettered_unseen() -> None:
    runs = []

    async def count(event: Event[OrderCreated], ctx: Context) -> None:
        runs.append(event)

    ran = await run_handler(count, CREATED, attempt=1001)
    assert (ran.outcome, runs) == ("dead_lettered", [])
