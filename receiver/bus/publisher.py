"""Storing messages: a publish returns after every PubAck, and not before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nats.errors import Error as NatsError

from receiver.bus.codec import OutgoingMessage
from receiver.bus.connection import Connection
from receiver.errors import BusError


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a message is in the stream; `duplicate` if it was there already."""

    stream_seq: int
    duplicate: bool


class Publisher(Protocol):
    """Stores messages."""

    async def publish(self, messages: Sequence[OutgoingMessage]) -> Sequence[Stored]:
        """Store all of `messages`, in order; raises `BusError` where one is not acknowledged.

        Idempotent: a message whose id is in the duplicate window is acknowledged, not stored
        again. After a `BusError` some may be stored all the same.
        """


class JetStreamPublisher:
    """Publishes to JetStream; the messages of one call travel together and are synced together."""

    def __init__(self, connection: Connection, *, timeout_s: float = 0.8) -> None:
        self._connection = connection
        self._timeout_s = timeout_s

    async def publish(self, messages: Sequence[OutgoingMessage]) -> Sequence[Stored]:
        """See `Publisher.publish`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.gather(*map(self._publish, messages))
        except TimeoutError as error:
            raise BusError("no acknowledgement in time") from error

    async def _publish(self, message: OutgoingMessage) -> Stored:
        try:
            reply = await self._connection.client.request(
                message.subject,
                message.body,
                timeout=self._timeout_s,
                headers=dict(message.headers),
            )
        except (NatsError, OSError) as error:
            raise BusError(f"not acknowledged: {type(error).__name__}") from error
        return read_ack(reply.data)


def read_ack(data: bytes) -> Stored:
    """Read a PubAck; raises `BusError` where the server refused or the reply is none."""
    try:
        ack = json.loads(data)
        if "error" in ack:
            raise BusError(f"refused: {ack['error'].get('description', 'no reason given')}")
        return Stored(stream_seq=ack["seq"], duplicate=bool(ack.get("duplicate")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BusError("the reply is no acknowledgement") from error
