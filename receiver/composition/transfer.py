"""Where an import goes, for the settings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from receiver.bus.consumers import ConsumerPlan
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.read.order_log import OrderLog
from receiver.bus.state.memory import MemoryEntries
from receiver.bus.state.store import Entries, StateStore, state_info
from receiver.bus.subjects import Subjects
from receiver.composition.bus import Bus
from receiver.composition.repair import opened_to_act
from receiver.errors import ConfigurationError
from receiver.settings import Settings
from receiver.transfer.entries import EntryImport
from receiver.transfer.importing import Target
from receiver.worker.configuration import configured_handlers
from receiver.worker.limits import ConsumerLimits, consumer_plan

_COMMIT_S: Final = 10.0
"""Nothing waits for an answer here but the import itself."""
_REMEMBERED: Final = 1000


@contextlib.asynccontextmanager
async def opened_target(
    settings: Settings, *, dry_run: bool, handlers_run: bool
) -> AsyncIterator[tuple[Bus, Target]]:
    """The bus, and what an import stores into; raises `BusError` where NATS is away."""
    async with opened_to_act(settings) as bus:
        batching = GroupCommitPublisher(
            bus.connection, timeout_s=_COMMIT_S, remember=_REMEMBERED, staged=bus.staged
        )
        store = StateStore(bus.connection, bus.subjects, timeout_s=_COMMIT_S)
        log = OrderLog(bus.connection, bus.subjects)
        try:
            entries: Entries = store
            if not dry_run:
                await store.ensure()
            elif await state_info(bus.connection, bus.subjects) is None:
                entries = MemoryEntries()
            yield (
                bus,
                Target(
                    connection=bus.connection,
                    subjects=bus.subjects,
                    batching=batching,
                    plain=JetStreamPublisher(bus.connection, timeout_s=_COMMIT_S),
                    entries=lambda known: EntryImport(entries, log, known, dry_run=dry_run),
                    plans=tuple(_plans(settings)),
                    dry_run=dry_run,
                    handlers_run=handlers_run,
                ),
            )
        finally:
            await store.stop()
            await batching.stop(within_s=bus.deadline.step_s())


def _plans(settings: Settings) -> Iterator[ConsumerPlan]:
    """The consumers of the handlers that load, whether or not they run with these settings."""
    subjects = Subjects(settings.nats.subject_root)
    with contextlib.suppress(ConfigurationError):  # an import does without them
        for handler in configured_handlers(settings.handlers):
            yield consumer_plan(handler, subjects, ConsumerLimits())
