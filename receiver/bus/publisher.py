"""Storing messages: what a publish promises, and the plain way to keep it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from nats.errors import Error as NatsError

from receiver.bus.codec import MSG_ID, OutgoingMessage
from receiver.bus.connection import Connection
from receiver.errors import BusError

EXPECTED_LAST_MSG_ID: Final = "Nats-Expected-Last-Msg-Id"
_WRONG_LAST_MSG_ID: Final = 10070


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
        """Guard and messages as a chain, in one flight: each is stored only right behind the one
        before it, so that nothing follows a guard that was refused.

        Another publisher's message in between breaks the chain without harm: the guard is ours
        then, and what was refused is published once more.
        """
        before = (guard, *messages)
        links = [_behind(message, last) for last, message in zip(before, messages, strict=False)]
        first, *rest = await asyncio.gather(
            *map(self._publish, (guard, *links)), return_exceptions=True
        )
        if isinstance(first, BaseException):
            raise first
        if first.duplicate:
            await self._check_owner(first.stream_seq, guard)
        return [
            await self._again_if_unchained(message, result)
            for message, result in zip(messages, rest, strict=True)
        ]

    async def _again_if_unchained(
        self, message: OutgoingMessage, result: Stored | BaseException
    ) -> Stored:
        if isinstance(result, RefusedError) and result.err_code == _WRONG_LAST_MSG_ID:
            return await self._publish(message)
        if isinstance(result, BaseException):
            raise result
        return result

    async def _check_owner(self, stream_seq: int, guard: OutgoingMessage) -> None:
        """Raise `GuardTakenError` where the stored guard is another's."""
        stream = self._connection.stream
        try:
            stored = await self._connection.jetstream.get_msg(stream, stream_seq, direct=True)
        except (NatsError, OSError) as error:
            raise BusError(f"the guard cannot be read: {type(error).__name__}") from error
        if stored.data != guard.body:
            raise GuardTakenError((stored.data or b"").decode("ascii", "replace"))

    async def _publish(self, message: OutgoingMessage) -> Stored:
        try:
            reply = await self._connection.client.request(
                message.subject,
                message.body,
                timeout=self._timeout_s,
                headers=dict(message.headers),
            )
        except (NatsError, OSError, ValueError) as error:
            raise BusError(f"not acknowledged: {type(error).__name__}") from error
        return read_ack(reply.data)


def _behind(message: OutgoingMessage, last: OutgoingMessage) -> OutgoingMessage:
    headers: Mapping[str, str] = {**message.headers, EXPECTED_LAST_MSG_ID: last.headers[MSG_ID]}
    return OutgoingMessage(message.subject, headers, message.body)


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
