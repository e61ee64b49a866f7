"""Asking a durable for a few messages at a time: for who decides before each how many may come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from receiver.bus.read.pull_request import Kind, PullRequest, classify
from receiver.errors import BusError

_MAX_BYTES: Final = 4 * 1024 * 1024
_SILENCE_S: Final = 5.0


class Fetching:
    """One client of a durable that is not pinned; see `fetching`."""

    def __init__(self, client: Client, stream: str, durable: str, *, silence_s: float) -> None:
        self._client = client
        self._subject = PullRequest.subject(stream, durable)
        self._silence_s = silence_s
        self._inbox = client.new_inbox()
        self._requests = 0
        self._wanted = 0
        self._found: list[Msg] = []
        self._ended = asyncio.Event()
        self._broken = ""

    @property
    def inbox(self) -> str:
        """Where the answers come."""
        return f"{self._inbox}.*"

    async def fetch(self, wanted: int) -> list[Msg]:
        """Up to `wanted` of what is there now, none where nothing is; raises `BusError`."""
        if found := await self._fetch(PullRequest(wanted, max_bytes=_MAX_BYTES)):
            return found
        return await self._fetch(PullRequest(1))  # it may be larger than the limit

    async def _fetch(self, request: PullRequest) -> list[Msg]:
        self._requests += 1
        self._wanted, self._broken = request.batch, ""
        self._ended.clear()
        try:
            reply = f"{self._inbox}.{self._requests}"
            await self._client.publish(self._subject, request.body(), reply=reply)
        except (NatsError, OSError) as error:
            raise BusError(f"nothing can be asked for: {type(error).__name__}") from error
        before = -1
        while not self._ended.is_set() and before != len(self._found):
            before = len(self._found)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._silence_s):
                    await self._ended.wait()
        if self._broken or not self._ended.is_set():
            raise BusError(self._broken or "the consumer does not answer")
        found, self._found = self._found, []
        return found

    async def receive(self, message: Msg) -> None:
        """Take in one message; a status counts where it answers the last request."""
        answer = classify(message)
        if answer.kind is Kind.DATA:
            self._found.append(message)
        elif message.subject != f"{self._inbox}.{self._requests}":
            return
        self._broken = self._broken or answer.reason
        if len(self._found) >= self._wanted or self._broken or answer.kind is Kind.ENDED:
            self._ended.set()


@contextlib.asynccontextmanager
async def fetching(
    client: Client, stream: str, durable: str, *, silence_s: float = _SILENCE_S
) -> AsyncIterator[Fetching]:
    """A client of a durable, as long as the block; raises `BusError`."""
    asking = Fetching(client, stream, durable, silence_s=silence_s)
    try:
        subscription = await client.subscribe(asking.inbox, cb=asking.receive)
    except (NatsError, OSError) as error:
        raise BusError(f"nothing can be asked for: {type(error).__name__}") from error
    try:
        yield asking
    finally:
        with contextlib.suppress(NatsError, OSError):
            await subscription.unsubscribe()
