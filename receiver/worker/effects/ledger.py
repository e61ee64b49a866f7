"""The ledger: claims an effect before its body runs, and keeps what became of it.

Every change is a compare-and-set on the entry as it was read, so that of several processes one
claims, and none writes over another's claim. What could not be written is known to this process,
which writes it when the effect comes again.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from receiver.bounded_cache import BoundedCache
from receiver.bus.state.keys import effect_key
from receiver.bus.state.store import NOTHING, Entries, Entry, StateConflictError
from receiver.errors import BusError, ConfigurationError
from receiver.observability.logs import get_logger
from receiver.worker.effects.failures import InDoubtError
from receiver.worker.effects.holders import Holders
from receiver.worker.effects.states import (
    EffectRecord,
    State,
    check_transition,
    read_record,
    why_in_doubt,
)
from receiver.worker.interface import Resolve, Retry
from receiver.worker.run_start import in_ledger

MARGIN: Final = timedelta(days=1)
"""What an entry is kept for longer than the events that could ask for it again."""
BODY_MARGIN: Final = timedelta(seconds=30)
"""What a body may take beyond the time of its run: by then it was cancelled, or is left behind."""
_HELD_RETRY_S: Final = 5.0
_UNKNOWN_RETRY_S: Final = 60.0
_TRIES: Final = 8
_STOP_S: Final = 2.0
_MAX_KNOWN: Final = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """An effect that a run asks for; `was` is the handler's former name, `timeout` what the run may
    take. `forced` is the plan of a replay in which it is to happen once more."""

    handler: str
    was: str | None
    name: str
    fact: str
    event_id: str
    event_type: str
    order_id: str | None
    attempt: int
    timeout: timedelta
    event_seq: int | None = None
    forced: str = ""

    @property
    def key(self) -> str:
        """Where it is kept."""
        return effect_key(self.handler, self.fact, self.name, self.forced)

    @property
    def former_key(self) -> str | None:
        """Where it was kept under the handler's former name."""
        return effect_key(self.was, self.fact, self.name, self.forced) if self.was else None


@dataclass(frozen=True, slots=True)
class Found:
    """What a run got: the claim, or what became of the effect before. `revision` is that of the
    claim, and 0 where there is none."""

    key: str
    record: EffectRecord
    revision: int = 0

    @property
    def is_claim(self) -> bool:
        """Whether the body is to run."""
        return self.revision > 0


class Ledger:
    """The effects of one root, as this process sees them; `stop` it after the last run.

    Entries are kept for as long as events are (`kept`), and a day. A key that is `released` or
    `settled` again is kept anew from then on.
    """

    def __init__(
        self,
        entries: Entries,
        holders: Holders,
        *,
        clock: Callable[[], datetime],
        kept: timedelta,
    ) -> None:
        self._entries = entries
        self._holders = holders
        self._clock = clock
        self._ttl = kept + MARGIN
        self._known = BoundedCache[EffectRecord](_MAX_KNOWN)
        self._writes: set[asyncio.Task[None]] = set()
        self._log = get_logger("yizhan.handlers")

    async def open(self, asked: Asked, resolve: Resolve | None) -> Found:
        """Claim the effect, or find that it is over.

        Raises `Retry` where its body runs elsewhere, or `resolve` does not know yet; `InDoubtError`
        where there is no `resolve`; `BusError`.
        """
        if (former := asked.former_key) is not None:
            record, _ = await self._cleared(asked, former, await self._entries.get(former), resolve)
            if record is not None and record.is_over:
                return Found(former, record)
        entry = NOTHING
        for _ in range(_TRIES):
            record, revision = await self._cleared(asked, asked.key, entry, resolve)
            if record is not None and record.is_over:
                return Found(asked.key, record)
            with contextlib.suppress(StateConflictError):
                return await self._claim(asked, record, revision)
            entry = await self._entries.get(asked.key)
        raise _held(asked.name)

    async def close(self, claim: Found, state: State, **changes: Any) -> None:
        """Keep what became of a claim; the caller's cancellation does not stop that.

        Raises `BusError` where it could not be stored. This process knows it all the same.
        """
        await asyncio.shield(self._write(self._close(claim, state, changes)))

    def close_soon(self, claim: Found, state: State, **changes: Any) -> None:
        """The same without waiting."""
        self._write(self._close(claim, state, changes)).add_done_callback(_retrieve)

    async def stop(self) -> None:
        """Let what is being written end; what takes longer is found in doubt."""
        if self._writes:
            await asyncio.wait(self._writes, timeout=_STOP_S)

    async def _cleared(
        self, asked: Asked, key: str, entry: Entry, resolve: Resolve | None
    ) -> tuple[EffectRecord | None, int]:
        """What is kept, and its revision, once it is neither claimed nor in doubt."""
        for _ in range(_TRIES):
            record = None if entry.value is None else read_record(entry.value)
            if record is None or record.state not in {"claimed", "in_doubt"}:
                return record, entry.revision
            with contextlib.suppress(StateConflictError):
                await self._doubted(key, record, entry.revision, resolve)
            entry = await self._entries.get(key)
        raise _held(asked.name)

    async def _doubted(
        self, key: str, record: EffectRecord, revision: int, resolve: Resolve | None
    ) -> None:
        """Move on what is claimed or in doubt, by what can be known of it."""
        known = self._known.get(record.claim)
        if known is not None and record.state == "claimed":
            await self._put(key, known, revision)
        elif record.state == "claimed":
            why = await self._why_in_doubt(record)
            await self._put(key, self._moved(record, "in_doubt", why=why), revision)
            self._warn(key, record, why)
        elif resolve is None:
            raise InDoubtError(record.name, key, record.why or "its body did not end")
        elif (happened := await _answer(resolve)) is None:
            raise Retry(after=_UNKNOWN_RETRY_S, reason=f"what became of {record.name!r} is unknown")
        else:
            moved = self._moved(record, "done" if happened else "released")
            await self._put(key, moved, revision)
            self._log.info(
                "effect_resolved", handler=record.handler, effect=record.name, happened=happened
            )

    async def _why_in_doubt(self, record: EffectRecord) -> str:
        """Raises `Retry` while the body may run."""
        answer = await self._holders.asked(record)
        why = why_in_doubt(answer, late=self._clock() > record.deadline)
        if why is None:
            raise _held(record.name)
        return why

    async def _claim(self, asked: Asked, before: EffectRecord | None, revision: int) -> Found:
        check_transition(before, "claimed")
        now, key, claim = self._clock(), asked.key, secrets.token_hex(8)
        server = await self._holders.begin(claim)
        record = EffectRecord(
            state="claimed",
            handler=asked.handler,
            name=asked.name,
            fact=asked.fact,
            event_id=asked.event_id,
            event_seq=asked.event_seq,
            event_type=asked.event_type,
            order_id=asked.order_id,
            claim=claim,
            worker=self._holders.worker,
            attempt=asked.attempt,
            process=self._holders.process,
            server=server,
            at=now,
            deadline=now + asked.timeout + BODY_MARGIN,
        )
        try:
            return Found(key, record, await self._put(key, record, revision))
        except BaseException as error:
            self._holders.end(record.claim)
            if not isinstance(error, StateConflictError):  # it may be stored yet
                self._known.put(record.claim, self._moved(record, "released"))
            raise

    async def _close(self, claim: Found, state: State, changes: dict[str, Any]) -> None:
        record = self._moved(claim.record, state, **changes)
        self._known.put(record.claim, record)
        try:
            await self._put(claim.key, record, claim.revision)
        except StateConflictError:
            await self._close_late(claim.key, record)
        finally:
            self._holders.end(record.claim)
        if state == "in_doubt":
            self._warn(claim.key, record, record.why or "")

    async def _close_late(self, key: str, record: EffectRecord) -> None:
        """The claim was taken for ended. That it is done is kept where nobody claimed it since."""
        entry = await self._entries.get(key)
        now = None if entry.value is None else read_record(entry.value)
        if now is not None and now.claim == record.claim:
            if now.state == record.state:  # as another run of this process stored it
                return
            if now.state == "in_doubt":
                await self._put(key, record, entry.revision)
                return
        if record.state == "released":  # nothing happened, whoever goes on with it
            return
        self._log.error(
            "effect_claim_lost",
            handler=record.handler,
            effect=record.name,
            key=key,
            state=record.state,
            found=now.state if now else None,
        )

    async def _put(self, key: str, record: EffectRecord, revision: int) -> int:
        """As `Entries.put`; where no answer came it is looked whether it was stored."""
        try:
            return await self._entries.put(key, record.encoded(), revision, ttl=self._ttl)
        except StateConflictError:
            raise
        except BusError:
            entry = await self._entries.get(key)
            if entry.value == record.encoded():
                return entry.revision
            raise

    def _moved(self, record: EffectRecord, state: State, **changes: Any) -> EffectRecord:
        return record.moved(state, self._clock(), **changes)

    def _warn(self, key: str, record: EffectRecord, why: str) -> None:
        self._log.warning(
            "effect_in_doubt", handler=record.handler, effect=record.name, key=key, reason=why
        )

    def _write(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="effect-write")
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task


def _held(name: str) -> Retry:
    return Retry(after=_HELD_RETRY_S, reason=f"the effect {name!r} is under way elsewhere")


async def _answer(resolve: Resolve) -> bool | None:
    """What `resolve` says; a plain function is called in a thread."""
    is_async = inspect.iscoroutinefunction(resolve)
    async with in_ledger(still=False):
        said: Any = resolve() if is_async else await asyncio.to_thread(resolve)
        if isinstance(said, Awaitable):
            said = await said
    if said is not None and not isinstance(said, bool):
        raise ConfigurationError(
            f"resolve of ctx.once gave a {type(said).__name__}: give True where the effect "
            "happened, False where it did not, None where that is not known yet"
        )
    return said


def _retrieve(task: asyncio.Task[None]) -> None:
    """A failure is known to the ledger, and found again when the effect comes again."""
    if not task.cancelled():
        task.exception()
