"""Reading what the stream holds, in bulk and in order, without leaving a trace in it.

What was counted is read, or `BusError` is raised: a reading that was cut short never looks whole.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy

from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.read.pull_request import Kind, PullRequest, classify
from receiver.errors import BusError

_BATCH: Final = 500
_MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
"""Well below the 64 MiB that the server lets a connection owe before it closes it."""
SILENCE_S: Final = 5.0
_INACTIVE_S: Final = 60.0
"""When the server forgets the consumer of a reader that is gone. One that is only slow gets a new
consumer, which goes on behind the last message read."""
AnswerT = TypeVar("AnswerT")
_MAX_TRIES: Final = 3
_AGAIN_S: Final = 0.25
_MAX_LOOKS: Final = 5
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""The server counts nanoseconds in 64 bits: times beyond would wrap round."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which messages: below any of `nats_subjects` (none: all), stored within the times.

    With `last_seq`, those from `first_seq` to it, in place of times.
    """

    nats_subjects: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    first_seq: int = 0
    last_seq: int = 0

    def consumer(
        self, since: datetime | None, *, headers_only: bool, after_seq: int = 0
    ) -> ConsumerConfig:
        """An ephemeral consumer of the subjects, from behind `after_seq`, else from `since` on."""
        config = ConsumerConfig(
            filter_subjects=list(self.nats_subjects),
            ack_policy=AckPolicy.NONE,
            headers_only=headers_only,
            mem_storage=True,
            inactive_threshold=_INACTIVE_S,
        )
        if after_seq or self.first_seq:
            config.deliver_policy = DeliverPolicy.BY_START_SEQUENCE
            config.opt_start_seq = max(after_seq + 1, self.first_seq)
        elif since is not None:
            config.deliver_policy = DeliverPolicy.BY_START_TIME
            config.opt_start_time = min(max(since, _EARLIEST), _LATEST)
        return config


class _BrokenOffError(Exception):
    """The server does not answer, forgot the consumer, or a message is missing in between."""


class _Cursor:
    """An ephemeral consumer, and the inbox that its messages come to, a pull at a time."""

    def __init__(self, client: Client, info: ConsumerInfo, silence_s: float) -> None:
        self.count = info.num_pending or 0
        self._client = client
        self._silence_s = silence_s
        self._stream = info.stream_name
        self.name = info.name
        self._inbox = client.new_inbox()
        self._pulls = 0
        self._wanted = 0
        self._consumer_seq = 0
        self._found: list[Msg] = []
        self._ended = asyncio.Event()
        self._broken = ""

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Where messages are taken in; the consumer is removed at the end."""
        subscription = await self._client.subscribe(f"{self._inbox}.*", cb=self._receive)
        try:
            yield
        finally:
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()
            with contextlib.suppress(NatsError, OSError):
                jetstream = self._client.jetstream(timeout=self._silence_s)
                await jetstream.delete_consumer(self._stream, self.name)

    async def pull(self, wanted: int) -> list[Msg]:
        """Up to `wanted` messages, none at the end; raises `_BrokenOffError`."""
        if found := await self._pull(PullRequest(wanted, max_bytes=_MAX_BATCH_BYTES)):
            return found
        return await self._pull(PullRequest(1))  # it may be larger than the limit

    async def _pull(self, request: PullRequest) -> list[Msg]:
        """A pull has a reply subject of its own, so that no status of an older one ends it."""
        self._pulls += 1
        self._wanted, self._found = request.batch, []
        self._ended.clear()
        await self._client.publish(
            request.subject(self._stream, self.name),
            request.body(),
            reply=f"{self._inbox}.{self._pulls}",
        )
        before = -1
        while not self._ended.is_set():
            if before == len(self._found):
                raise _BrokenOffError("it does not answer")
            before = len(self._found)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._silence_s):
                    await self._ended.wait()
        if self._broken:
            raise _BrokenOffError(self._broken)
        return self._found

    async def _receive(self, message: Msg) -> None:
        answer = classify(message)
        if answer.kind is Kind.DATA:
            self._consumer_seq += 1
            if message.metadata.sequence.consumer != self._consumer_seq:
                self._broken = "a message is missing"
            self._found.append(message)
        elif message.subject != f"{self._inbox}.{self._pulls}":
            return  # of a request before this one
        self._broken = self._broken or answer.reason
        if len(self._found) >= self._wanted or self._broken or answer.kind is Kind.ENDED:
            self._ended.set()


class History:
    """The messages of a span as they were when it was opened; `count` is how many, of a span up to
    a sequence at most."""

    def __init__(
        self,
        connection: Connection,
        stream: str,
        span: Span,
        *,
        headers_only: bool,
        silence_s: float = SILENCE_S,
        patience_s: float = 0.0,
    ) -> None:
        self.count = 0
        self._connection = connection
        self._stream = stream
        self._span = span
        self._headers_only = headers_only
        self._silence_s = silence_s
        self._patience_s = patience_s
        self._seq = 0
        self._last_seq = 0
        self._cursor: _Cursor | None = None
        self._resources = contextlib.AsyncExitStack()

    async def open(self) -> None:
        """Count, and fix the end; raises `BusError`."""
        await self._patiently(self._open)

    async def _open(self) -> None:
        with _bus_errors():
            cursor = await self._renew()
            self.count = cursor.count
            jetstream = self._connection.jetstream
            if self._span.last_seq:
                self._last_seq = self._span.last_seq
            elif self._span.until is None:
                self._last_seq = (await jetstream.stream_info(self._stream)).state.last_seq
            else:
                await self._end_before(self._span.until, cursor, jetstream)

    async def close(self) -> None:
        """Remove what the reading holds in the server."""
        await self._resources.aclose()

    async def read(self) -> AsyncIterator[StoredMessage]:
        """Each message, oldest first; raises `BusError` where the stream does not answer.

        What is stored meanwhile is not read. What expires meanwhile is missing.
        """
        left = self.count
        while left > 0:
            batch = await self._patiently(partial(self._pulled, min(left, _BATCH)))
            if not batch:
                return
            for message in batch:
                stored = StoredMessage.of(message)
                if stored.stream_seq > self._last_seq:
                    return
                self._seq = stored.stream_seq
                left -= 1
                yield stored

    async def _patiently(self, ask: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        while True:
            try:
                return await ask()
            except BusError:
                if loop.time() >= deadline:
                    raise
            self._cursor = None
            await asyncio.sleep(_AGAIN_S)

    async def _pulled(self, wanted: int) -> list[Msg]:
        reason = ""
        with _bus_errors():
            for _ in range(_MAX_TRIES):
                try:
                    cursor = self._cursor or await self._renew()
                    return await cursor.pull(wanted)
                except _BrokenOffError as error:
                    self._cursor, reason = None, str(error)
        raise BusError(f"the stream cannot be read: {reason}")

    async def _renew(self) -> _Cursor:
        """A consumer that goes on behind the last message read."""
        await self._resources.aclose()
        config = self._span.consumer(
            self._span.since, headers_only=self._headers_only, after_seq=self._seq
        )
        client = self._connection.client
        jetstream = client.jetstream(timeout=self._silence_s)
        info = await jetstream.add_consumer(self._stream, config)
        cursor = _Cursor(client, info, self._silence_s)
        await self._resources.enter_async_context(cursor.listening())
        self._cursor = cursor
        return cursor

    async def _end_before(
        self, until: datetime, cursor: _Cursor, jetstream: JetStreamContext
    ) -> None:
        """Leave out what was stored from `until` on.

        The count is the difference of two consumers. It is taken again where messages came in
        between the two looks; where they always do, the messages are counted one by one.
        """
        config = self._span.consumer(until, headers_only=True)
        beyond = await jetstream.add_consumer(self._stream, config)
        assert beyond.delivered is not None
        self._last_seq = beyond.delivered.stream_seq
        for _ in range(_MAX_LOOKS):
            left_out = beyond.num_pending or 0
            whole = await jetstream.consumer_info(self._stream, cursor.name)
            beyond = await jetstream.consumer_info(self._stream, beyond.name)
            self.count = max(0, (whole.num_pending or 0) - left_out)
            if beyond.num_pending == left_out:
                break
        else:
            self.count = await self._counted()
        await jetstream.delete_consumer(self._stream, beyond.name)

    async def _counted(self) -> int:
        twin = History(self._connection, self._stream, self._span, headers_only=True)
        twin.count, twin._last_seq = self.count, self._last_seq
        count = 0
        try:
            async for _ in twin.read():
                count += 1
        finally:
            await twin.close()
        return count


@contextlib.asynccontextmanager
async def opened_history(
    connection: Connection,
    stream: str,
    span: Span,
    *,
    headers_only: bool = False,
    silence_s: float = SILENCE_S,
    patience_s: float = 0.0,
) -> AsyncIterator[History]:
    """The history of a span; its consumer is removed again, by the server where we are cut off.

    Raises `BusError` where the stream does not answer for `silence_s`, though it is asked again for
    `patience_s`; a reading goes on where it was.
    """
    history = History(
        connection,
        stream,
        span,
        headers_only=headers_only,
        silence_s=silence_s,
        patience_s=patience_s,
    )
    try:
        await history.open()
        yield history
    finally:
        await history.close()


@contextlib.contextmanager
def _bus_errors() -> Iterator[None]:
    try:
        yield
    except (NatsError, OSError) as error:
        raise BusError(f"the stream cannot be read: {type(error).__name__}") from error
