"""Replay: stored events once more, to subjects or to a file.

Nothing here moves a handler's own position, and nothing is stored a second time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from receiver.bus.codec import decode_event
from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.read.history import SILENCE_S, History, Span, opened_history
from receiver.errors import DecodingError
from receiver.event import Event
from receiver.worker.replaying.pace import Pace
from schemas.events import EventData

MAX_REASONS: Final = 10
PATIENCE_S: Final = 60.0
"""How long a run waits for NATS."""


class Sink(Protocol):
    """Where replayed events go."""

    async def put(self, event: Event[EventData], stored: StoredMessage) -> str:
        """Take one event; gives why it failed, or an empty text."""


class Chosen(Protocol):
    """Which events: those of a span that are kept."""

    @property
    def span(self) -> Span:
        """The part of the stream."""

    def keeps(self, stored: StoredMessage) -> bool:
        """Whether a message of it is selected."""


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
        if len(self.failures) < MAX_REASONS:
            self.failures.append(f"#{stored.stream_seq}: {reason}")

    async def put(self, stored: StoredMessage, sink: Sink) -> None:
        """Give one event to a sink, and count what became of it."""
        try:
            event = decode_event(stored.headers, stored.body)
        except DecodingError as error:
            self.undecodable += 1
            self.note(stored, str(error))
        else:
            if reason := await sink.put(event, stored):
                self.failed += 1
                self.note(stored, reason)
            else:
                self.delivered += 1
        self.first_at = self.first_at or stored.stored_at
        self.last_at = stored.stored_at


Progress = Callable[[Summary], None]


async def replay(
    connection: Connection,
    stream: str,
    chosen: Chosen,
    sink: Sink,
    *,
    summary: Summary | None = None,
    progress: Progress = lambda _: None,
    pace: Pace | None = None,
    silence_s: float = SILENCE_S,
    patience_s: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
) -> Summary:
    """Give every selected event, oldest first, to `sink`; raises `BusError`, also where the server
    does not answer for `silence_s`, though it is asked again for `patience_s`.

    `summary` is filled as the replay goes, so that it shows how far an interrupted one came; what
    it says is selected stays. `progress` is called once with the count, then after each event.
    """
    summary = summary or Summary()
    began = clock()
    try:
        async with opened_history(
            connection, stream, chosen.span, silence_s=silence_s, patience_s=patience_s
        ) as history:
            summary.selected = summary.selected or history.count
            progress(summary)
            await _run(history, chosen, sink, summary, progress, pace)
    finally:
        summary.duration_s = clock() - began
    return summary


async def _run(
    history: History,
    chosen: Chosen,
    sink: Sink,
    summary: Summary,
    progress: Progress,
    pace: Pace | None,
) -> None:
    async for stored in history.read():
        if not chosen.keeps(stored):
            continue
        while pace is not None and not pace.take(1):
            await asyncio.sleep(pace.wait_s())
        await summary.put(stored, sink)
        progress(summary)
