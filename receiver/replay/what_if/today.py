"""One run of today's code, set back into the time of an event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from receiver.bus.codec import decode_event
from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.schedules import Schedules
from receiver.bus.subjects import Subjects
from receiver.client.sender import Sender
from receiver.errors import BusError, DecodingError
from receiver.observability.logs import get_logger
from receiver.replay.what_if.answers import Answering, NoHTTP, Snapshot
from receiver.replay.what_if.guard import Guard
from receiver.replay.what_if.memory import KeptInMemory, LogUpTo, TimersInMemory, Unpublished
from receiver.replay.what_if.past import Past, PastRun
from receiver.replay.what_if.results import Did, Made, Ran
from receiver.replay.what_if.snapshots import Source
from receiver.replay.what_if.then import RAN
from receiver.testing.observed import ObservedRunner
from receiver.testing.result import HandlerRun
from receiver.worker.effects.holders import LocalHolders
from receiver.worker.effects.ledger import Ledger
from receiver.worker.effects.states import EffectRecord, read_record
from receiver.worker.options import DEFAULT_TIMEOUT_S
from receiver.worker.outcomes import Ack, Term
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler
from receiver.worker.runner import RunResult
from receiver.worker.services import Services


class Today:
    """Runs a handler; its timers and the effects of all runs are in memory."""

    def __init__(
        self,
        handler: Handler,
        past: Past,
        subjects: Subjects,
        recorded: Sender | None,
        guard: Guard,
        *,
        kept: timedelta,
        texts: bool,
    ) -> None:
        self.timers = TimersInMemory(kept=kept)
        self._handler = replace(handler, options=replace(handler.options, coalesce_s=None))
        self._past = past
        self._subjects = subjects
        self._recorded = recorded
        self._guard = guard
        self._kept = kept
        self._texts = texts
        self._http = NoHTTP(guard.noted)
        self._entries = KeptInMemory()
        self._holders = LocalHolders()

    async def run(
        self, message: StoredMessage, then: PastRun | None, failures: int, at: datetime
    ) -> Ran:
        """Run it as in the run `then`, else for the first time, at a time. What a run sets that has
        no counterpart does not fire: it may set itself again for ever.
        """
        self._guard.noted.clear()
        answering = Answering(
            self._recorded, _Snapshots(self._past, message, then, at).find, self._guard.noted
        )
        clock = then.started_at if then else at
        self._entries.begin(_Ledger(self._past, clock).get)
        timers = self.timers if then else TimersInMemory(kept=self._kept)
        services = self._services(message, answering, timers, clock)
        attempt = then.attempt if then else 1
        ran: list[HandlerRun] = []
        runner = ObservedRunner(
            services,
            recorder=cast(Unpublished, services.publisher),
            on_run=lambda _, run: ran.append(run),
        )
        log = get_logger("yizhan.handlers")
        limit_s = self._handler.options.timeout_s or DEFAULT_TIMEOUT_S
        with self._guard.running(limit_s):
            result = await runner.run(
                self._handler, message, attempt=attempt, failures=failures, log=log
            )
        await services.aclose()
        if isinstance(result.raised, BusError) and not isinstance(result.raised, DecodingError):
            raise result.raised  # it is the past that cannot be read: here nothing else asks NATS
        unanswered = [*dict.fromkeys(self._guard.noted)]
        if not unanswered:  # else it is not known what became of its effects
            self._entries.keep()
        effects = [effect for effect in ran[0].effects if _ran_at(effect, clock)]
        settled = f"{decode_header(message.headers.get('ce-id', ''))}.settled."
        did = _did(ran[0], result, answering, effects, settled)
        return Ran(replace(did, at=clock), effects, unanswered)

    def _services(
        self, message: StoredMessage, answering: Answering, timers: TimersInMemory, clock: datetime
    ) -> Services:
        def now() -> datetime:
            return clock

        return Services(
            publisher=Unpublished(message.stream_seq),
            subjects=self._subjects,
            policy=RetryPolicy(),
            clock=now,
            schedules=cast(Schedules, timers),
            state=self._entries,
            ledger=Ledger(self._entries, self._holders, clock=now, kept=self._kept),
            log=LogUpTo(self._past, message.stream_seq),
            api=answering.api(self._http),
            texts=self._texts,
            shared_http=self._http,
        )


def _did(
    run: HandlerRun,
    result: RunResult,
    answering: Answering,
    effects: Sequence[EffectRecord],
    settled: str,
) -> Did:
    """Without what the engine published to settle a conflict, whose id begins with `settled`: no
    record names it, since the handler did not publish it.
    """
    failed = not isinstance(result.decision, Ack | Term)
    made = [
        Made(event.event_type, event.order_id, event.data.model_dump(mode="json"))
        for event in run.published
        if not event.id.startswith(settled)
    ]
    return Did(
        outcome=run.outcome,
        attempt=run.attempt,
        error=run.error,
        error_digest=result.cause.fingerprint if result.cause and failed else None,
        published=made,
        published_count=len(made),
        calls=answering.calls,
        calls_count=len(answering.calls),
        scheduled=run.scheduled,
        cancelled=run.cancelled,
        effects=sorted(effect.name for effect in effects),
        logs=run.logs,
    )


def _ran_at(effect: EffectRecord, at: datetime) -> bool:
    """Whether its body ran in the run at a time, as far as the ledger knows."""
    return effect.state in RAN and effect.at == at


@dataclass(frozen=True, slots=True)
class _Ledger:
    """The stored ledger as it was at a time: an entry that was made or changed later is left out,
    since what it was before is not kept.
    """

    past: Past
    at: datetime

    async def get(self, key: str) -> bytes | None:
        value = await self.past.effect(key)
        try:
            return value if value and read_record(value).at < self.at else None
        except DecodingError:
            return None


@dataclass(frozen=True, slots=True)
class _Snapshots:
    """The snapshots that a run is answered from: one that the run itself published then, else the
    last that was stored before.
    """

    past: Past
    message: StoredMessage
    then: PastRun | None
    at: datetime

    async def find(self, source: Source, wanted: str) -> Snapshot | None:
        """See `Find`."""
        order_id = decode_header(self.message.headers.get("ce-subject", ""))
        if source.id_field == "order_id":
            order_id = wanted
        if not order_id:
            return None
        own = set(self.then.published) if self.then else set()
        before = self.then.started_at if self.then else self.at
        latest: Snapshot | None = None
        kind = f"yizhan.{source.model.event_type}."
        for stored in await self.past.events(source.channel, order_id):
            is_own = decode_header(stored.headers.get("ce-id", "")) in own
            if not stored.headers.get("ce-type", "").startswith(kind):
                continue
            if not is_own and stored.stored_at > before:
                continue
            try:
                data = decode_event(stored.headers, stored.body).data
            except DecodingError:
                continue
            if getattr(data, source.id_field) == wanted:
                latest = data, stored.stream_seq
                if is_own:
                    break
        return latest
