"""An act on many messages, recorded with what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from receiver.bus.audit_record import Outcome
from receiver.errors import BusError
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.repair.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAct:
    """What is recorded of it; `done` are the counts of success."""

    trail: AuditTrail
    verb: str
    done: Collection[str]
    words: Mapping[str, str]
    target: str | None = None
    reason: str | None = None

    async def run(
        self,
        selected: int,
        tally: Tally,
        acting: Callable[[], Awaitable[None]],
        ended: Callable[[Outcome], None] = lambda _: None,
    ) -> Outcome:
        """Record it, do it, and say how it `ended`: `done` where all was done, `partly` where some
        was, `failed` where nothing was. Where NATS stays away in the middle, what was not done is
        counted, too: it is still there.
        """
        async with self.trail.act(
            self.verb,
            target=self.target,
            reason=self.reason,
            filters=self.words,
            numbers={"selected": selected},
        ) as act:
            try:
                await acting()
            except BusError as error:
                act.error = str(error)
                tally.cut_off(selected, act.error)
            except asyncio.CancelledError:
                tally.cut_off(selected, "stopped")
                raise
            finally:
                act.numbers |= tally.numbers
                act.outcome = _outcome(tally.counts, self.done)
                ended(act.outcome)
        return act.outcome


def _outcome(counts: Mapping[str, int], done: Collection[str]) -> Outcome:
    well = sum(counts.get(word, 0) for word in done)
    if sum(counts.values()) == well:
        return "done"
    return "partly" if well else "failed"
