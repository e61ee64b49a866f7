"""Replay: re-running stored events, to a handler, to subjects or to a file.

Nothing here moves a handler's own position, and nothing is stored a second time: what a handler
returns is stored only where the stream does not hold it yet, however long ago it was made.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from receiver.bus.codec import decode_event
from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.read.history import SILENCE_S, History, opened_history
from receiver.bus.subjects import Subjects
from receiver.errors import DecodingError
from receiver.event import Event
from receiver.replay.selection import Selection
from schemas.events import EventData


class Sink(Protocol):
    """Where replayed events go."""

    async def put(self, event: Event[EventData], stored: StoredMessage) -> str:
        """Take one event; gives why it failed, or an empty text."""


@dataclass(slots=True)
class Summary:
    """How a replay went; `failures` holds the first few reasons with their stream sequence.

    `first_at` and `last_at` are when the first and the last event looked at were stored.
    """

    selected: int = 0
    delivered: int = 0
    failed: int = 0
    undecodable: int = 0
    duration_s: float = 0.0
    first_at: datetime | None = None
    last_at: datetime | None = None
    failures: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many of the selected were looked at."""
        return self.delivered + self.failed + self.undecodable

    @property
    def numbers(self) -> dict[str, int]:
        """How many were selected, and what became of them."""
        names = ("selected", "delivered", "failed", "undecodable")
        return {name: getattr(self, name) for name in names}

    def note(self, stored: StoredMessage, reason: str) -> None:
        """Keep the first reasons."""
        if len(self.failures) < 10:
            self.failures.append(f"stream sequence {stored.stream_seq}: {reason}")


Progress = Callable[[Summary], None]


async def replay(
    connection: Connection,
    subjects: Subjects,
    selection: Selection,
    sink: Sink,
    *,
    summary: Summary | None = None,
    progress: Progress = lambda _: None,
    silence_s: float = SILENCE_S,
    clock: Callable[[], float] = time.monotonic,
) -> Summary:
    """Give every selected event, oldest first, to `sink`; raises `BusError`, also where the server
    does not answer for `silence_s`.

    `summary` is filled as the replay goes, so that it shows how far an interrupted one came.
    `progress` is called once with the count, then after each event.
    """
    summary = summary or Summary()
    span = selection.span(subjects)
    began = clock()
    try:
        async with opened_history(
            connection, subjects.stream, span, silence_s=silence_s
        ) as history:
            summary.selected = history.count
            progress(summary)
            await _run(history, sink, summary, progress)
    finally:
        summary.duration_s = clock() - began
    return summary


async def _run(history: History, sink: Sink, summary: Summary, progress: Progress) -> None:
    async for stored in history.read():
        try:
            event = decode_event(stored.headers, stored.body)
        except DecodingError as error:
            summary.undecodable += 1
            summary.note(stored, str(error))
        else:
            if reason := await sink.put(event, stored):
                summary.failed += 1
                summary.note(stored, reason)
            else:
                summary.delivered += 1
        summary.first_at = summary.first_at or stored.stored_at
        summary.last_at = stored.stored_at
        progress(summary)
