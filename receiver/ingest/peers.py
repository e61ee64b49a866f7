"""What the receivers of one log tell each other of the callbacks they stored, as it happens.

It goes over plain NATS, is kept nowhere, and may be lost: it only lets a receiver mark what
another took first. After a start, or a lost connection, the stream tells (`recollection`).
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
_AT_ONCE: Final = 1000
_LIMIT_UNTOLD: Final = 50_000
"""What is kept to be told while NATS is away; of what is more, the stream tells."""


class Gossip:
    """Tells others what we stored, and `remember` what they did; let `run` go on beside."""

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        remember: Remember,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._subject = subjects.said
        self._remember = remember
        self._sleep = sleep
        self._own = f"{uuid4().hex}\n".encode()
        self._untold: list[tuple[str, str, str, float]] = []
        self._client: Client | None = None
        self._log = get_logger("yizhan.receiver")

    def tell(self, source: str, content: str, callback_id: str, when: datetime) -> None:
        """Have the others know of a stored callback; see `Remember`."""
        if len(self._untold) < _LIMIT_UNTOLD:
            self._untold.append((source, content, callback_id, when.timestamp()))

    async def run(self) -> None:
        """Listen and tell, until cancelled."""
        while True:
            try:
                await self._listen(self._connection.client)
                await self._tell_some()
            except (BusError, NatsError, OSError) as error:
                self._log.debug("gossip_failed", error=type(error).__name__)
            await self._sleep(_PAUSE_S)

    async def _listen(self, client: Client) -> None:
        """A client that only lost its connection for a while goes on listening by itself."""
        if client is not self._client:
            await client.subscribe(self._subject, cb=self._hear)
            self._client = client

    async def _tell_some(self) -> None:
        while some := self._untold[:_AT_ONCE]:
            await self._connection.client.publish(
                self._subject, self._own + json.dumps(some, separators=(",", ":")).encode()
            )
            del self._untold[: len(some)]

    async def _hear(self, message: Msg) -> None:
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
