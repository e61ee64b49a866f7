"""Storing messages: what a publish promises, and the plain way to keep it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js.errors import NotFoundError

from receiver.bus.codec import OutgoingMessage
from receiver.bus.connection import Connection
from receiver.bus.wire import check_sendable
from receiver.errors import BusError


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a message is in the stream; `duplicate` if it was there already.

    What is `spooled` is on our own disk and on its way into the stream: its `stream_seq` is 0.
    """

    stream_seq: int
    duplicate: bool
    spooled: bool = False


class RefusedError(BusError):
    """The server understood and refused; `err_code` is JetStream's."""

    def __init__(self, description: str, err_code: int) -> None:
        super().__init__(f"refused: {description}")
        self.err_code = err_code


class UnsendableError(RefusedError):
    """No server of these settings will ever take it: too large, or a header that is none."""


class GuardTakenError(BusError):
    """The guard's id is stored already on behalf of `owner`; nothing else was stored."""

    def __init__(self, owner: str) -> None:
        super().__init__("the guard is taken")
        self.owner = owner


class Publisher(Protocol):
    """Stores messages."""

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, guard: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """Store all of `messages`, in order; raises `BusError` where one is not acknowledged.

        Idempotent: a message whose id is in the duplicate window is acknowledged, not stored
        again. After a `BusError` some may be stored all the same.

        A `guard` is one more message, stored with the others and before them. Where its id is
        stored already with another body, `GuardTakenError` is raised and nothing is stored.
        """


class JetStreamPublisher:
    """Publishes each message by itself, all of one call on their way together."""

    def __init__(self, connection: Connection, *, timeout_s: float = 0.8) -> None:
        self._connection = connection
        self._timeout_s = timeout_s

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, guard: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """See `Publisher.publish`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if guard is None:
                    return await asyncio.gather(*map(self._publish, messages))
                return await self._publish_guarded(guard, messages)
        except TimeoutError as error:
            raise BusError("no acknowledgement in time") from error

    async def _publish_guarded(
        self, guard: OutgoingMessage, messages: Sequence[OutgoingMessage]
    ) -> Sequence[Stored]:
        """The messages go out when the guard is known to be ours.

        No chain of `Nats-Expected-Last-Msg-Id` saves that round trip: another's guard may be the
        last message of the stream, and then a forged callback would follow it.
        """
        first = await self._publish(guard)
        if first.duplicate:
            await self._check_owner(first.stream_seq, guard)
        return await asyncio.gather(*map(self._publish, messages))

    async def _check_owner(self, stream_seq: int, guard: OutgoingMessage) -> None:
        """Raise `GuardTakenError` where the stored guard is another's.

        One that has expired is nobody's: the duplicate window remembers its id for longer.
        """
        stream, jetstream = self._connection.stream, self._connection.jetstream
        try:
            try:
                stored = await jetstream.get_msg(stream, stream_seq, direct=True)
            except NotFoundError:  # a replica may be behind: only the leader knows
                stored = await jetstream.get_msg(stream, stream_seq)
        except NotFoundError:
            return
        except (NatsError, OSError) as error:
            raise BusError(f"the guard cannot be read: {type(error).__name__}") from error
        if stored.data != guard.body:
            raise GuardTakenError((stored.data or b"").decode("ascii", "replace"))

    async def _publish(self, message: OutgoingMessage) -> Stored:
        client = self._connection.client
        try:
            check_sendable(client, message, {})
            reply = await client.request(
                message.subject,
                message.body,
                timeout=self._timeout_s,
                headers=dict(message.headers),
            )
        except (MaxPayloadError, ValueError) as error:
            raise UnsendableError(f"cannot be sent: {type(error).__name__}", 0) from error
        except (NatsError, OSError) as error:
            raise BusError(f"not acknowledged: {type(error).__name__}") from error
        return read_ack(reply.data)


def read_ack(data: bytes) -> Stored:
    """Read a PubAck; raises `BusError` where the server refused or the reply is none."""
    try:
        ack = json.loads(data)
        if "error" in ack:
            fault = ack["error"]
            raise RefusedError(fault.get("description", "no reason"), fault.get("err_code", 0))
        return Stored(stream_seq=ack["seq"], duplicate=bool(ack.get("duplicate")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BusError("the reply is no acknowledgement") from error
