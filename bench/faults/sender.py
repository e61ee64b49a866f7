"""The platform's side: numbered signed callbacks, repeated until they get 200.

At a steady rate it is an open loop: a callback goes out when it is due, however the ones before it
fare, and its time is counted from when it was due. Over a number of connections each has a callback
under way at any time, a new one or one that is due again, so that commits form batches. As the
platform does, it waits one second for the 200 and repeats at most five times; the half hour between
two tries is shortened.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import json
import random
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from receiver.callback import callback_id
from receiver.signatures import xport_signature

SOURCE = "faults"
ACCESS_KEY = "faults-access-key"
SECRET = "faults-secret-of-no-value"
PATIENCE_S = 1.0
RETRIES = 5
RETRY_S = 4.0
"""In place of the platform's 30 minutes."""
_DUPLICATE_S = 2.0
_PAUSE_S = 1.0
"""Of a connection after a try that got no 200: the receiver may be down, or busy."""
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Seen:
    """What the platform's side saw. Times are seconds from when a try was due to its answer."""

    pushed: int = 0
    answered: set[str] = field(default_factory=set)
    spooled: int = 0
    times_s: list[float] = field(default_factory=list)
    refused: int = 0
    unanswered: int = 0
    given_up: int = 0
    repeated: int = 0
    forged: set[str] = field(default_factory=set)

    @property
    def p99_ms(self) -> float:
        """Of the answers of any kind."""
        ordered = sorted(self.times_s) or [0.0]
        return ordered[int(len(ordered) * 0.99)] * 1000

    @property
    def worst_ms(self) -> float:
        """The slowest answer; a try without an answer counts apart."""
        return max(self.times_s, default=0.0) * 1000


@dataclass(frozen=True, slots=True)
class Forging:
    """After this share of the stored callbacks, another body goes out under the same signature, to
    the receiver at `port`, which may be one that never saw the signature."""

    port: int
    share: float


class _Again(NamedTuple):
    """A callback and when it is due, after so many tries."""

    due: float
    body: bytes
    identity: str
    tries: int = 0


class Platform:
    """Pushes callbacks to the receiver at `port`: over `connections` where there are any, else at
    `rate_per_s`, where `duplicates` is the share sent once more.
    """

    def __init__(
        self,
        port: int,
        *,
        rate_per_s: int = 0,
        connections: int = 0,
        duplicates: float = 0.0,
        forging: Forging | None = None,
    ) -> None:
        self.seen = Seen()
        self._port = port
        self._rate_per_s = rate_per_s
        self._connections = connections
        self._duplicates = duplicates
        self._forging = forging
        self._free: deque[Connection] = deque()
        self._again: list[_Again] = []
        self._orders = itertools.count(time.time_ns() // 1_000_000)
        self._random = random.Random(1)

    async def push_for(self, seconds: float) -> None:
        """Push for so long, and until each callback was answered 200 or given up."""
        async with asyncio.TaskGroup() as tasks:
            if self._connections:
                until = asyncio.get_running_loop().time() + seconds
                for _ in range(self._connections):
                    tasks.create_task(self._push_in_turn(until))
            else:
                await self._push_at_rate(int(seconds * self._rate_per_s), tasks)
        for _, writer in self._free:
            writer.close()

    async def _push_at_rate(self, count: int, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(count):
            due = begun + number / self._rate_per_s
            if (wait_s := due - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            tasks.create_task(self._push(due))

    async def _push_in_turn(self, until: float) -> None:
        """One callback after the other: what is due again, else a new one."""
        loop = asyncio.get_running_loop()
        while (now := loop.time()) < until or self._again:
            if self._again and self._again[0].due <= now:
                callback = heapq.heappop(self._again)
            elif now < until:
                callback = _Again(now, *self._next())
            else:
                await asyncio.sleep(self._again[0].due - now)
                continue
            if not await self._try(callback.body, callback.identity, callback.due):
                self._push_again(callback)
                await asyncio.sleep(_PAUSE_S)

    def _push_again(self, failed: _Again) -> None:
        if failed.tries == RETRIES:
            self.seen.given_up += 1
            return
        due = asyncio.get_running_loop().time() + RETRY_S
        heapq.heappush(self._again, failed._replace(due=due, tries=failed.tries + 1))

    def _next(self) -> tuple[bytes, str]:
        """The next callback and its id."""
        self.seen.pushed += 1
        body = body_of(next(self._orders))
        return body, callback_id(SOURCE, body)

    async def _push(self, due: float) -> None:
        body, identity = self._next()
        if self._random.random() < self._duplicates:
            self.seen.repeated += 1
            lag_s = self._random.random() * _DUPLICATE_S
            async with asyncio.TaskGroup() as both:
                both.create_task(self._until_answered(body, identity, due))
                both.create_task(self._until_answered(body, identity, due + lag_s))
            return
        await self._until_answered(body, identity, due)

    async def _until_answered(self, body: bytes, identity: str, due: float) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(1 + RETRIES):
            await asyncio.sleep(max(0.0, due - loop.time()))
            if await self._try(body, identity, due):
                return
            due = loop.time() + RETRY_S
        self.seen.given_up += 1

    async def _try(self, body: bytes, identity: str, due: float) -> bool:
        """Whether it got a 200."""
        head = head_of(len(body))
        try:
            async with asyncio.timeout(PATIENCE_S):
                status, answer = await self._post(head + body)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            self.seen.unanswered += 1
            return False
        self.seen.times_s.append(asyncio.get_running_loop().time() - due)
        if status != 200:
            self.seen.refused += 1
            return False
        self.seen.answered.add(identity)
        self.seen.spooled += b'"spooled"' in answer
        if b'"stored"' in answer:
            await self._forge(head, body)
        return True

    async def _forge(self, head: bytes, body: bytes) -> None:
        """Another body under a signature that is in the log by now."""
        if self._forging is None or self._random.random() >= self._forging.share:
            return
        forged = body.replace(b"1200", b"1100")
        self.seen.forged.add(callback_id(SOURCE, forged))
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._forging.port)
                try:
                    writer.write(head + forged)
                    await reader.readuntil(b"\r\n\r\n")
                finally:
                    writer.close()

    async def _post(self, request: bytes) -> tuple[int, bytes]:
        """One POST on a connection of the pool; gives status and body."""
        connection = await self._connection()
        try:
            reader, writer = connection
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            answer = await reader.readexactly(length)
        except BaseException:
            connection[1].close()
            raise
        if b"connection: close" in head.lower():
            writer.close()
        else:
            self._free.append(connection)
        return int(head.split(b" ", 2)[1]), answer

    async def _connection(self) -> Connection:
        while self._free:
            connection = self._free.pop()
            if not (connection[0].at_eof() or connection[1].is_closing()):
                return connection
            with contextlib.suppress(OSError):
                connection[1].close()
        return await asyncio.open_connection("127.0.0.1", self._port)


def body_of(order: int) -> bytes:
    """A callback of a paid order."""
    inner = {
        "orderId": str(order),
        "orderStatus": "WAITING_FOR_SENT",
        "totalAmount": 1200,
        "payTime": "2026-01-31 08:00:00",
    }
    outer = {
        "messageType": "ORDER_PAY_SUCCESS",
        "messagePlatform": 1,
        "timestamp": "1769817600000",
        "messageBody": json.dumps(inner),
    }
    return json.dumps(outer).encode()


def head_of(length: int, signature: str | None = None) -> bytes:
    """The head of its POST, signed now, or with a signature of nobody."""
    timestamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(16)
    signed = signature or xport_signature(ACCESS_KEY, timestamp, nonce, SECRET)
    return (
        f"POST /callbacks/{SOURCE} HTTP/1.1\r\nhost: receiver\r\n"
        f"content-type: application/json\r\ncontent-length: {length}\r\n"
        f"access-key: {ACCESS_KEY}\r\ntimestamp: {timestamp}\r\nnonce-str: {nonce}\r\n"
        f"user-id: 1\r\nsignature: {signed}\r\n\r\n"
    ).encode()
