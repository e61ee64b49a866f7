"""Pushes keep to the rules of delivery and of the signature.

docs/platform/callbacks.md#delivery-of-xport, docs/platform/callbacks.md#signature-of-xport
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from receiver.signatures import xport_signature
from receiver.simulator.clock import Clock
from receiver.simulator.pusher import RETRIES, RETRY_AFTER_S, Push, Pusher
from receiver.simulator.signing import DialectName
from tests.simulator.conftest import ACCOUNT, Receiver

PUSH = Push("X", b'{"messageType": "X", "timestamp": "1"}')


class Waits:
    """A sleep that takes no time and is noted."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def pusher(receiver: Receiver, http: httpx2.AsyncClient, **options: Any) -> Pusher:
    defaults: dict[str, Any] = {"clock": Clock(sleep=Waits())}
    return Pusher(receiver.url, ACCOUNT, http, **(defaults | options))


async def test_a_push_is_signed_as_the_manual_says(
    receiver: Receiver, http: httpx2.AsyncClient
) -> None:
    assert await pusher(receiver, http).push(PUSH)
    headers, body = receiver.deliveries[0]
    assert len(headers["nonce-str"]) == 32
    assert len(headers["timestamp"]) == 13
    assert abs(int(headers["timestamp"]) / 1000 - time.time()) < 60
    parts = (headers["access-key"], headers["timestamp"], headers["nonce-str"])
    assert headers["signature"] == xport_signature(*parts, "secret")
    assert headers["user-id"] == ACCOUNT.user_id
    assert body == PUSH.body


@pytest.mark.parametrize(("dialect", "retries"), [("aop", 3), ("global", 12)])
async def test_other_dialects_have_retries_of_their_own(
    receiver: Receiver, http: httpx2.AsyncClient, dialect: DialectName, retries: int
) -> None:
    receiver.answer = lambda _number, _body: 503
    account = replace(ACCOUNT, dialect=dialect)
    refused = Pusher(receiver.url, account, http, clock=Clock(sleep=Waits()))
    assert not await refused.push(PUSH)
    assert len(receiver.deliveries) == 1 + retries


async def test_what_is_refused_comes_again_five_times_half_an_hour_apart(
    receiver: Receiver, http: httpx2.AsyncClient
) -> None:
    receiver.answer = lambda _number, _body: 503
    waits = Waits()
    refused = pusher(receiver, http, clock=Clock(sleep=waits))
    assert not await refused.push(PUSH)
    assert waits.seconds == [RETRY_AFTER_S] * RETRIES == [1800.0] * 5
    assert set(receiver.bodies) == {PUSH.body}
    assert len({headers["nonce-str"] for headers, _ in receiver.deliveries}) == 6
    counts = refused.counts
    assert (counts.pushed, counts.deliveries, counts.refused[503]) == (1, 6, 6)
    assert (counts.given_up, counts.acknowledged, counts.acknowledged_ids) == (1, 0, {})


async def test_a_fast_clock_shortens_the_half_hour_alone(
    receiver: Receiver, http: httpx2.AsyncClient
) -> None:
    receiver.answer = lambda number, _body: 503 if number == 1 else 200
    waits = Waits()
    assert await pusher(receiver, http, clock=Clock(1800, sleep=waits)).push(PUSH)
    assert waits.seconds == [1.0]
    signed_s = [int(headers["timestamp"]) / 1000 for headers, _ in receiver.deliveries]
    assert all(abs(at - time.time()) < 60 for at in signed_s)


@pytest.mark.parametrize("status", [201, 202, 204, 302, 401])
async def test_only_200_acknowledges(
    receiver: Receiver, http: httpx2.AsyncClient, status: int
) -> None:
    receiver.answer = lambda number, _body: status if number == 1 else 200
    waits = Waits()
    sent = pusher(receiver, http, clock=Clock(sleep=waits))
    assert await sent.push(PUSH)
    assert waits.seconds == [1800.0]
    assert sent.counts.refused == {status: 1}


async def test_a_retry_can_tell_another_push_time(
    receiver: Receiver, http: httpx2.AsyncClient
) -> None:
    receiver.answer = lambda number, _body: 503 if number == 1 else 200
    restamped = pusher(receiver, http, retry_same_bytes=False, now=lambda: 2.0)
    assert await restamped.push(PUSH)
    assert [json.loads(body)["timestamp"] for body in receiver.bodies] == ["1", "2000"]


@pytest.mark.serial
async def test_it_waits_one_second(receiver: Receiver, http: httpx2.AsyncClient) -> None:
    receiver.hangs = lambda _body: True
    hanging = pusher(receiver, http)
    started = time.monotonic()
    assert not await hanging.first(PUSH)
    assert time.monotonic() - started > 0.9
    assert (hanging.counts.timed_out, hanging.counts.acknowledged) == (1, 0)


@pytest.mark.serial
async def test_waiting_for_a_free_connection_is_not_the_receivers_second(
    receiver: Receiver,
) -> None:
    connections = 4  # few, so that a slow machine has them answered in time
    receiver.hangs = lambda body: body == PUSH.body
    limits = httpx2.Limits(max_connections=connections)
    async with (
        httpx2.AsyncClient(trust_env=False, verify=False, limits=limits) as http,
        asyncio.TaskGroup() as g,
    ):
        busy = pusher(receiver, http, connections=connections)
        for _ in range(2 * connections):  # two rounds of a second, then the last one's turn
            g.create_task(busy.first(PUSH))
        last = g.create_task(busy.first(Push("X", b"{}")))
    assert last.result()
    assert (busy.counts.timed_out, busy.counts.acknowledged) == (2 * connections, 1)


async def test_a_receiver_that_is_away_is_counted_apart(http: httpx2.AsyncClient) -> None:
    away = Pusher("http://127.0.0.1:1/", ACCOUNT, http, clock=Clock(sleep=Waits()))
    assert not await away.push(PUSH)
    assert (away.counts.unreachable, away.counts.timed_out) == (6, 0)


async def test_a_duplicate_is_the_same_bytes_under_a_new_signature(
    receiver: Receiver, http: httpx2.AsyncClient
) -> None:
    twice = pusher(receiver, http)
    await twice.push(Push("X", PUSH.body, twice=True))
    assert receiver.bodies == [PUSH.body, PUSH.body]
    assert len({headers["signature"] for headers, _ in receiver.deliveries}) == 2
    assert (twice.counts.pushed, twice.counts.acknowledged, twice.counts.deliveries) == (1, 1, 2)
    assert twice.counts.duplicates == 1


@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b""), ("POST", b"{}")])
async def test_the_console_check_is_no_push(
    receiver: Receiver, http: httpx2.AsyncClient, method: str, body: bytes
) -> None:
    checked = pusher(receiver, http)
    assert await checked.console_check(method, body) == 200
    assert receiver.bodies == [body]
    assert (checked.counts.pushed, checked.counts.deliveries) == (0, 0)


@pytest.mark.parametrize("speed", [0, -1])
def test_a_clock_that_stands_still_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Clock(speed)
