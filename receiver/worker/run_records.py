"""Records of runs: published without waiting, read again when an event is given up.

A record that is lost is missed by nothing but the history in a dead letter.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from nats.errors import Error as NatsError
from pydantic_core import to_json

from receiver.bus.connection import Connection
from receiver.bus.dead_letters import Attempt
from receiver.bus.headers import TIMER, decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.read.history import Span, opened_history
from receiver.bus.runs_stream import ensure_runs_stream
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.resilience.cancellation import cancel

_LOOK_AGAIN_S: Final = 30.0
_START_S: Final = 1.0
_HISTORY_S: Final = 5.0
MAX_ATTEMPTS: Final = 10
"""So many earlier attempts a dead letter lists, the last ones."""


@dataclass(slots=True)  # frozen, it takes four times as long to make
class RunRecord:
    """What one run did, as JSON on `yizhan.runs.<handler>.<channel>.<key>`.

    `outcome` is that of the log. `error_digest` is the fingerprint of what it failed with, `place`
    where; both are null where it did not. `published` are ids of events, `api` the endpoints that
    were called, in order, the first hundred of each. `timer` is the key of the one that fired.
    `effects` are the names of those that happened, `suppressed` of those that had happened before;
    `replay` is the name and the plan of the replay that gave the event, as `<name>.<plan>`.
    """

    event_id: str | None
    stream_seq: int
    attempt: int
    started_at: str
    duration_ms: float
    outcome: str
    error_digest: str | None
    place: str | None
    published: Sequence[str]
    published_count: int
    api: Sequence[str]
    api_count: int
    timer: str | None = None
    effects: Sequence[str] = ()
    suppressed: Sequence[str] = ()
    replay: str | None = None


class RunRecords:
    """Writes the records of a worker's runs, and reads them. Raises nothing of NATS'."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects
        self._looking: asyncio.Task[None] | None = None
        self._look_at = 0.0
        self._taken = False
        self._why_not = ""
        connection.on_reconnect(self._look_soon)

    async def start(self) -> None:
        """Have the stream made; what takes longer than a moment goes on by itself."""
        self._look()
        assert self._looking is not None
        await asyncio.wait({self._looking}, timeout=_START_S)

    async def stop(self) -> None:
        """Make no stream any more."""
        if self._looking is not None:
            await cancel(self._looking)

    def put(self, handler: str, message: StoredMessage, record: RunRecord) -> None:
        """Publish a record where the stream takes it; its acknowledgement is not waited for."""
        ended = self._looking is None or self._looking.done()
        if ended and asyncio.get_running_loop().time() >= self._look_at:
            self._look()
        if not self._taken:
            return
        subject = self._subjects.run(handler, message.nats_subject)
        with contextlib.suppress(BusError, NatsError):
            client = self._connection.client
            body = to_json(record)
            client.write_soon(b"PUB %b %d\r\n%b\r\n" % (subject.encode(), len(body), body))

    async def failures(
        self, handler: str, message: StoredMessage, event_id: str
    ) -> Sequence[Attempt]:
        """The failed runs on an event, oldest first, as far as their records are there."""
        subject = self._subjects.run(handler, message.nats_subject)
        span = Span((subject,), since=_known_since(message))
        found: list[Attempt] = []
        stream = self._subjects.runs_stream
        with contextlib.suppress(BusError, NatsError, OSError, TimeoutError):
            async with (
                asyncio.timeout(_HISTORY_S),
                opened_history(self._connection, stream, span) as history,
            ):
                async for stored in history.read():
                    found += _attempt(stored.body, message, event_id)
        return found

    def _look_soon(self) -> None:
        self._look_at = 0.0

    def _look(self) -> None:
        self._look_at = asyncio.get_running_loop().time() + _LOOK_AGAIN_S
        self._looking = asyncio.create_task(self._ensure(), name="runs-stream")

    async def _ensure(self) -> None:
        try:
            await ensure_runs_stream(self._connection.client, self._subjects)
        except BusError as error:
            self._taken, before, self._why_not = False, self._why_not, str(error)
            if self._why_not != before:
                get_logger("yizhan.handlers").warning("runs_not_recorded", error=self._why_not)
        else:
            self._taken, self._look_at, self._why_not = True, math.inf, ""


def _known_since(message: StoredMessage) -> datetime:
    """When the event came in: the message may be a later copy of it, made to be run again."""
    try:
        received = datetime.fromisoformat(message.headers.get("ce-receivedtime", ""))
        return min(received, message.stored_at)
    except (ValueError, TypeError):
        return message.stored_at


def _attempt(body: bytes, message: StoredMessage, event_id: str) -> list[Attempt]:
    """The attempt of a record; none where it is of another message or timer, or no record."""
    try:
        record: Mapping[str, Any] = json.loads(body)
        same = record["stream_seq"] == message.stream_seq or (
            event_id and record["event_id"] == event_id
        )
        timer = decode_header(message.headers.get(TIMER, "")) or None
        if not same or record.get("timer") != timer or record["error_digest"] is None:
            return []
        started = datetime.fromisoformat(record["started_at"])
        return [Attempt(started, record["error_digest"], record["place"] or "")]
    except (ValueError, KeyError, TypeError):
        return []
