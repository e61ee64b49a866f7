"""Keyed pool: items of one key run one at a time and in order, keys run in parallel."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any, Generic, TypeVar

from receiver.observability.logs import get_logger
from receiver.observability.places import place_of
from receiver.resilience.cancellation import PATIENCE_S, cancel_all

ItemT = TypeVar("ItemT")
Pause = Coroutine[Any, Any, None] | None
"""What is to be waited for; None where nothing is."""


class KeyedPool(Generic[ItemT]):
    """At most `concurrency` items run at once, at most one of each key.

    `work` runs an item and raises nothing; where it gives True the item is run again, before what
    is behind it. `begin` is called with the items that start together, just before the first of
    them does. `on_finished` is called when an item is through, whichever way. None of them is
    called for what `stop` gives back or `clear` forgets. An item waits for its time, `due`, while
    others run in its place; then each start waits for `may_start`. An item that is to run `alone`
    waits until nothing else runs, and has nothing begin beside it.
    """

    def __init__(
        self,
        concurrency: int,
        work: Callable[[ItemT], Awaitable[bool]],
        on_finished: Callable[[ItemT], None],
        *,
        begin: Callable[[Sequence[ItemT]], None] = lambda _: None,
        due: Callable[[ItemT], Pause] = lambda _: None,
        may_start: Callable[[], Pause] = lambda: None,
        alone: Callable[[ItemT], bool] = lambda _: False,
    ) -> None:
        self._concurrency = concurrency
        self._work = work
        self._on_finished = on_finished
        self._begin = begin
        self._due = due
        self._may_start = may_start
        self._alone = alone
        self._free = concurrency
        self._queues: dict[Hashable, deque[ItemT]] = {}
        self._ready: deque[Hashable] = deque()
        self._running: dict[Hashable, int] = {}
        self._runs: set[asyncio.Task[None]] = set()
        self._pauses: set[asyncio.Task[None]] = set()
        self._starts_soon = False
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
        self._line_up(key)

    def clear(self) -> None:
        """Forget every item that does not run yet."""
        self._end_pauses()
        self._ready.clear()
        for key, queue in list(self._queues.items()):
            if key not in self._running:
                del self._queues[key]
            while len(queue) > 1:
                queue.pop()

    async def stop(self, *, grace_s: float, patience_s: float = PATIENCE_S) -> list[ItemT]:
        """Start nothing more, let what runs finish within `grace_s`, cancel the rest.

        Returns what was not run to its end. Work that ignores its cancellation for `patience_s`
        is left behind.
        """
        self._stopping = True
        self._end_pauses()
        if self._runs:
            _, late = await asyncio.wait(set(self._runs), timeout=grace_s)
            await cancel_all(late, patience_s=patience_s)
        return [item for queue in self._queues.values() for item in queue]

    def _line_up(self, key: Hashable) -> None:
        """The first item of a key is the next to start of those that are due."""
        pause = self._due(self._queues[key][0])
        if pause is None:
            self._ready.append(key)
            self._start_soon()
        else:
            self._after(pause, lambda: self._line_up(key))

    def _start_soon(self) -> None:
        """At the end of this turn of the event loop: what became ready in it starts together."""
        if not self._starts_soon:
            self._starts_soon = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._starts_soon = False
        if self._stopping or not self._ready or not self._free:
            return
        if (pause := self._may_start()) is not None:
            self._starts_soon = True
            self._after(pause, self._start)
            return
        taken = self._take()
        if not taken:
            return
        self._begin([item for _, item in taken])
        for key, item in taken:
            run = asyncio.create_task(self._run(key, item), name="lane")
            self._runs.add(run)
            run.add_done_callback(self._runs.discard)

    def _take(self) -> list[tuple[Hashable, ItemT]]:
        """Give places to as many as there are; who needs all of them keeps those behind it out."""
        taken: list[tuple[Hashable, ItemT]] = []
        while self._ready:
            key = self._ready[0]
            item = self._queues[key][0]
            places = self._concurrency if self._alone(item) else 1
            if places > self._free:
                break
            self._ready.popleft()
            self._free -= places
            self._running[key] = places
            taken.append((key, item))
        return taken

    async def _run(self, key: Hashable, item: ItemT) -> None:
        queue = self._queues[key]
        done: Sequence[ItemT] = ()
        try:
            if not await self._work(item):
                done = (queue.popleft(),)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not block a key for ever
            get_logger("yizhan.handlers").error(
                "lane_failed", error=type(error).__name__, place=place_of(error)
            )
            done = tuple(queue)
            queue.clear()
        finally:
            self._free += self._running.pop(key)
            self._start_soon()
        for each in done:
            self._on_finished(each)
        if queue:
            self._line_up(key)
        else:
            del self._queues[key]

    def _after(self, pause: Coroutine[Any, Any, None], then: Callable[[], None]) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            if task in self._pauses:  # not given up in the turn in which it ended
                self._pauses.discard(task)
                then()

        task = asyncio.create_task(pause, name="lane-pause")
        self._pauses.add(task)
        task.add_done_callback(ended)

    def _end_pauses(self) -> None:
        for task in self._pauses:
            task.cancel()
        self._pauses.clear()
        self._starts_soon = False
