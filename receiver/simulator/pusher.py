"""Pushing callbacks by the platform's delivery rules (callbacks.md 1.1)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Final

import httpx2

from receiver.signatures import xport_signature
from receiver.simulator.clock import Clock

TIMEOUT_S: Final = 1.0
RETRY_AFTER_S: Final = 30 * 60.0
RETRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Account:
    """With what the platform signs. `source_name` is the receiver's name for us: its ids are made
    from it, and only the counting here needs it."""

    access_key: str
    secret: str
    user_id: str = "10001"
    source_name: str = "dev"


@dataclass(slots=True)
class Counts:
    """What became of the pushes; `acknowledged_ids` are the receiver's ids of what got a 200."""

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

    An attempt has 1 s for everything, counted in real time. The 5 retries come half an hour apart
    on `clock`. `duplicate_rate` is the share of acknowledged pushes that are sent once more.
    `journal` gets one JSON line for each acknowledged callback, at once.
    """

    def __init__(
        self,
        url: str,
        account: Account,
        http: httpx2.AsyncClient,
        *,
        clock: Clock,
        randomness: random.Random,
        duplicate_rate: float = 0.0,
        counts: Counts | None = None,
        journal: IO[str] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.counts = counts or Counts()
        self._url = url
        self._account = account
        self._http = http
        self._clock = clock
        self._random = randomness
        self._duplicate_rate = duplicate_rate
        self._journal = journal
        self._now = now

    async def push(self, message_type: str, body: bytes) -> bool:
        """Deliver one callback as the platform would; True once it is acknowledged."""
        self.counts.pushed += 1
        for attempt in range(1 + RETRIES):
            if attempt:
                await self._clock.wait(RETRY_AFTER_S)
            if await self._deliver(body):
                self._note(message_type, body)
                if self._random.random() < self._duplicate_rate:
                    self.counts.duplicates += 1
                    await self._deliver(body)
                return True
        self.counts.given_up += 1
        return False

    async def console_check(self, method: str = "POST", body: bytes = b"{}") -> int:
        """What the console's "verify" does; gives the status. Its form is not documented."""
        answer = await self._http.request(method, self._url, content=body, timeout=TIMEOUT_S)
        return answer.status_code

    async def _deliver(self, body: bytes) -> bool:
        self.counts.deliveries += 1
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._http.post(self._url, content=body, headers=self._headers())
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

    def _headers(self) -> dict[str, str]:
        account = self._account
        timestamp, nonce = str(int(self._now() * 1000)), secrets.token_hex(16)
        signature = xport_signature(account.access_key, timestamp, nonce, account.secret)
        return {
            "content-type": "application/json",
            "access-key": account.access_key,
            "timestamp": timestamp,
            "nonce-str": nonce,
            "user-id": account.user_id,
            "signature": signature,
        }

    def _note(self, message_type: str, body: bytes) -> None:
        source = self._account.source_name.encode()
        identity = hashlib.sha256(source + b"\n" + body).hexdigest()[:32]
        self.counts.acknowledged += 1
        self.counts.acknowledged_ids[identity] = message_type
        if self._journal is not None:
            line = {"callback_id": identity, "message_type": message_type}
            self._journal.write(json.dumps(line) + "\n")
            self._journal.flush()
