"""Replays as an operator lists, plans, begins and cancels them; nothing here prints or asks.

What a replay gives to handlers, the workers that hold them run: to begin one takes no code of
theirs. To plan one does, for the types that they take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from receiver.bus.state.store import state_info
from receiver.errors import ConfigurationError
from receiver.operations.audit_trail import AuditTrail, words_of
from receiver.operations.replay_targets import takers
from receiver.operations.replaying import (
    Progress,
    Standing,
    Workers,
    state_of,
    without_process,
)
from receiver.replay.plan import Planning, Wish
from receiver.replay.report import HandlerReport, report_of
from receiver.replay.runs import Runs
from receiver.worker.replaying.record import HANDLER, SUBJECT, ReplayRecord
from receiver.worker.routing import Handler


def replay_document(record: ReplayRecord) -> dict[str, Any]:
    """A replay as JSON; of single events the number."""
    found = record.model_dump(mode="json")
    return {**found, "sequences": len(record.sequences), "subjects": found.pop("nats_subjects")}


async def keep_plan(
    planning: Planning, record: ReplayRecord, wish: Wish, trail: AuditTrail
) -> None:
    """Keep a plan, recorded as an act; raises what `Planning.keep` and the trail raise."""
    words = {"replay": record.name, **words_of(wish.filters)}
    where, numbers = ", ".join(wish.targets), {"selected": record.count}
    async with trail.act("replay-plan", target=where, filters=words, numbers=numbers):
        await planning.keep(record)


async def cancel_replay(runs: Runs, record: ReplayRecord, trail: AuditTrail) -> None:
    """Give nothing more of a replay, for good, recorded as an act; raises likewise."""
    where = ", ".join(record.targets)
    async with trail.act("replay-cancel", target=where, filters={"replay": record.name}):
        await runs.cancel(record)


class ReplayOperations:
    """The replays of one root. Everything raises `BusError`, and `ConfigurationError` for what
    cannot be done to a replay as it is. `loaded` are the handlers that are known here; `workers`
    gives the processes to look at, by default by asking them, which takes a moment.
    """

    def __init__(
        self,
        runs: Runs,
        planning: Planning,
        loaded: Sequence[Handler],
        *,
        has_api: bool,
        workers: Workers | None = None,
    ) -> None:
        self._runs = runs
        self._replays = runs.replays
        self._planning = planning
        self._loaded = loaded
        self._has_api = has_api
        self._workers = workers

    @property
    def targets(self) -> list[str]:
        """The handlers to which a replay can be planned here."""
        able = [h for h in self._loaded if not h.off and (self._has_api or not h.needs_api)]
        return [handler.name for handler in able]

    async def all(self) -> list[tuple[ReplayRecord, str]]:
        """Every replay with its state, those that changed last at the end."""
        if await self._nothing_is_kept():
            return []
        return [
            (one, await state_of(self._runs, one, self._workers))
            for one in await self._replays.all()
        ]

    async def get(self, name: str) -> tuple[ReplayRecord, str] | None:
        """The replay of a name with its state; None where there is none (any more)."""
        if await self._nothing_is_kept() or (found := await self._replays.get(name)) is None:
            return None
        return found.record, await state_of(self._runs, found.record, self._workers)

    async def progress(self, record: ReplayRecord) -> Standing | None:
        """How far it has come; None where nothing of it is under way, or no consumer keeps that."""
        kept = all(target.startswith((HANDLER, SUBJECT)) for target in record.targets)
        if not kept or not record.count or not record.was_begun or record.is_over:
            return None
        return await Progress(self._runs).of(record)

    async def report(self, record: ReplayRecord) -> list[HandlerReport]:
        """What became of it, by the records of its runs: each of them is read."""
        return await report_of(record, self._replays)

    async def why_not_here(self, record: ReplayRecord) -> str:
        """Why the command has to run it; empty where workers can."""
        return await self._why_not(record, self._workers)

    async def _why_not(self, record: ReplayRecord, workers: Workers | None) -> str:
        if not record.handlers:
            return "it goes not to handlers, and the command gives its events"
        without = await without_process(self._runs, record, workers)
        return f"no worker runs {' and '.join(without)} now" if without else ""

    async def plan(self, name: str, wish: Wish, trail: AuditTrail) -> ReplayRecord:
        """Freeze and keep a plan to handlers, with what it would do to each."""
        names = [to.removeprefix(HANDLER) for to in wish.targets]
        takers(names, self._loaded, has_api=self._has_api)
        await self._replays.store.ensure()
        record = await self._planning.freeze(name, wish, trail.by)
        record = await self._planning.foreseen(record)
        await keep_plan(self._planning, record, wish, trail)
        return record

    async def begin(self, record: ReplayRecord, trail: AuditTrail) -> None:
        """Have the workers run it, or go on with it. That is the act that is recorded: it is over
        before the replay is.
        """
        record = await self._runs.runnable(record.name)
        if why := await self._why_not(record, None):
            raise ConfigurationError(f"{why}: yizhan replay run {record.name}")
        if not record.count:
            raise ConfigurationError(f"{record.name} selects nothing: plan another one")
        words = {"replay": record.name, **words_of(record.chosen())}
        where, numbers = ", ".join(record.targets), {"selected": record.count}
        async with trail.act("replay", target=where, filters=words, numbers=numbers):
            await self._runs.begin(record, here=False)

    async def cancel(self, record: ReplayRecord, trail: AuditTrail) -> None:
        """Give nothing more of it, for good; what runs now, it finishes."""
        await cancel_replay(self._runs, record, trail)

    async def _nothing_is_kept(self) -> bool:
        return await state_info(self._replays.connection, self._replays.subjects) is None
