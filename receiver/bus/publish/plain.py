"""Publish each message by itself and wait for the acknowledgements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import NonceClaimedError, Stored, resolver
from receiver.bus.publish.direct import ConflictError, DirectPublish, while_unclaimed
from receiver.errors import BusError

_AGAIN_S: Final = 0.02


class JetStreamPublisher:
    """Publishes each message by itself, all of one call on their way together."""

    def __init__(self, connection: Connection, *, timeout_s: float = 0.8) -> None:
        self._connection = connection
        self._timeout_s = timeout_s

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, claim: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """See `Publisher.publish`; a claim goes out first, and is waited for, and then the first
        message: no event is in the stream without its raw message.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                if claim is not None:
                    await self._claim(claim)
                if not messages:
                    return ()
                raw = await self._publish(messages[0])
                return [raw, *await asyncio.gather(*map(self._publish, messages[1:]))]
        except TimeoutError as error:
            raise BusError("no acknowledgement in time") from error

    async def _claim(self, claim: OutgoingMessage) -> None:
        """Store the claim unless another callback has it; then `NonceClaimedError` is raised.

        Its subject says who, for as long as it lives: on a stream with replicas the server looks at
        the id before the condition. One that has expired is free, though the duplicate window
        remembers its id for longer.
        """
        while True:
            try:
                stored = await self._published(claim, while_unclaimed(claim))
            except ConflictError:
                if await self._is_ours(claim):
                    return
                await asyncio.sleep(_AGAIN_S)
            else:
                if stored.duplicate:
                    await self._is_ours(claim)
                return

    async def _is_ours(self, claim: OutgoingMessage) -> bool:
        """Whether we hold it; raises `NonceClaimedError` where another does. The leader is asked: a
        replica may be behind.
        """
        stream, jetstream = self._connection.stream, self._connection.jetstream
        try:
            held = await jetstream.get_last_msg(stream, claim.subject)
        except NotFoundError:
            return False
        except (NatsError, OSError) as error:
            raise BusError(f"the claim cannot be read: {type(error).__name__}") from error
        if held.data != claim.body:
            raise NonceClaimedError((held.data or b"").decode("ascii", "replace"))
        return True

    async def _publish(self, message: OutgoingMessage) -> Stored:
        """Until the server knows: in a cluster, one of the same id may be under way."""
        while True:
            try:
                return await self._published(message)
            except ConflictError:
                await asyncio.sleep(_AGAIN_S)

    async def _published(self, message: OutgoingMessage, condition: bytes = b"") -> Stored:
        answer: asyncio.Future[Sequence[Stored]] = asyncio.get_running_loop().create_future()
        try:
            publish = DirectPublish(
                self._connection.client, [message], None, resolver(answer), condition=condition
            )
        except (NatsError, OSError) as error:
            raise BusError(f"not acknowledged: {type(error).__name__}") from error
        try:
            (stored,) = await answer
        finally:
            publish.abandon()
        return stored
