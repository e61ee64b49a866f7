"""Where an import goes, for the settings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from receiver.bus.consumers import ConsumerPlan
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.read.order_log import OrderLog
from receiver.bus.state.store import StateStore
from receiver.composition.bus import Bus
from receiver.composition.operations import opened_to_act
from receiver.settings import Settings
from receiver.transfer.entries import EntryImport
from receiver.transfer.importing import Target

_COMMIT_S: Final = 10.0
"""Nothing waits for an answer here but the import itself."""
_REMEMBERED: Final = 1000


@contextlib.asynccontextmanager
async def opened_target(
    settings: Settings, plans: Sequence[ConsumerPlan], *, dry_run: bool, handlers_run: bool
) -> AsyncIterator[tuple[Bus, Target]]:
    """The bus, and what an import stores into; raises `BusError` where NATS is away."""
    async with opened_to_act(settings) as bus:
        batching = GroupCommitPublisher(
            bus.connection, timeout_s=_COMMIT_S, remember=_REMEMBERED, staged=bus.staged
        )
        store = StateStore(bus.connection, bus.subjects, timeout_s=_COMMIT_S)
        log = OrderLog(bus.connection, bus.subjects)
        try:
            if not dry_run:
                await store.ensure()
            yield (
                bus,
                Target(
                    connection=bus.connection,
                    subjects=bus.subjects,
                    batching=batching,
                    plain=JetStreamPublisher(bus.connection, timeout_s=_COMMIT_S),
                    entries=lambda known: EntryImport(store, log, known, dry_run=dry_run),
                    plans=plans,
                    dry_run=dry_run,
                    handlers_run=handlers_run,
                ),
            )
        finally:
            await store.stop()
            await batching.stop(within_s=bus.deadline.step_s())
