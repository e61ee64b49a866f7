"""Keyed pool: items of one key run one at a time and in order, keys run in parallel."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from receiver.observability.logs import get_logger
from receiver.observability.places import place_of
from receiver.resilience.cancellation import PATIENCE_S, cancel_all

ItemT = TypeVar("ItemT")


async def _at_once(*_: object) -> None:
    """Nothing is to be waited for."""


class KeyedPool(Generic[ItemT]):
    """At most `concurrency` items run at once, at most one of each key.

    `work` runs an item and raises nothing; where it gives True the item is run again, before what
    is behind it. `on_finished` is called when an item is through, whichever way. Neither is called
    for what `stop` gives back or `clear` forgets. An item waits for its time, `due`, while others
    run in its place; then each start waits for `may_start`. An item that is to run `alone` waits
    until nothing else runs, and has nothing begin beside it.
    """

    def __init__(
        self,
        concurrency: int,
        work: Callable[[ItemT], Awaitable[bool]],
        on_finished: Callable[[ItemT], None],
        *,
        due: Callable[[ItemT], Awaitable[None]] = _at_once,
        may_start: Callable[[], Awaitable[None]] = _at_once,
        alone: Callable[[ItemT], bool] = lambda _: False,
    ) -> None:
        self._concurrency = concurrency
        self._work = work
        self._on_finished = on_finished
        self._due = due
        self._may_start = may_start
        self._alone = alone
        self._slots = asyncio.Semaphore(concurrency)
        self._door = asyncio.Lock()
        self._queues: dict[Hashable, deque[ItemT]] = {}
        self._tasks: dict[asyncio.Task[None], Hashable] = {}
        self._running: set[Hashable] = set()
        self._stopping = False

    @property
    def busy(self) -> bool:
        """Whether an item runs."""
        return bool(self._running)

    def add(self, key: Hashable, item: ItemT) -> None:
        """Queue `item` behind what has the same key."""
        if key in self._queues:
            self._queues[key].append(item)
            return
        self._queues[key] = deque([item])
        task = asyncio.create_task(self._run(key), name=f"lane-{key}")
        self._tasks[task] = key
        task.add_done_callback(self._ended)

    def clear(self) -> None:
        """Forget every item that does not run yet."""
        for task, key in list(self._tasks.items()):
            if key in self._running:
                queue = self._queues[key]
                running = queue[0]
                queue.clear()
                queue.append(running)
            else:
                self._queues.pop(key, None)
                task.cancel()

    async def stop(self, *, grace_s: float, patience_s: float = PATIENCE_S) -> list[ItemT]:
        """Start nothing more, let what runs finish within `grace_s`, cancel the rest.

        Returns what was not run to its end. Work that ignores its cancellation for `patience_s`
        is left behind.
        """
        self._stopping = True
        for task, key in self._tasks.items():
            if key not in self._running:
                task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=grace_s)
            await cancel_all(late, patience_s=patience_s)
        return [item for queue in self._queues.values() for item in queue]

    async def _run(self, key: Hashable) -> None:
        queue = self._queues[key]
        while queue:
            await self._due(queue[0])
            async with self._slot(queue[0]):
                await self._may_start()
                if self._stopping:
                    return
                self._running.add(key)
                try:
                    again = await self._work(queue[0])
                finally:
                    self._running.discard(key)
            if not again:
                self._on_finished(queue.popleft())
        del self._queues[key]

    @contextlib.asynccontextmanager
    async def _slot(self, item: ItemT) -> AsyncIterator[None]:
        """One place of all, or all of them; who waits for all keeps others from the door."""
        wanted, taken = (self._concurrency if self._alone(item) else 1), 0
        try:
            async with self._door:
                while taken < wanted:
                    await self._slots.acquire()
                    taken += 1
            yield
        finally:
            for _ in range(taken):
                self._slots.release()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Keep a fault of ours from blocking a key for ever: log it and let its items go."""
        key = self._tasks.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        get_logger("yizhan.handlers").error(
            "lane_failed", error=type(error).__name__, place=place_of(error)
        )
        for item in self._queues.pop(key, ()):
            self._on_finished(item)
