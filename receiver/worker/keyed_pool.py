"""Keyed pool: items of one key run one at a time and in order, keys run in parallel."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from receiver.observability.logs import get_logger
from receiver.observability.places import place_of
from receiver.resilience.cancellation import PATIENCE_S, cancel_all

ItemT = TypeVar("ItemT")


class KeyedPool(Generic[ItemT]):
    """At most `concurrency` items run at once, at most one of each key.

    `work` runs an item and raises nothing; `on_finished` is called when an item is through,
    whichever way. Neither is called for what `stop` gives back.
    """

    def __init__(
        self,
        concurrency: int,
        work: Callable[[ItemT], Awaitable[None]],
        on_finished: Callable[[ItemT], None],
    ) -> None:
        self._work = work
        self._on_finished = on_finished
        self._slots = asyncio.Semaphore(concurrency)
        self._queues: dict[Hashable, deque[ItemT]] = {}
        self._tasks: dict[asyncio.Task[None], Hashable] = {}
        self._stopping = False

    def add(self, key: Hashable, item: ItemT) -> None:
        """Queue `item` behind what has the same key."""
        if key in self._queues:
            self._queues[key].append(item)
            return
        self._queues[key] = deque([item])
        task = asyncio.create_task(self._run(key), name=f"lane-{key}")
        self._tasks[task] = key
        task.add_done_callback(self._ended)

    async def stop(self, *, grace_s: float, patience_s: float = PATIENCE_S) -> list[ItemT]:
        """Start nothing more, let what runs finish within `grace_s`, cancel the rest.

        Returns what was not run to its end. Work that ignores its cancellation for `patience_s`
        is left behind.
        """
        self._stopping = True
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=grace_s)
            await cancel_all(late, patience_s=patience_s)
        return [item for queue in self._queues.values() for item in queue]

    async def _run(self, key: Hashable) -> None:
        queue = self._queues[key]
        while queue:
            async with self._slots:
                if self._stopping:
                    return
                await self._work(queue[0])
            self._on_finished(queue.popleft())
        del self._queues[key]

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
