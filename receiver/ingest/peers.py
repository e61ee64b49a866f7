"""Broadcasts stored callbacks to other receivers of the log; best effort, not persisted.

It lets a receiver mark as a retransmission what another took first. After a start or a lost
connection the stream is read instead (`warmup`).
"""

from __future__ import annotations

import asyncio
import json
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
_MAX_QUEUED: Final = 50_000
"""Queued while NATS is away; what is more than that is found in the stream."""


class StoredCallbackBroadcast:
    """Publishes what we stored, and calls `remember` with what others did; `run` it as a task."""

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        remember: Remember,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._subject = subjects.broadcast
        self._remember = remember
        self._sleep = sleep
        self._own = f"{uuid4().hex}\n".encode()
        self._queue: list[tuple[str, str, str, float]] = []
        self._client: Client | None = None
        self._log = get_logger("yizhan.receiver")

    def announce(self, source: str, content: str, callback_id: str, when: datetime) -> None:
        """Queue a stored callback for the others; see `Remember`."""
        if len(self._queue) < _MAX_QUEUED:
            self._queue.append((source, content, callback_id, when.timestamp()))

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

    async def _on_message(self, message: Msg) -> None:
        if message.data.startswith(self._own):
            return
        try:
            for source, content, callback_id, when in json.loads(message.data.partition(b"\n")[2]):
                self._remember(
                    str(source),
                    str(content),
                    str(callback_id),
                    datetime.fromtimestamp(when, UTC),
                )
        except (ValueError, TypeError, OverflowError, OSError):
            self._log.debug("gossip_unreadable")
