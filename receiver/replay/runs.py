"""Beginning, interrupting and cancelling a replay, one process at a time where one gives it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from receiver.bus import replay_consumers
from receiver.bus.client import PipeliningClient
from receiver.bus.jetstream_api import call
from receiver.bus.replay_consumers import Position, ReplayConsumer
from receiver.errors import BusError, ConfigurationError
from receiver.replay.runner import Runner
from receiver.worker.replaying.feeds import WAKE
from receiver.worker.replaying.record import BEGUN_LIFE, HANDLER, SUBJECT, ReplayRecord
from receiver.worker.replaying.store import Found, Replays


class Runs:
    """Of the replays of one root. Everything raises `BusError`, and `ConfigurationError` for what
    cannot be done to a replay as it is."""

    def __init__(self, replays: Replays, runner: Runner, *, clock: Callable[[], datetime]) -> None:
        self.replays = replays
        self._runner = runner
        self._clock = clock

    async def of(self, name: str) -> ReplayRecord:
        """The replay of a name."""
        return (await self._found(name)).record

    async def runnable(self, name: str) -> ReplayRecord:
        """The same of one that can be begun, or gone on with."""
        record = (await self._found(name)).record
        if record.is_over:
            raise ConfigurationError(
                f"the replay {name} is {record.state}: plan another one (`yizhan replay report "
                f"{name}` says what became of it)"
            )
        await self._check_stream(record)
        return record

    async def is_run(self, record: ReplayRecord) -> bool:
        """Whether the process that gives it lives; raises `BusError`."""
        if record.state != "running" or not record.runner:
            return False
        return await self._runner.lives(record.runner)

    async def begin(self, record: ReplayRecord, *, here: bool) -> ReplayRecord:
        """Have it run from now on, by this process where it is to be run `here`, else by workers.

        Raises `ConfigurationError` where another process runs it, or it was cancelled meanwhile.
        """
        await self._check_position(record)
        if here:
            if await self.is_run(record):
                raise ConfigurationError(
                    f"the replay {record.name} runs in another process already: wait for it, or "
                    f"`yizhan replay cancel {record.name}`"
                )
            await self._runner.listen()
        for consumer in () if record.was_begun else self._consumers(record):
            await replay_consumers.make(self._client, consumer)
        runner, now = self._runner.name if here else "", self._clock()
        kept = await self._change(
            record,
            lambda one: (
                None
                if one.is_over
                else one.moved(
                    "running",
                    runner=runner,
                    rate=record.rate,
                    ramp_s=record.ramp_s,
                    begun_at=one.begun_at or now,
                    expires_at=now + BEGUN_LIFE,
                )
            ),
        )
        if kept.state != "running" or kept.runner != runner:
            raise ConfigurationError(f"the replay {record.name} is {kept.state} by now")
        await self.wake()
        return kept

    async def interrupt(self, record: ReplayRecord) -> None:
        """Have it stop, to be gone on with later."""
        await self._change(
            record, lambda one: one.moved("interrupted", runner="") if _goes_on(one) else None
        )
        await self.wake()

    async def finish(self, record: ReplayRecord) -> ReplayRecord:
        """All was given."""
        now = self._clock()
        kept = await self._change(
            record,
            lambda one: (
                None
                if one.is_over
                else one.moved("finished", runner="", ended_at=now, done=one.targets)
            ),
        )
        await self._remove(kept)
        return kept

    async def cancel(self, record: ReplayRecord) -> ReplayRecord:
        """Give nothing more of it, for good; what runs now, it finishes."""
        now = self._clock()
        kept = await self._change(
            record,
            lambda one: None if one.is_over else one.moved("cancelled", runner="", ended_at=now),
        )
        await self.wake()
        await self._remove(kept)
        return kept

    async def wake(self) -> None:
        """Have the workers look."""
        await self._client.publish(self.replays.subjects.workers(WAKE), b"")

    async def position(self, record: ReplayRecord, target: str) -> Position | None:
        """How far a target has come; None where nothing keeps it."""
        consumer = record.consumer(target, self.replays.subjects.stream)
        return await replay_consumers.position(self._client, consumer)

    @property
    def _client(self) -> PipeliningClient:
        return self.replays.connection.client

    def _consumers(self, record: ReplayRecord) -> list[ReplayConsumer]:
        """Those of what is not done yet."""
        if not record.count:
            return []
        return [
            record.consumer(target, self.replays.subjects.stream)
            for target in record.targets
            if target.startswith((HANDLER, SUBJECT)) and target not in record.done
        ]

    async def _check_position(self, record: ReplayRecord) -> None:
        """Begun anew, it would give everything once more."""
        for consumer in self._consumers(record) if record.was_begun else ():
            if await replay_consumers.position(self._client, consumer) is None:
                raise ConfigurationError(
                    f"the consumer {consumer.durable} is gone, and with it how far the replay "
                    f"{record.name} had come: cancel it, and plan it again"
                )

    async def _remove(self, record: ReplayRecord) -> None:
        stream = self.replays.subjects.stream
        for target in record.targets:
            await replay_consumers.remove(self._client, stream, record.durable(target))

    async def _change(
        self, record: ReplayRecord, change: Callable[[ReplayRecord], ReplayRecord | None]
    ) -> ReplayRecord:
        """Of this very plan, not of a later one of its name."""
        kept = await self.replays.change(
            record.name, lambda one: change(one) if one.plan == record.plan else None
        )
        if kept is None or kept.plan != record.plan:
            raise ConfigurationError(f"the replay {record.name} is another one by now")
        return kept

    async def _found(self, name: str) -> Found:
        found = await self.replays.get(name)
        if found is None:
            root = self.replays.subjects.root
            raise ConfigurationError(
                f"{name}: there is no such replay below the root {root}: a plan is kept for a day "
                "(`yizhan replay list`)"
            )
        return found

    async def _check_stream(self, record: ReplayRecord) -> None:
        stream = self.replays.subjects.stream
        info = await call(self._client, f"STREAM.INFO.{stream}", {})
        if "error" in info:
            raise BusError(f"the stream {stream}: {info['error'].get('description')}")
        if info["created"] != record.of_stream:
            raise ConfigurationError(
                f"the stream {stream} was made anew after {record.name} was planned, and its "
                "sequences mean other events: plan it again"
            )


def _goes_on(record: ReplayRecord) -> bool:
    return record.state == "running"
