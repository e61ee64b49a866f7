"""One key at a time, keys in parallel, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from receiver.testing import eventually
from receiver.worker.keyed_pool import KeyedPool, Pause


class Gate:
    """Work that waits until it is let through, and notes what runs."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.done: list[str] = []
        self.left: list[str] = []
        self.open = asyncio.Event()

    async def work(self, item: str) -> bool:
        self.running.append(item)
        await self.open.wait()
        self.running.remove(item)
        self.done.append(item)
        return False


async def test_a_key_runs_one_at_a_time_in_order_and_keys_in_parallel() -> None:
    gate = Gate()
    lanes = KeyedPool(8, gate.work, gate.left.append)
    for item in ("a1", "a2", "b1", "a3", "b2"):
        lanes.add(item[0], item)
    await eventually(lambda: len(gate.running) == 2)
    assert gate.running == ["a1", "b1"]
    gate.open.set()
    await eventually(lambda: len(gate.left) == 5)
    assert [item for item in gate.done if item[0] == "a"] == ["a1", "a2", "a3"]


async def test_no_more_than_the_width_run_at_once() -> None:
    gate = Gate()
    lanes = KeyedPool(2, gate.work, gate.left.append)
    for item in "abcd":
        lanes.add(item, item)
    await eventually(lambda: len(gate.running) == 2)
    assert gate.running == ["a", "b"]
    gate.open.set()
    await eventually(lambda: len(gate.left) == 4)


async def test_a_stop_lets_the_running_finish_and_returns_the_waiting() -> None:
    gate = Gate()
    lanes = KeyedPool(1, gate.work, gate.left.append)
    for item in ("a1", "a2", "b1"):
        lanes.add(item[0], item)
    await eventually(lambda: gate.running == ["a1"])
    stopping = asyncio.create_task(lanes.stop(grace_s=10))
    await asyncio.wait({stopping}, timeout=0.05)
    assert not stopping.done()
    gate.open.set()
    assert await stopping == ["a2", "b1"]
    assert gate.left == ["a1"]


async def test_a_stop_cancels_what_outlives_the_grace_and_returns_it() -> None:
    gate = Gate()
    lanes = KeyedPool(1, gate.work, gate.left.append)
    lanes.add("a", "a1")
    await eventually(lambda: gate.running == ["a1"])
    assert await lanes.stop(grace_s=0.01) == ["a1"]


async def test_work_that_ignores_its_cancellation_does_not_hold_up_the_stop() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def stubborn(item: str) -> bool:
        started.set()
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()
        return False

    left: list[str] = []
    lanes = KeyedPool(1, stubborn, left.append)
    lanes.add("a", "a1")
    await started.wait()
    assert await lanes.stop(grace_s=0.01, patience_s=0.01) == ["a1"]
    release.set()
    await eventually(lambda: left == ["a1"])


async def test_what_becomes_ready_together_begins_together_before_any_of_it_runs() -> None:
    gate = Gate()
    begun: list[tuple[list[str], list[str]]] = []
    lanes = KeyedPool(
        2,
        gate.work,
        gate.left.append,
        begin=lambda items: begun.append((list(items), list(gate.running))),
    )
    gate.open.set()
    for item in ("a1", "b1", "a2", "c1"):
        lanes.add(item[0], item)
    await eventually(lambda: len(gate.left) == 4)
    assert begun == [(["a1", "b1"], []), (["c1", "a2"], [])]


async def test_nothing_starts_before_it_may() -> None:
    gate, allowed = Gate(), asyncio.Event()

    async def wait() -> None:
        await allowed.wait()

    gate.open.set()
    lanes = KeyedPool(
        2, gate.work, gate.left.append, may_start=lambda: None if allowed.is_set() else wait()
    )
    for item in "ab":
        lanes.add(item, item)
    await asyncio.sleep(0.01)
    assert not lanes.busy
    allowed.set()
    await eventually(lambda: gate.left == ["a", "b"])


async def test_a_fault_in_the_work_frees_its_key() -> None:
    left: list[str] = []

    async def broken(item: str) -> bool:
        raise RuntimeError

    lanes = KeyedPool(1, broken, left.append)
    with structlog.testing.capture_logs() as logs:
        lanes.add("a", "a1")
        lanes.add("a", "a2")
        await eventually(lambda: len(left) == 2)
    lanes.add("a", "a3")
    await eventually(lambda: left == ["a1", "a2", "a3"])
    assert logs[0]["event"] == "lane_failed"
    assert logs[0]["error"] == "RuntimeError"


async def test_an_item_that_is_to_run_alone_has_nothing_beside_it() -> None:
    gate = Gate()
    lanes = KeyedPool(3, gate.work, gate.left.append, alone=lambda item: item == "x")
    for item in ("a", "x", "b"):
        lanes.add(item, item)
    await eventually(lambda: gate.running == ["a"])
    beside: list[list[str]] = []

    async def note() -> None:
        while len(gate.left) < 3:
            beside.append(list(gate.running))
            await asyncio.sleep(0)

    gate.open.set()
    await note()
    assert [running for running in beside if "x" in running and len(running) > 1] == []
    assert gate.left == ["a", "x", "b"]


async def test_an_item_that_is_to_run_again_stays_before_what_is_behind_it() -> None:
    tries: list[str] = []

    async def work(item: str) -> bool:
        tries.append(item)
        return len(tries) < 3

    left: list[str] = []
    lanes = KeyedPool(2, work, left.append)
    for item in ("a1", "a2"):
        lanes.add("a", item)
    await eventually(lambda: len(left) == 2)
    assert tries == ["a1", "a1", "a1", "a2"]


async def test_an_item_waits_for_its_time_without_a_place() -> None:
    gate, time = Gate(), asyncio.Event()

    async def wait() -> None:
        await time.wait()

    def due(item: str) -> Pause:
        return wait() if item == "a" and not time.is_set() else None

    gate.open.set()
    lanes = KeyedPool(1, gate.work, gate.left.append, due=due)
    for item in "ab":
        lanes.add(item, item)
    await eventually(lambda: gate.left == ["b"])
    time.set()
    await eventually(lambda: gate.left == ["b", "a"])


async def test_what_is_cleared_is_forgotten_but_what_runs_ends() -> None:
    gate = Gate()
    lanes = KeyedPool(1, gate.work, gate.left.append)
    for item in ("a1", "a2", "b1"):
        lanes.add(item[0], item)
    await eventually(lambda: gate.running == ["a1"])
    lanes.clear()
    gate.open.set()
    await eventually(lambda: not lanes.busy)
    lanes.add("b", "b2")
    await eventually(lambda: gate.left == ["a1", "b2"])


async def test_a_pause_that_ends_as_all_is_forgotten_starts_nothing_twice() -> None:
    gate, ends = Gate(), asyncio.Event()

    def due(item: str) -> Pause:
        return wait_for_end() if item == "early" else None

    async def wait_for_end() -> None:
        await ends.wait()

    lanes = KeyedPool(8, gate.work, gate.left.append, due=due)
    lanes.add("a", "early")
    await asyncio.sleep(0)  # the pause waits
    ends.set()
    await asyncio.sleep(0)  # the pause has ended, and who waits for it is not called yet
    lanes.clear()
    lanes.add("a", "again")
    await eventually(lambda: bool(gate.running))
    for _ in range(10):
        await asyncio.sleep(0)
    assert gate.running == ["again"]
    gate.open.set()
    await eventually(lambda: gate.left == ["again"])
