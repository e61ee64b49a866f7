"""What the screens read and act through: the functions that the shell calls, on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from receiver.bus.connection import Connection
from receiver.bus.publish.contract import Publisher
from receiver.bus.subjects import Subjects
from receiver.console.reveals import Reveals
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.doubt import Doubts
from receiver.operations.durability import Durability
from receiver.operations.handlers import HandlerOperations
from receiver.operations.look.archive import Archive
from receiver.operations.look.configured import Configured
from receiver.operations.repair.letter_acts import LetterActs
from receiver.operations.repair.letters import Letters
from receiver.operations.repair.quarantine import Quarantine
from receiver.operations.repair.reparse import Reparsing
from receiver.operations.repair.snoozing import Snoozing
from receiver.operations.replay_acts import ReplayOperations
from receiver.operations.trying import CallbackSender
from receiver.worker.status import WorkerStatus

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """One for the life of a console, and so is its `archive`, which remembers the letters it has
    read. `status` is the document of `yizhan status`, `counted` what
    the processes count, `workers` those that run handlers; all as they were a moment ago (`Warm`).
    They raise `BusError`. What follows the stream ends once `ending` is set. `configured` is what
    may be shown of the settings, `durability` whether what is acknowledged is on disk. `sender`
    sends test callbacks, where that can be done from here.
    """

    connection: Connection
    subjects: Subjects
    archive: Archive
    publisher: Publisher
    handlers: HandlerOperations
    status: Callable[[], Awaitable[Document]]
    counted: Callable[[], Awaitable[Document]]
    workers: Callable[[], Awaitable[Sequence[WorkerStatus]]]
    replays: ReplayOperations
    reparsing: Reparsing
    doubts: Callable[[], AbstractAsyncContextManager[Doubts]]
    configured: Configured
    durability: Callable[[], Awaitable[Durability]]
    sender: CallbackSender | None = None
    reveals: Reveals = field(default_factory=Reveals)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def letters(self) -> Letters:
        """The dead letters."""
        return Letters(self.connection, self.subjects)

    @property
    def letter_acts(self) -> LetterActs:
        """What is done to dead letters."""
        return LetterActs(self.letters, self.publisher)

    @property
    def snoozing(self) -> Snoozing:
        """What is done to causes of dead letters."""
        return Snoozing(self.connection, self.subjects)

    @property
    def quarantine(self) -> Quarantine:
        """The callbacks that could not be read."""
        return Quarantine(self.connection, self.subjects)

    def trail(self, by: str) -> AuditTrail:
        """Records what `by` does."""
        return AuditTrail(self.connection, self.subjects, by)
