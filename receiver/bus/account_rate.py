"""One account's rate, divided among the processes that call with it.

A stream in memory keeps one message an account: the moment from which calls are free, by the
server's clock, and which processes took some lately. Who wants moments moves it on by as many, on
condition that no other did so meanwhile; so no moment is given out twice, and a process that dies
leaves nothing to clean up.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call, nanoseconds
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.observability.logs import get_logger

_PATIENCE_S: Final = 1.0
_AGAIN_S: Final = 2.0
"""How long NATS is not asked again that did not answer: each call would wait for it."""
_TRIES: Final = 50
_CONFLICT_S: Final = 0.005
_CLOCK_S: Final = 30.0
"""How long it is believed how far the server's clock is ahead."""
_START_S: Final = 0.1
"""Where nothing is kept, moments may have been given out for so long, and been lost."""
_FARTHEST_S: Final = 600.0
_MEMBERSHIP_S: Final = 3600.0
_MOST_MEMBERS: Final = 100
_MAX_AGE: Final = timedelta(hours=1)
_AWAY: Final = (BusError, NatsError, OSError, TimeoutError)
_UNREADABLE: Final = (ValueError, LookupError, TypeError)
_WRONG_SEQUENCE: Final = 10071
_NO_MESSAGE: Final = 10037


@dataclass(slots=True)
class _Kept:
    """What is kept of an account; times are seconds since 1970 by the server's clock."""

    seq: int = 0
    free_from: float = 0.0
    members: dict[str, float] = field(default_factory=dict)


class AccountRate:
    """The moments of this process; a `receiver.client.rate_limit.SharedSlots`.

    `account` is any text that the processes of one account have in common; its digest is kept.
    """

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        account: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._stream = subjects.rate_stream
        self._taken = subjects.all_rates
        self._subject = subjects.rate(hashlib.sha256(account.encode()).hexdigest()[:16])
        self._clock = clock
        self._me = secrets.token_hex(4)
        self._kept: _Kept | None = None
        self._ahead_s = 0.0
        self._ahead_until = 0.0
        self._silent_until = 0.0
        self._log = get_logger("yizhan.client")
        self.processes = 0
        self._is_shared = True

    async def take(self, count: int, rate_per_s: float) -> Sequence[float] | None:
        """Up to `count` moments by `clock`, at `rate_per_s` in all processes together; None while
        NATS is away.
        """
        if self._clock() < self._silent_until:
            return None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                moments = await self._take(count, 1 / rate_per_s)
        except (*_AWAY, *_UNREADABLE) as error:
            self._kept, self._ahead_until = None, 0.0
            self._silent_until = self._clock() + _AGAIN_S
            self._note(is_shared=False, error=str(error) or type(error).__name__)
            return None
        self._note(is_shared=True)
        return moments

    async def _take(self, count: int, interval_s: float) -> Sequence[float]:
        for _ in range(_TRIES):
            ahead_s = await self._ahead()
            kept = self._kept or await self._read()
            now = self._clock() + ahead_s
            first = now + _START_S
            if 0 < kept.free_from < now + _FARTHEST_S + interval_s:
                first = max(now, kept.free_from)
            moved = _Kept(0, first + count * interval_s, self._members(kept, now))
            if await self._write(moved, after=kept.seq):
                self._kept, self.processes = moved, len(moved.members)
                return [first + number * interval_s - ahead_s for number in range(count)]
            self._kept = None
            await asyncio.sleep(random.random() * _CONFLICT_S)  # noqa: S311 - no secret
        raise BusError("too many processes want calls at once")

    def _members(self, kept: _Kept, now: float) -> dict[str, float]:
        """The processes that took moments lately, this one included."""
        lately = {name: at for name, at in kept.members.items() if now - at < _MEMBERSHIP_S}
        newest = sorted(lately, key=lambda name: lately[name])[1 - _MOST_MEMBERS :]
        return {name: lately[name] for name in newest} | {self._me: round(now, 3)}

    async def _ahead(self) -> float:
        """How far the server's clock is ahead of ours; the stream is made where it is missing."""
        if self._clock() >= self._ahead_until:
            config = {
                "name": self._stream,
                "subjects": [self._taken],
                "storage": "memory",
                "retention": "limits",
                "discard": "old",
                "max_msgs_per_subject": 1,
                "max_age": nanoseconds(_MAX_AGE),
                "num_replicas": 1,
            }
            client = self._connection.client
            await call(client, f"STREAM.CREATE.{self._stream}", config)
            asked_at = self._clock()
            info = await call(client, f"STREAM.INFO.{self._stream}", {})
            if "error" in info:
                raise BusError(info["error"].get("description", "no stream"))
            middle = (asked_at + self._clock()) / 2
            self._ahead_s = _seconds(info["ts"]) - middle
            self._ahead_until = self._clock() + _CLOCK_S
        return self._ahead_s

    async def _read(self) -> _Kept:
        asked = {"last_by_subj": self._subject}
        answer = await call(self._connection.client, f"STREAM.MSG.GET.{self._stream}", asked)
        if "error" in answer:
            if answer["error"].get("err_code") == _NO_MESSAGE:
                return _Kept()
            raise BusError(answer["error"].get("description", "it cannot be read"))
        body = json.loads(base64.b64decode(answer["message"]["data"]))
        return _Kept(answer["message"]["seq"], body["free_from"], body["members"])

    async def _write(self, moved: _Kept, *, after: int) -> bool:
        """Whether it is kept: not where another process was faster."""
        reply = await self._connection.client.request(
            self._subject,
            json.dumps({"free_from": moved.free_from, "members": moved.members}).encode(),
            timeout=_PATIENCE_S,
            headers={"Nats-Expected-Last-Subject-Sequence": str(after)},
        )
        answer: dict[str, Any] = json.loads(reply.data)
        if "error" in answer:
            if answer["error"].get("err_code") == _WRONG_SEQUENCE:
                return False
            raise BusError(answer["error"].get("description", "it cannot be written"))
        moved.seq = answer["seq"]
        return True

    def _note(self, *, is_shared: bool, error: str = "") -> None:
        if is_shared is self._is_shared:
            return
        self._is_shared = is_shared
        if is_shared:
            self._log.info("api_rate_shared", processes=self.processes)
        else:
            self._log.warning("api_rate_not_shared", error=error, processes=self.processes)


def _seconds(timestamp: str) -> float:
    """Of the server's time, which has nanoseconds."""
    whole, _, fraction = timestamp.rstrip("Z").partition(".")
    read = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    return read.timestamp() + float(f"0.{fraction or 0}")
