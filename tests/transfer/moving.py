"""Two places on one server: what is stored below one root, and another that it goes to."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nats.js.errors import NotFoundError

from receiver.bus.connection import Connection
from receiver.bus.consumers import ConsumerPlan
from receiver.bus.message import StoredMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.read.filters import Filters
from receiver.bus.read.history import Span, opened_history
from receiver.bus.read.order_log import OrderLog
from receiver.bus.state.store import StateStore
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.transfer.entries import EntryImport
from receiver.transfer.examination import numbered
from receiver.transfer.export import Export, Request
from receiver.transfer.file import ExportReader, ExportWriter
from receiver.transfer.importing import Import, Target
from receiver.transfer.kinds import KINDS, Kind
from receiver.transfer.known import Known
from receiver.transfer.report import Report
from receiver.worker.order_states import OrderStates


@dataclass
class Place:
    """What lies below one root."""

    connection: Connection
    subjects: Subjects
    publisher: GroupCommitPublisher
    store: StateStore

    @property
    def states(self) -> OrderStates:
        return OrderStates(self.store, OrderLog(self.connection, self.subjects))

    async def holds(self, stream: str) -> list[StoredMessage]:
        """Every message of a stream, in order."""
        async with opened_history(self.connection, stream, Span()) as history:
            return [message async for message in history.read()]

    async def export(
        self, file: Path, kinds: Sequence[Kind] = KINDS, filters: Filters | None = None
    ) -> dict[str, int]:
        """The number of lines of each kind."""
        request = Request(kinds, filters or Filters(), {})
        with ExportWriter(file, stdout=io.BytesIO(), force=True) as out:
            await Export(self.connection, self.subjects, request).write(
                out, lambda _: None, lambda _: None
            )
            out.finish()
        return dict(out.counts)

    async def take(
        self, file: Path, *, begin: bool = False, plans: Sequence[ConsumerPlan] = (), **how: Any
    ) -> Report:
        """Import a file."""
        log = OrderLog(self.connection, self.subjects)
        target = Target(
            connection=self.connection,
            subjects=self.subjects,
            batching=self.publisher,
            plain=JetStreamPublisher(self.connection, timeout_s=10),
            entries=lambda known: EntryImport(
                self.store, log, known, dry_run=how.get("dry_run", False)
            ),
            plans=plans,
            **how,
        )
        with file.open("rb") as opened, Known() as known:
            reader = ExportReader(file.name, opened)
            importing = Import(target, reader.manifest, known)
            await importing.run(numbered(reader), lambda _: None)
            if begin:
                await importing.begin_handlers()
            return importing.report


@contextlib.asynccontextmanager
async def opened_place(url: str, subjects: Subjects, **more: Any) -> AsyncIterator[Place]:
    """A place with its streams; they are deleted afterwards."""
    connection = Connection(url, plans(subjects, [timedelta(hours=2, minutes=30)], **more))
    assert await connection.start(patience_s=60)
    publisher = GroupCommitPublisher(connection, timeout_s=10)
    store = StateStore(connection, subjects)
    await store.ensure()
    try:
        yield Place(connection, subjects, publisher, store)
    finally:
        await store.stop()
        await publisher.stop()
        for stream in (
            subjects.stream,
            subjects.dead_stream,
            subjects.state_stream,
            subjects.runs_stream,
            subjects.audit_stream,
        ):
            with contextlib.suppress(NotFoundError):
                await connection.jetstream.delete_stream(stream)
        await connection.stop()


def now() -> datetime:
    return datetime.now(UTC)
