"""Pushing callbacks by the platforms' rules.

docs/platform/callbacks.md#delivery-of-xport, docs/platform/callbacks.md#delivery-of-aop,
docs/platform/callbacks.md#delivery-of-global
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Final

import httpx2

from receiver.simulator.clock import Clock
from receiver.simulator.envelope import pushed_again
from receiver.simulator.signing import Account, identity_in, signed

TIMEOUT_S: Final = 1.0
RETRY_AFTER_S: Final = 30 * 60.0
RETRIES: Final = 5
_RETRIES_OF: Final = {"xport": RETRIES, "aop": 3, "global": 12}
CONNECTIONS: Final = 256
"""How many connections a platform of ours opens, and so the deliveries under way at once."""


@dataclass(frozen=True, slots=True)
class Push:
    """One callback on its way; `twice` sends it once more, to the byte, after it was acknowledged.

    The body that is pushed is the JSON object of an envelope.
    """

    message_type: str
    body: bytes
    twice: bool = False


@dataclass(slots=True)
class Counts:
    """What became of the pushes; `acknowledged_ids` are the receiver's ids of what got a 200.

    `pushed` counts callbacks, `deliveries` POSTs: the first tries, the retries, the `duplicates`.
    """

    pushed: int = 0
    deliveries: int = 0
    acknowledged: int = 0
    duplicates: int = 0
    given_up: int = 0
    timed_out: int = 0
    unreachable: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    acknowledged_ids: dict[str, str] = field(default_factory=dict)


class Pusher:
    """POSTs callbacks to `url` and repeats what was not acknowledged.

    A delivery has 1 s for everything, counted in real time from when it begins. The retries, 5 but
    in `aop` 3 and in `global` 12, come half an hour apart on `clock`; whether `xport` repeats the
    push time of the envelope is not known: `retry_same_bytes`. `journal` gets one JSON line for
    each acknowledged callback, at once. At most `connections` deliveries are under way at once.
    """

    def __init__(
        self,
        url: str,
        account: Account,
        http: httpx2.AsyncClient,
        *,
        clock: Clock,
        retry_same_bytes: bool = True,
        counts: Counts | None = None,
        journal: IO[str] | None = None,
        connections: int = CONNECTIONS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.counts = counts or Counts()
        self._url = url
        self._account = account
        self._http = http
        self._clock = clock
        self._retry_same_bytes = retry_same_bytes
        self._journal = journal
        self._now = now
        self._free = asyncio.Semaphore(connections)

    async def push(self, push: Push) -> bool:
        """Deliver one callback, with retries; True once it is acknowledged, False if given up."""
        return await self.first(push) or await self.again(push)

    async def first(self, push: Push) -> bool:
        """The first try alone; True if it was acknowledged, else `again` is due."""
        self.counts.pushed += 1
        return await self._try(push, push.body)

    async def again(self, push: Push) -> bool:
        """The retries; True once one is acknowledged, False if the callback is given up."""
        for _ in range(_RETRIES_OF[self._account.dialect]):
            await self._clock.wait(RETRY_AFTER_S)
            if await self._try(push, self._body_of_retry(push)):
                return True
        self.counts.given_up += 1
        return False

    async def console_check(self, method: str = "POST", body: bytes = b"{}") -> int:
        """What the console's "verify" does; gives the status. Its form is not documented.

        docs/platform/callbacks.md#delivery-of-xport
        """
        async with asyncio.timeout(TIMEOUT_S):
            answer = await self._http.request(method, self._url, content=body)
        return answer.status_code

    def _body_of_retry(self, push: Push) -> bytes:
        if self._retry_same_bytes or self._account.dialect != "xport":
            return push.body
        return pushed_again(push.body, pushed_at_ms=int(self._now() * 1000))

    async def _try(self, push: Push, body: bytes) -> bool:
        if not await self._deliver(body):
            return False
        self._note(push.message_type, body)
        if push.twice:
            self.counts.duplicates += 1
            await self._deliver(body)
        return True

    async def _deliver(self, body: bytes) -> bool:
        """One POST; True for a 200. Waiting for a free connection is ours, so it is not timed."""
        async with self._free:
            self.counts.deliveries += 1
            sent = signed(self._account, body, now_ms=int(self._now() * 1000))
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    answer = await self._http.post(
                        self._url, content=sent.content, headers=sent.headers
                    )
            except (TimeoutError, httpx2.TimeoutException):
                self.counts.timed_out += 1
                return False
            except httpx2.HTTPError:
                self.counts.unreachable += 1
                return False
        if answer.status_code == httpx2.codes.OK:
            return True
        self.counts.refused[answer.status_code] += 1
        return False

    def _note(self, message_type: str, body: bytes) -> None:
        source, content = self._account.source_name.encode(), identity_in(self._account, body)
        identity = hashlib.sha256(source + b"\n" + content).hexdigest()[:32]
        self.counts.acknowledged += 1
        self.counts.acknowledged_ids[identity] = message_type
        if self._journal is not None:
            line = {"callback_id": identity, "message_type": message_type}
            self._journal.write(json.dumps(line) + "\n")
            self._journal.flush()
