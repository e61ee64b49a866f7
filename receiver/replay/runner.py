"""The process that gives the events of a replay: others ask whether it lives."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from receiver.bus.connection import Connection
from receiver.bus.subjects import Subjects
from receiver.errors import BusError

_ANSWER_S: Final = 0.5
_TRIES: Final = 3
_AGAIN_S: Final = 0.25
"""A process that reconnects is back by the last try."""


class Runner:
    """What a process answers under, once it listens; `name` is random."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self.name = secrets.token_hex(6)
        self._connection = connection
        self._subjects = subjects
        self._listening: Client | None = None

    async def listen(self) -> None:
        """Answer from now on; raises `BusError`."""
        client = self._connection.client
        if client is self._listening:
            return
        try:
            subject = self._subjects.workers("replaying", self.name)
            await client.subscribe(subject, cb=_answer)
            await client.round_trip(timeout_s=_ANSWER_S * _TRIES)
        except (NatsError, OSError) as error:
            raise BusError(f"no other process could ask: {type(error).__name__}") from error
        self._listening = client

    async def lives(self, name: str) -> bool:
        """Whether a process is there, be it without an answer; raises `BusError`."""
        if name == self.name:
            return True
        for number in range(_TRIES):
            if number:
                await asyncio.sleep(_AGAIN_S)
            try:
                subject = self._subjects.workers("replaying", name)
                await self._connection.client.request(subject, b"", _ANSWER_S)
            except NoRespondersError:
                continue
            except (NatsError, OSError):
                return True
            return True
        return False


async def _answer(message: Msg) -> None:
    with contextlib.suppress(BusError, NatsError, OSError):
        await message.respond(b"")
