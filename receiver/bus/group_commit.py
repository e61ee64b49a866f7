"""Group commit: what arrives while one commit is under way goes out together in the next.

One atomic batch costs one sync however many messages it holds, where plain publishes cost one
each; but a small batch costs more than a few plain publishes. So a lone callback goes out at once
as plain publishes, and batches form by themselves under load.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final
from uuid import uuid4

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError

from receiver.bus.codec import OutgoingMessage
from receiver.bus.connection import Connection
from receiver.bus.publisher import (
    GuardTakenError,
    JetStreamPublisher,
    RefusedError,
    Stored,
    read_ack,
)
from receiver.bus.wire import check_sendable, hpub, send
from receiver.errors import BusError
from receiver.logs import get_logger
from receiver.recent import Recent

LEAST_BATCH: Final = 10
"""Messages from which on one batch is cheaper than plain publishes: about 2.2 ms against 0.25 ms
each, measured under `sync_interval: always`."""
LIMIT_BATCH: Final = 512
LIMIT_BATCH_BYTES: Final = 8 * 1024 * 1024
LIMIT_PENDING: Final = 4096
"""Messages that may wait; beyond that a publish is refused at once rather than late."""
LIMIT_REMEMBERED: Final = 100_000
"""Ids whose fate this process knows without asking the server."""


class TooSlowError(BusError):
    """The time is up; the messages may be stored all the same."""


@dataclass(slots=True)
class _Bundle:
    """The messages of one publish, with the future that its caller waits on."""

    messages: Sequence[OutgoingMessage]
    guard: OutgoingMessage | None
    done: asyncio.Future[Sequence[Stored]]

    @property
    def whole(self) -> tuple[OutgoingMessage, ...]:
        return (*self.messages,) if self.guard is None else (self.guard, *self.messages)

    @property
    def size_bytes(self) -> int:
        return sum(len(message.body) for message in self.messages)


class GroupCommitPublisher:
    """A `Publisher` for many callers at once; `start` it before and `stop` it after use."""

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_s: float = 0.8,
        remember: int = LIMIT_REMEMBERED,
    ) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._plain = JetStreamPublisher(connection, timeout_s=timeout_s)
        self._pending: deque[_Bundle] = deque()
        self._pending_messages = 0
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._batches = True
        self._remembered = Recent[int](remember)
        self._guards = Recent[bytes](remember)
        self._log = get_logger("yizhan.bus")
        connection.on_reconnect(self._forget)

    async def start(self) -> None:
        """Begin to commit."""
        self._task = asyncio.create_task(self._commit_forever(), name="group-commit")

    async def stop(self) -> None:
        """Commit what is under way and pending, then end."""
        self._stopping = True
        self._arrived.set()
        if self._task is not None:
            await self._task

    async def publish(
        self,
        messages: Sequence[OutgoingMessage],
        *,
        guard: OutgoingMessage | None = None,
        within_s: float | None = None,
    ) -> Sequence[Stored]:
        """See `Publisher.publish`; raises `TooSlowError` after `within_s`, by default what was
        given at the start. A caller that gives up or is cancelled does not cancel the write.
        """
        known = self._recalled(messages, guard)
        if known is None:
            return await self._store(messages, guard, within_s or self._timeout_s)
        if guard is not None and self._guards.get(guard.msg_id) is None:
            await self._store((), guard, within_s or self._timeout_s)
        return known

    async def _store(
        self,
        messages: Sequence[OutgoingMessage],
        guard: OutgoingMessage | None,
        within_s: float,
    ) -> Sequence[Stored]:
        if self._pending_messages >= LIMIT_PENDING:
            raise BusError("too many callbacks are waiting for the log")
        self._connection.client  # noqa: B018 - raises at once while NATS is away
        loop = asyncio.get_running_loop()
        bundle = _Bundle(messages, guard, loop.create_future())
        self._pending.append(bundle)
        self._pending_messages += len(bundle.whole)
        self._arrived.set()
        # A timer alone: it costs a tenth of `asyncio.timeout`, and of a shielded future.
        timer = loop.call_later(within_s, _give_up, bundle)
        try:
            return await bundle.done
        finally:
            timer.cancel()

    def known(
        self, messages: Sequence[OutgoingMessage], guard: OutgoingMessage | None
    ) -> Sequence[Stored] | None:
        """The answer this process knows already; raises `GuardTakenError` where it does.

        None, too, where the messages are stored and the guard may not be.
        """
        known = self._recalled(messages, guard)
        if guard is not None and self._guards.get(guard.msg_id) is None:
            return None
        return known

    def _recalled(
        self, messages: Sequence[OutgoingMessage], guard: OutgoingMessage | None
    ) -> Sequence[Stored] | None:
        if guard is not None:
            owner = self._guards.get(guard.msg_id)
            if owner is not None and owner != guard.body:
                raise GuardTakenError(owner.decode())
        found = [self._remembered.get(message.msg_id) for message in messages]
        if None in found:
            return None
        return [Stored(stream_seq or 0, duplicate=True) for stream_seq in found]

    def _forget(self) -> None:
        """After a reconnect the server may be another, with less in it."""
        self._remembered.clear()
        self._guards.clear()
        self._batches = True

    async def _commit_forever(self) -> None:
        while not self._stopping:
            await self._arrived.wait()
            self._arrived.clear()
            while self._pending:
                bundles = self._take()
                try:
                    await self._commit(bundles)
                except BusError as error:
                    for bundle in bundles:
                        _settle(bundle, error)
                except Exception as error:  # noqa: BLE001 - or no later commit would ever be made
                    self._log.error("commit_failed", error=type(error).__name__, exc_info=True)
                    for bundle in bundles:
                        _settle(bundle, BusError("a defect of the publisher"))

    def _take(self) -> list[_Bundle]:
        """The next bundles, as many as one batch may hold; at least one."""
        taken: list[_Bundle] = []
        messages = size_bytes = 0
        while self._pending:
            bundle = self._pending[0]
            messages += len(bundle.whole)
            size_bytes += bundle.size_bytes
            if taken and (messages > LIMIT_BATCH or size_bytes > LIMIT_BATCH_BYTES):
                break
            taken.append(self._pending.popleft())
            self._pending_messages -= len(bundle.whole)
        return taken

    async def _commit(self, bundles: Sequence[_Bundle]) -> None:
        """Store the bundles and settle each; raises `BusError` where none could be tried."""
        if self._batches and sum(len(bundle.whole) for bundle in bundles) >= LEAST_BATCH:
            try:
                await self._commit_batch(bundles)
            except RefusedError as error:
                # One duplicate refuses the whole batch, and an older server refuses every batch.
                self._batches = error.err_code not in _NO_BATCHES
            else:
                return
        await asyncio.gather(*map(self._commit_alone, bundles))

    async def _commit_alone(self, bundle: _Bundle) -> None:
        try:
            stored = await self._plain.publish(bundle.messages, guard=bundle.guard)
        except BusError as error:
            _settle(bundle, error)
        else:
            self._settle_stored(bundle, stored)

    async def _commit_batch(self, bundles: Sequence[_Bundle]) -> None:
        messages = [message for bundle in bundles for message in bundle.whole]
        client = self._connection.client
        try:
            async with asyncio.timeout(self._timeout_s):
                last = await _publish_batch(client, messages, timeout_s=self._timeout_s)
        except (MaxPayloadError, ValueError) as error:  # one of them: the others go without it
            raise RefusedError(f"cannot be sent: {type(error).__name__}", 0) from error
        except (NatsError, OSError, TimeoutError) as error:
            raise BusError(f"not acknowledged: {type(error).__name__}") from error
        sequences = count(last.stream_seq - len(messages) + 1)
        for bundle in bundles:
            stored = [Stored(next(sequences), duplicate=False) for _ in bundle.whole]
            self._settle_stored(bundle, stored[len(bundle.whole) - len(bundle.messages) :])

    def _settle_stored(self, bundle: _Bundle, stored: Sequence[Stored]) -> None:
        for message, where in zip(bundle.messages, stored, strict=True):
            self._remembered.put(message.msg_id, where.stream_seq)
        if bundle.guard is not None:
            self._guards.put(bundle.guard.msg_id, bundle.guard.body)
        if not bundle.done.done():
            bundle.done.set_result(stored)


_NO_BATCH: Final = -1
_NO_BATCHES: Final = frozenset({_NO_BATCH, 10174})
"""Where the stream does not allow atomic batches, and where an older server ignores them."""


async def _publish_batch(
    client: Client, messages: Sequence[OutgoingMessage], *, timeout_s: float
) -> Stored:
    """One atomic batch; the ack of its last message stands for all.

    Raises `RefusedError` where the server did not take all of them as one: what it stored of them
    is a duplicate when it is published again.
    """
    batch_id = uuid4().hex
    *before, last = messages
    commands = [
        hpub(message, {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(number)})
        for number, message in enumerate(before, start=1)
    ]
    commit = {
        "Nats-Batch-Id": batch_id,
        "Nats-Batch-Sequence": str(len(messages)),
        "Nats-Batch-Commit": "1",
    }
    check_sendable(client, last, commit)
    await send(client, commands)
    headers = {**last.headers, **commit}
    reply = await client.request(last.subject, last.body, timeout=timeout_s, headers=headers)
    stored = read_ack(reply.data)
    if json.loads(reply.data).get("count") != len(messages):
        raise RefusedError("not taken as one batch", _NO_BATCH)
    return stored


def _settle(bundle: _Bundle, error: BusError) -> None:
    if not bundle.done.done():
        bundle.done.set_exception(error)


def _give_up(bundle: _Bundle) -> None:
    _settle(bundle, TooSlowError("no acknowledgement in time"))
