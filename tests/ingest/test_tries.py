"""The platform's tries of one callback, as its receiver numbers them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from receiver.bus.subjects import Subjects
from receiver.dialects import DIALECTS
from receiver.ingest.intake import Intake
from receiver.ingest.late_answers import LateAnswers
from receiver.ingest.sources import Sources
from receiver.ingest.tries import TryCounts, retry_number
from receiver.observability.counters import DeliveryCounts
from receiver.settings import SourceSettings
from receiver.simulator.clock import Clock
from receiver.simulator.pusher import Push, Pusher
from receiver.simulator.signing import Account
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.server import bind, serving
from tests.ingest.test_late_answers import Log

SOURCE = SourceSettings(
    name="shop",
    dialect="xport",
    verification="signature",
    access_key="key",
    secrets=(SecretStr("secret"),),
)
PAID = {"orderId": "27458", "orderStatus": "WAITING_FOR_SENT", "totalAmount": 1}
BODY = {"messageType": "ORDER_PAY_SUCCESS", "messagePlatform": 1, "messageBody": json.dumps(PAID)}


class Platform:
    """The simulated platform, which pushes to a receiver whose log is away at first: `tries` begin
    before it is back. Both go by one clock, on which a wait takes no time.
    """

    def __init__(self, tries: int) -> None:
        self.waited_s = 0.0
        self.log, self.counts = Log(), DeliveryCounts()
        self._left = tries
        late = LateAnswers(TryCounts(self.counts, DIALECTS).tried)
        self._endpoint = CallbackEndpoint(
            Intake(self.log, Subjects(), DIALECTS, late=late, clock=self._now),
            Sources([SOURCE]),
            limit_bytes=10_000,
            counts=self.counts,
            clock=self._now,
        )

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.waited_s)

    async def wait(self, seconds: float) -> None:
        self.waited_s += seconds
        await asyncio.sleep(0)

    async def receive(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.log.away, self._left = self._left > 0, self._left - 1
        await self._endpoint(scope, receive, send, "shop")

    @contextlib.asynccontextmanager
    async def pushing(self) -> AsyncIterator[Pusher]:
        async with (
            serving(self.receive, bind("127.0.0.1", 0)) as url,
            httpx2.AsyncClient(trust_env=False, verify=False) as http,
        ):
            yield Pusher(
                url,
                Account("key", "secret"),
                http,
                clock=Clock(sleep=self.wait),
                now=lambda: time.time() + self.waited_s,
            )


async def test_a_callback_at_its_fifth_retry_is_counted_as_at_its_last_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("receiver.simulator.pusher.TIMEOUT_S", 60.0)  # a slow machine is no fault
    platform = Platform(tries=5)
    async with platform.pushing() as pusher:
        assert await pusher.push(Push("ORDER_PAY_SUCCESS", json.dumps(BODY).encode()))
    counted = platform.counts.figures().counters
    assert {key: count for key, count in counted.items() if "callbacks" not in key[0]} == {
        ("yizhan_first_try", "shop", "failed"): 1,
        **{("yizhan_retries", "shop", str(nth)): 1 for nth in range(1, 6)},
        ("yizhan_last_tries", "shop", "failed"): 1,
        ("yizhan_last_tries", "shop", "good"): 1,
        ("yizhan_retransmissions", "shop", "provoked"): 1,
    }


@pytest.mark.parametrize(
    ("again_s", "nth"),
    [(0, None), (400, None), (1400, 1), (2200, 1), (2700, None), (9000, 5), (9300, 5)],
)
def test_a_retry_is_numbered_by_the_time_since_the_first_try(
    again_s: float, nth: int | None
) -> None:
    assert retry_number(again_s, 1800) == nth
