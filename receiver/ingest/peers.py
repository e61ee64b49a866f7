"""Broadcasts stored callbacks to other receivers of the log; best effort, not persisted.

It lets a receiver mark as a retransmission what another took first. After a start or a lost
connection the stream is read instead (`warmup`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from receiver.bus.connection import Connection, Sleep
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.ingest.warmup import Remember
from receiver.observability.logs import get_logger

_PAUSE_S: Final = 0.2
_MAX_PER_MESSAGE: Final = 1000
_LATE: Final = "answered late"
"""Of a message in place of a list; an older version takes it for damaged."""
_MAX_QUEUED: Final = 50_000
"""Queued while NATS is away; what is more than that is found in the stream."""


class StoredCallbackBroadcast:
    """Publishes what we stored, and calls `remember` with what others did; `run` it as a task.

    So does it with what was answered late, and `late`.
    """

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        remember: Remember,
        late: Callable[[str, str], None] = lambda *_: None,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._subject = subjects.broadcast
        self._remember = remember
        self._late = late
        self._answered_late: list[tuple[str, str]] = []
        self._sleep = sleep
        self._own = f"{uuid4().hex}\n".encode()
        self._queue: list[tuple[str, str, str, float]] = []
        self._client: Client | None = None
        self._log = get_logger("yizhan.receiver")

    def announce(self, source: str, content: str, callback_id: str, when: datetime) -> None:
        """Queue a stored callback for the others; see `Remember`."""
        if len(self._queue) < _MAX_QUEUED:
            self._queue.append((source, content, callback_id, when.timestamp()))

    def announce_late(self, source: str, content: str) -> None:
        """Queue one that was answered late, or not with 200."""
        if len(self._answered_late) < _MAX_PER_MESSAGE:
            self._answered_late.append((source, content))

    async def run(self) -> None:
        """Subscribe and publish, until cancelled."""
        while True:
            try:
                await self._subscribe(self._connection.client)
                await self._flush()
            except (BusError, NatsError, OSError) as error:
                self._log.debug("gossip_failed", error=type(error).__name__)
            await self._sleep(_PAUSE_S)

    async def _subscribe(self, client: Client) -> None:
        """A client that only lost its connection for a while resubscribes by itself."""
        if client is not self._client:
            await client.subscribe(self._subject, cb=self._on_message)
            self._client = client

    async def _flush(self) -> None:
        while some := self._queue[:_MAX_PER_MESSAGE]:
            await self._connection.client.publish(
                self._subject, self._own + json.dumps(some, separators=(",", ":")).encode()
            )
            del self._queue[: len(some)]
        if late := self._answered_late:
            said = json.dumps({_LATE: late}, separators=(",", ":")).encode()
            await self._connection.client.publish(self._subject, self._own + said)
            self._answered_late = []

    async def _on_message(self, message: Msg) -> None:
        if message.data.startswith(self._own):
            return
        try:
            said = json.loads(message.data.partition(b"\n")[2])
            if isinstance(said, dict):
                for source, content in said[_LATE]:
                    self._late(str(source), str(content))
                return
            for source, content, callback_id, when in said:
                self._remember(
                    str(source),
                    str(content),
                    str(callback_id),
                    datetime.fromtimestamp(when, UTC),
                )
        except (ValueError, TypeError, LookupError, OverflowError, OSError):
            self._log.debug("gossip_unreadable")
