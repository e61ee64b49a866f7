"""Seeing a replay into handlers to its end: the workers run it, or this process where none does.

The workers' lanes are where live events of the same orders run. Where no process has a handler, a
guest is started here, which holds it and runs the replay alone, until a worker comes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Final

from receiver.bus.consumers import consumer_info
from receiver.bus.durables import PREFIX, count_from
from receiver.errors import BusError, ConfigurationError
from receiver.operations.workers import ask_status
from receiver.replay.runs import Runs
from receiver.worker.replaying.record import ReplayRecord
from receiver.worker.status import WorkerStatus

PATIENCE_S: Final = 60.0
_LOOK_S: Final = 0.5
_ASK_EVERY: Final = 4

Guest = Callable[[Sequence[str]], AbstractAsyncContextManager[str]]
"""Runs replays into some handlers in this process; gives the name of that worker."""
Workers = Callable[[], Awaitable[Sequence[WorkerStatus]]]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a replay has come: of `total` events `left` are not done; `waits` says why nothing
    goes on, where that is known."""

    total: int
    left: int
    waits: str = ""

    @property
    def done(self) -> int:
        """How many are done."""
        return self.total - self.left


class Progress:
    """How far one replay has come whose position a consumer keeps: to handlers, or to a subject.
    Raises `BusError`.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._totals: dict[str, int] = {}

    async def of(self, record: ReplayRecord) -> Standing:
        """As it is now; it was begun, and is not over."""
        left = 0
        for target in record.targets:
            if target not in self._totals:
                self._totals[target] = await self._total(record, target)
            if target in record.done:
                continue
            now = await self._runs.position(record, target)
            left += now.left + now.unfinished if now is not None else 0
        total = sum(self._totals.values())
        return Standing(total, min(left, total), await self._waits(record))

    async def _total(self, record: ReplayRecord, target: str) -> int:
        """How many events the consumer of a target is given."""
        client = self._runs.replays.connection.client
        stream, subjects = self._runs.replays.subjects.stream, record.nats_subjects[target]
        _, whole = await count_from(client, stream, subjects, record.first_seq)
        _, beyond = await count_from(client, stream, subjects, record.last_seq + 1)
        return max(0, whole - beyond)

    async def _waits(self, record: ReplayRecord) -> str:
        replays = self._runs.replays
        client, stream = replays.connection.client, replays.subjects.stream
        for handler in record.handlers:
            with contextlib.suppress(BusError):
                info = await consumer_info(client, stream, f"{PREFIX}{handler}")
                if info is not None and info.get("paused"):
                    return f"{handler} is paused: `yizhan handlers resume {handler}` lets it go on"
        return ""


class ReplayWatch:
    """Of one replay that runs. Raises `BusError` where NATS is away for `patience_s`, and
    `ConfigurationError` where somebody planned another one of its name."""

    def __init__(
        self,
        runs: Runs,
        record: ReplayRecord,
        guest: Guest,
        *,
        say: Callable[[str], None],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._runs = runs
        self._record = record
        self._guest = guest
        self._say = say
        self._patience_s = patience_s
        self._progress = Progress(runs)
        self._hosted: tuple[str, ...] = ()
        self._worker = ""
        self._hosting = AsyncExitStack()

    async def run(self, progress: Callable[[Standing], None]) -> ReplayRecord:
        """Return what is kept of it once it does not run any more."""
        loop = asyncio.get_running_loop()
        heard, looks = loop.time(), 0
        try:
            while True:
                try:
                    record = await self._runs.of(self._record.name)
                    if record.plan != self._record.plan:
                        raise ConfigurationError(f"{record.name} is another replay by now")
                    progress(await self._progress.of(record))
                    if record.state != "running":
                        return record
                    if looks % _ASK_EVERY == 0:
                        await self._host(record)
                    heard, looks = loop.time(), looks + 1
                except BusError:
                    if loop.time() - heard > self._patience_s:
                        raise
                await asyncio.sleep(_LOOK_S)
        finally:
            await self._hosting.aclose()

    async def _host(self, record: ReplayRecord) -> None:
        """Have every handler run somewhere."""
        replays = self._runs.replays
        found = await ask_status(replays.connection.client, replays.subjects)
        others = [status for status in found if status.worker != self._worker]
        workers = [status for status in others if not status.guest]
        left = record.handlers_left
        if any(_has(workers, handler) for handler in self._hosted):
            await self._stop()
        wanted = tuple(h for h in left if h in self._hosted or not _has(others, h))
        if wanted and not self._hosted:
            names = " and ".join(wanted)
            self._say(f"no worker runs {names}: this command runs the replay itself")
            self._worker = await self._hosting.enter_async_context(self._guest(wanted))
            self._hosted = wanted

    async def _stop(self) -> None:
        self._say("a worker came, and goes on with it")
        await self._hosting.aclose()
        self._hosting, self._hosted, self._worker = AsyncExitStack(), (), ""


async def is_run(runs: Runs, record: ReplayRecord, workers: Workers | None = None) -> bool:
    """Whether a process gives the events of a replay: the one that began it, or any that has one of
    the handlers. Raises `BusError`. `workers` gives the processes, by default by asking them, which
    takes a moment.
    """
    if record.runner:
        return await runs.is_run(record)
    without = await without_process(runs, record, workers)
    return len(without) < len(record.handlers_left)


async def without_process(
    runs: Runs, record: ReplayRecord, workers: Workers | None = None
) -> list[str]:
    """Of the handlers that are not done, those that no process has; likewise."""
    replays = runs.replays
    if workers is None:
        found = await ask_status(replays.connection.client, replays.subjects)
    else:
        found = [*await workers()]
    return [handler for handler in record.handlers_left if not _has(found, handler)]


async def state_of(runs: Runs, record: ReplayRecord, workers: Workers | None = None) -> str:
    """Its state, by who runs it: one that no process runs any more is interrupted; likewise."""
    if record.state == "running" and not await is_run(runs, record, workers):
        return "interrupted"
    return record.state


def _has(processes: Sequence[WorkerStatus], handler: str) -> bool:
    return any(handler in status.handlers for status in processes)
