"""Whatever a handler does, its run ends as one of the known outcomes and nothing else is hurt."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest
import structlog

from receiver.event import Event
from receiver.testing import HandlerRun, make_event, run_handler
from receiver.worker.execution import contain_subtasks
from receiver.worker.interface import Context
from receiver.worker.options import HandlerOptions
from receiver.worker.routing import Handler, Router
from receiver.worker.watchdog import watching_loop
from schemas.events import EventData, OrderClosed, OrderCreated, OrderSynced
from tests.worker.conftest import Bench

Created = Event[OrderCreated]
CREATED = make_event(OrderCreated(channel="1688", order_id="1"))
SYNCED = OrderSynced(channel="1688", order_id="1")


async def ran(function: Any, *, timeout_s: float = 60, attempt: int = 1) -> HandlerRun:
    options = HandlerOptions(timeout_s=timeout_s)
    handler = Handler(function.__name__, function, (OrderCreated,), options=options)
    return await run_handler(handler, CREATED, attempt=attempt)


ERRORS = [
    SystemExit(3),
    KeyboardInterrupt(),
    GeneratorExit(),
    BaseExceptionGroup("g", [asyncio.CancelledError(), ValueError()]),
    asyncio.CancelledError(),
    StopAsyncIteration(),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("attempt", [1, 8])
async def test_whatever_is_raised_is_a_failure(error: BaseException, attempt: int) -> None:
    async def fail(event: Created, ctx: Context) -> None:
        raise error

    def fail_plainly(event: Created, ctx: Context) -> None:
        raise error

    for function in (fail, fail_plainly):
        result = await ran(function, attempt=attempt)
        assert result.outcome == ("retried" if attempt == 1 else "dead_lettered")
        assert result.error.startswith(type(error).__name__)


async def test_an_exit_in_a_task_of_the_handler_is_its_failure() -> None:
    contain_subtasks(asyncio.get_running_loop())

    async def leave() -> None:
        sys.exit(3)

    async def gather(event: Created, ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(leave())
            group.create_task(asyncio.sleep(60)).cancel()

    try:
        result = await ran(gather)
    finally:
        asyncio.get_running_loop().set_task_factory(None)
    assert (result.outcome, result.error.partition(":")[0]) == ("retried", "ExceptionGroup")


async def test_a_run_that_takes_too_long_is_cancelled_and_a_failure() -> None:
    ended = []

    async def hang(event: Created, ctx: Context) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    result = await ran(hang, timeout_s=0.05)
    assert result.error == "TimeLimitError: took longer than 0.05 s"
    assert (result.outcome, ended) == ("retried", ["cancelled"])


async def test_a_run_that_swallows_its_cancellation_is_a_failure_and_left_behind() -> None:
    released = asyncio.Event()

    async def stubborn(event: Created, ctx: Context) -> None:
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()

    with structlog.testing.capture_logs() as logs:
        result = await ran(stubborn, timeout_s=0.05)
    assert (result.outcome, [line["event"] for line in logs]) == ("retried", ["task_left_behind"])
    assert (logs[0]["work"], "stubborn" in logs[0]["place"]) == ("run-stubborn", True)
    released.set()
    await asyncio.sleep(0)


async def test_a_plain_function_runs_in_a_thread_and_publishes_what_it_returns() -> None:
    threads = []

    def sync(event: Created, ctx: Context) -> OrderSynced:
        threads.append(threading.current_thread())
        return SYNCED

    result = await ran(sync)
    assert [event.data for event in result.published] == [SYNCED]
    assert threads[0] is not threading.current_thread()


async def test_a_plain_function_waits_for_what_has_to_be_awaited() -> None:
    def sync(event: Created, ctx: Context) -> None:
        made = ctx.wait(ctx.publish(SYNCED))
        assert made.data == SYNCED

    result = await ran(sync)
    assert (result.outcome, len(result.published)) == ("done", 1)


async def test_a_coroutine_that_waits_as_a_thread_is_refused_with_a_sentence() -> None:
    async def wait(event: Created, ctx: Context) -> None:
        publishing = ctx.publish(SYNCED)
        try:
            ctx.wait(publishing)
        finally:
            await publishing

    result = await ran(wait)
    assert (
        result.error == "ConfigurationError: ctx.wait is for plain functions: write `await` instead"
    )


async def test_a_thread_that_takes_too_long_is_left_behind_and_named() -> None:
    released = threading.Event()

    def hang(event: Created, ctx: Context) -> OrderSynced:
        released.wait()
        return SYNCED

    with structlog.testing.capture_logs() as logs:
        result = await ran(hang, timeout_s=0.05)
    released.set()
    assert (result.outcome, list(result.published)) == ("retried", [])
    assert result.error == "TimeLimitError: took longer than 0.05 s"
    assert [(line["event"], line["handler"]) for line in logs] == [("thread_left_behind", "hang")]
    assert logs[0]["place"].startswith("threading.")


class Hostile(Sequence[Any]):
    """A result that raises what ends an event loop as soon as it is looked at."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        raise SystemExit


async def test_a_result_that_raises_as_it_is_read_is_a_failure() -> None:
    async def lost(event: Created, ctx: Context) -> Any:
        return Hostile()

    result = await ran(lost)
    assert (result.outcome, result.error) == ("retried", "SystemExit")


async def test_a_stop_ends_a_run_that_swallows_one_cancellation() -> None:
    started, swallowed = asyncio.Event(), []

    async def slow(event: Created, ctx: Context) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.append("once")
        await asyncio.Event().wait()

    running = asyncio.create_task(ran(slow))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert swallowed == ["once"]


async def test_a_loop_that_is_blocked_is_reported_once_with_handler_and_stack() -> None:
    async def block(event: Created, ctx: Context) -> None:
        with structlog.testing.capture_logs() as logs:
            while not logs:
                threading.Event().wait(0.01)
            threading.Event().wait(0.1)
        seen.extend(logs)

    seen: list[Any] = []
    with watching_loop(blocked_s=0.04):
        assert (await ran(block)).outcome == "done"
    assert [(line["event"], line["handler"]) for line in seen] == [("handler_blocks_loop", "block")]
    assert any("block:" in place for place in seen[0]["stack"])


async def test_beside_handlers_that_exit_and_hang_the_others_go_on(bench: Bench) -> None:
    router, seen = Router(), []

    @router.on(OrderClosed)
    async def leave(event: Event[OrderClosed], ctx: Context) -> None:
        sys.exit(3)

    @router.on(OrderCreated, timeout=0.05, concurrency=2)
    async def hang(event: Created, ctx: Context) -> None:
        if (event.order_id or "").endswith("9"):
            await asyncio.Event().wait()
        seen.append(event.order_id)

    made: list[EventData] = [OrderClosed(channel="1688", order_id="1")]
    made += [OrderCreated(channel="1688", order_id=order_id) for order_id in ("9", "19", "20")]
    await bench.store(*made)
    worker = await bench.work(router)
    await bench.handled(router)
    assert seen == ["20"]
    assert worker.counts.read() == {
        ("leave", "retried"): 2,
        ("leave", "dead_lettered"): 1,
        ("hang", "retried"): 4,
        ("hang", "dead_lettered"): 2,
        ("hang", "done"): 1,
    }
    assert worker.alive
