"""Which replays a process feeds: those under way of the handlers that it can run.

What is kept of replays is looked at every few seconds, and at once where somebody says that one
began or ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from receiver.bus import replay_consumers
from receiver.bus.connection import Connection
from receiver.errors import BusError
from receiver.resilience import supervision
from receiver.resilience.cancellation import cancel
from receiver.worker.replaying.feed import ReplayFeed
from receiver.worker.replaying.record import HANDLER, ReplayRecord
from receiver.worker.replaying.store import Replays
from receiver.worker.routing import Handler

WAKE: Final = "replays"
"""Where workers hear that a replay began, or is to end."""
_IDLE_S: Final = 5.0
_BUSY_S: Final = 1.0
_AFRESH: Final = 12
"""After so many looks at what changed everything is looked at: the bucket may be made anew."""


class MakesFeeds(Protocol):
    """A worker: it gives the feed of a replay and one of its handlers."""

    def __call__(
        self,
        record: ReplayRecord,
        handler: Handler,
        goes_on: Callable[[], bool],
        finish: Callable[[], Awaitable[None]],
    ) -> ReplayFeed:
        """`goes_on` and `finish` are those of `ReplayFeed`."""


class ReplayFeeds:
    """The feeds of one process, from `start` to `stop`."""

    def __init__(self, replays: Replays, handlers: Sequence[Handler], make: MakesFeeds) -> None:
        self._replays = replays
        self._connection: Connection = replays.connection
        self._handlers = {handler.name: handler for handler in handlers}
        self._make = make
        self._known: dict[str, ReplayRecord] = {}
        self._after = self._looks = 0
        self._feeds: dict[tuple[str, str], tuple[ReplayFeed, asyncio.Task[None]]] = {}
        self._poke = asyncio.Event()
        self._listening: Client | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on."""
        if self._handlers:
            self._task = supervision.start(self._keep, name="replays")

    async def stop(self) -> None:
        """Add nothing more; what runs in the lanes, these finish."""
        await supervision.stop(self._task)
        self._known.clear()
        for feed, task in self._feeds.values():
            await cancel(task)
            await feed.release()
        self._feeds.clear()

    async def _keep(self) -> None:
        while True:
            self._poke.clear()
            with contextlib.suppress(BusError, NatsError, OSError):
                await self._listen()
                await self._look()
            wait_s = _BUSY_S if self._feeds else _IDLE_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._poke.wait()

    async def _listen(self) -> None:
        """A connection may have been dialled anew."""
        client = self._connection.client
        if client is self._listening:
            return
        await client.subscribe(self._replays.subjects.workers(WAKE), cb=self._on_wake)
        self._listening = client

    async def _on_wake(self, _: Msg) -> None:
        self._poke.set()

    async def _look(self) -> None:
        self._looks += 1
        if self._looks % _AFRESH == 0:
            self._after = 0
        for record, revision in await self._replays.changed(self._after):
            self._after = max(self._after, revision)
            self._known[record.name] = record
        for key in [key for key, (_, task) in self._feeds.items() if task.done()]:
            del self._feeds[key]
        for record in self._known.values():
            for name in record.handlers:
                if name in self._handlers and _is_due(record, name):
                    self._feed(record, self._handlers[name])

    def _feed(self, record: ReplayRecord, handler: Handler) -> None:
        key = (record.label, handler.name)
        if key in self._feeds:
            return
        feed = self._make(
            record,
            handler,
            partial(self._goes_on, record, handler.name),
            partial(self._finish, record, handler.name),
        )
        task = asyncio.create_task(feed.run(), name=f"replay-{record.name}")
        self._feeds[key] = feed, task

    def _goes_on(self, record: ReplayRecord, handler: str) -> bool:
        now = self._known.get(record.name)
        return now is not None and now.plan == record.plan and _is_due(now, handler)

    async def _finish(self, record: ReplayRecord, handler: str) -> None:
        target = f"{HANDLER}{handler}"
        kept = await self._replays.change(
            record.name, lambda one: one.after(target) if one.plan == record.plan else None
        )
        if kept is not None and kept.plan == record.plan:
            self._known[record.name] = kept
            client, stream = self._connection.client, self._replays.subjects.stream
            await replay_consumers.remove(client, stream, record.durable(target))


def _is_due(record: ReplayRecord, handler: str) -> bool:
    return record.state == "running" and f"{HANDLER}{handler}" not in record.done
