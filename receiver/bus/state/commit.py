"""Group commit of entries: what arrives while one round is under way goes out in the next.

A round is one atomic batch, each of its messages with its own condition; so one sync serves all.
Where the server refuses a batch since one of its conditions does not hold, its halves are tried,
down to single messages: whose condition does not hold fails alone. A few messages are cheaper one
by one.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from nats.errors import Error as NatsError

from receiver.bus.client import PipeliningClient
from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage, encode_hpub
from receiver.bus.publish.contract import RefusedError, UnsendableError, read_ack
from receiver.bus.publish.direct import check_sendable
from receiver.errors import BusError
from receiver.resilience.cancellation import cancel

MAX_BATCH: Final = 500
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
MAX_PENDING: Final = 10_000
"""Entries that may wait; beyond that a write is refused at once rather than late."""
_MIN_BATCH: Final = 24
"""Writes from which on one batch is cheaper where it is staged on disk: about 12 ms and little more
for each write, against 0.5 to 1 ms for each by itself, on two shared cores with a slow disk."""
_MIN_REPLICATED: Final = 2
"""Several servers stage a batch in memory: there it is cheap at any size."""
_CONDITION_FAILED: Final = frozenset({10071, 10164})
"""Something else is stored there, or is on its way (nats-server, server/errors.json)."""
_SPLIT: Final = _CONDITION_FAILED | {10158, 10176, 10201}
"""Why a batch is refused whose halves may be taken: a condition of one message does not hold, or
its leader died in the middle."""


class StateConflictError(BusError):
    """The entry is not at the revision that was expected: read it again; nothing was stored."""


class NothingTakesStateError(BusError):
    """No stream takes the entries now: it is gone, or has no leader; nothing was stored."""

    def __init__(self) -> None:
        super().__init__("no stream takes what handlers keep")


class Write:
    """One entry on its way: the result is the revision of `future`, or its error."""

    __slots__ = ("future", "message", "revision")

    def __init__(self, message: OutgoingMessage, revision: int) -> None:
        self.message = message
        self.revision = revision
        self.future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def condition(self) -> bytes:
        """The header line that lets the server store it."""
        return b"Nats-Expected-Last-Subject-Sequence: %d\r\n" % self.revision

    def stored(self, revision: int) -> None:
        """It is stored, with this revision."""
        if not self.future.done():
            self.future.set_result(revision)

    def failed(self, error: BusError) -> None:
        """It is not stored, or nothing is known of it."""
        if not self.future.done():
            self.future.set_exception(error)


class StateCommit:
    """Stores writes in rounds, one at a time; `stop` it after use.

    An answer that is missing after `timeout_s` leaves it open whether a write was stored.
    """

    def __init__(self, connection: Connection, *, timeout_s: float) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._pending: deque[Write] = deque()
        self._rounds: asyncio.Task[None] | None = None

    def add(self, write: Write) -> None:
        """Have it stored; raises `BusError` while NATS is away, and where too much waits."""
        self._connection.client  # noqa: B018 - raises at once while NATS is away
        if len(self._pending) >= MAX_PENDING:
            raise BusError("too much waits to be stored in the state stream")
        self._pending.append(write)
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._commit_all(), name="state-commit")

    async def stop(self) -> None:
        """Give up what is not stored by now."""
        if self._rounds is not None:
            await cancel(self._rounds)
        while self._pending:
            self._pending.popleft().failed(BusError("the process stops"))

    async def _commit_all(self) -> None:
        while self._pending:
            await self._commit(self._take())

    def _take(self) -> list[Write]:
        """The next round: a key is in it once, and who gave up is left out."""
        taken: dict[str, Write] = {}
        size_bytes = 0
        while self._pending and len(taken) < MAX_BATCH and size_bytes < MAX_BATCH_BYTES:
            if self._pending[0].message.subject in taken:
                break
            write = self._pending.popleft()
            if not write.future.done():
                taken[write.message.subject] = write
                size_bytes += len(write.message.body)
        return [*taken.values()]

    async def _commit(self, writes: Sequence[Write]) -> None:
        smallest = _MIN_REPLICATED if self._connection.replicated else _MIN_BATCH
        try:
            client = self._connection.client
            if len(writes) < smallest:
                await self._each(client, writes)
                return
            first = await self._batch(client, writes)
        except RefusedError as error:
            await self._again(writes, error)
        except (BusError, NatsError, OSError, TimeoutError) as error:
            _fail(writes, error)
        else:
            for number, write in enumerate(writes):
                write.stored(first + number)

    async def _again(self, writes: Sequence[Write], error: RefusedError) -> None:
        """What a refused batch held, in parts: nothing of it is stored."""
        if error.err_code in _SPLIT:
            half = len(writes) // 2
            await self._commit(writes[:half])
            await self._commit(writes[half:])
            return
        try:
            await self._each(self._connection.client, writes)
        except (BusError, NatsError, OSError, TimeoutError) as failure:
            _fail(writes, failure)

    async def _batch(self, client: PipeliningClient, writes: Sequence[Write]) -> int:
        """The revision of the first, those of the others follow; raises `RefusedError` where
        nothing of it is stored."""
        batch = f"Nats-Batch-Id: {uuid4().hex}\r\nNats-Batch-Sequence: ".encode()
        answer = _Answer(client)
        commands = []
        for number, write in enumerate(writes, start=1):
            more = b"%b%d\r\n%b" % (batch, number, write.condition)
            if number < len(writes):
                commands.append(encode_hpub(write.message, more))
            else:
                end = b"Nats-Batch-Commit: 1\r\n"
                commands.append(encode_hpub(write.message, more + end, answer.reply))
        try:
            check_sendable(client, commands)
            client.write(b"".join(commands))
            data = await answer.within(self._timeout_s)
        finally:
            client.forget(answer.reply)
        last = read_ack(data).stream_seq
        if json.loads(data).get("count") != len(writes):
            raise BusError("the batch was not taken as one")
        return last - len(writes) + 1

    async def _each(self, client: PipeliningClient, writes: Sequence[Write]) -> None:
        """All in one write, each acknowledged by itself."""
        answers = [_Answer(client) for _ in writes]
        commands = []
        for write, answer in zip(writes, answers, strict=True):
            command = encode_hpub(write.message, write.condition, answer.reply)
            if len(command) > client.max_payload:
                write.failed(UnsendableError())
            else:
                commands.append(command)
        try:
            client.write(b"".join(commands))
            for write, answer in zip(writes, answers, strict=True):
                if not write.future.done():
                    await _settle(write, answer, self._timeout_s)
        finally:
            for answer in answers:
                client.forget(answer.reply)


class _Answer:
    """The answer to one message; `reply` is the subject that it comes to."""

    def __init__(self, client: PipeliningClient) -> None:
        self._future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.reply = client.expect(self._came, on_no_responders=self._nothing_there)

    async def within(self, timeout_s: float) -> bytes:
        """Its body; raises `TimeoutError`, and `NothingTakesStateError` where none will come."""
        async with asyncio.timeout(timeout_s):
            return await self._future

    def _came(self, data: bytes) -> None:
        if not self._future.done():
            self._future.set_result(data)

    def _nothing_there(self) -> None:
        if not self._future.done():
            self._future.set_exception(NothingTakesStateError())


async def _settle(write: Write, answer: _Answer, timeout_s: float) -> None:
    try:
        write.stored(read_ack(await answer.within(timeout_s)).stream_seq)
    except RefusedError as error:
        conflict = error.err_code in _CONDITION_FAILED
        write.failed(StateConflictError(str(error)) if conflict else error)
    except (BusError, TimeoutError) as error:
        _fail([write], error)


def _fail(writes: Sequence[Write], error: Exception) -> None:
    if not isinstance(error, BusError):
        error = BusError(f"not acknowledged: {type(error).__name__}")
    for write in writes:
        write.failed(error)
