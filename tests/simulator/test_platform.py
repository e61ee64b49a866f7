"""The simulated platform keeps to the rules of callbacks.md and api.md."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.client.platform import PlatformAPI
from receiver.errors import APIRejectedError, APIUnavailableError
from receiver.settings import APISettings
from receiver.signatures import xport_signature
from receiver.simulator.clock import Clock
from receiver.simulator.platform import PlatformConfig, SimulatedPlatform
from receiver.simulator.pusher import RETRIES, RETRY_AFTER_S, Account, Pusher
from receiver.web.server import bind, serving

ACCOUNT = Account("key", "secret")


class Receiver:
    """Notes what comes in and answers as told."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[int], int] = lambda _: 200
        self.hang = False
        self.url = ""

    async def __call__(self, request: Request) -> Response:
        self.deliveries.append((dict(request.headers), await request.body()))
        if self.hang:
            await asyncio.Event().wait()
        return Response(status_code=self.answer(len(self.deliveries)))

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["messageType"] for _, body in self.deliveries]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    noted = Receiver()
    app = Starlette(routes=[Route("/", noted.__call__, methods=["GET", "HEAD", "POST"])])
    async with serving(app, bind("127.0.0.1", 0)) as url:
        noted.url = url
        yield noted


class Waits:
    """A sleep that takes no time and is noted."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False) as opened:
        yield opened


def pusher(receiver: Receiver, http: httpx2.AsyncClient, **options: Any) -> Pusher:
    defaults: dict[str, Any] = {"clock": Clock(sleep=Waits()), "randomness": random.Random(1)}
    return Pusher(receiver.url, ACCOUNT, http, **(defaults | options))


async def test_a_push_is_signed_as_the_manual_says(
    receiver: Receiver, http: httpx2.AsyncClient
) -> None:
    await pusher(receiver, http).push("X", b"{}")
    headers, body = receiver.deliveries[0]
    assert len(headers["nonce-str"]) == 32
    assert abs(int(headers["timestamp"]) / 1000 - time.time()) < 60
    parts = (headers["access-key"], headers["timestamp"], headers["nonce-str"])
    assert headers["signature"] == xport_signature(*parts, "secret")
    assert body == b"{}"


async def test_what_is_refused_comes_again_five_times_half_an_hour_apart(
    receiver: Receiver, http: httpx2.AsyncClient
) -> None:
    receiver.answer = lambda _: 503
    waits = Waits()
    refused = pusher(receiver, http, clock=Clock(sleep=waits))
    assert not await refused.push("X", b"same")
    assert waits.seconds == [RETRY_AFTER_S] * RETRIES == [1800.0] * 5
    assert {body for _, body in receiver.deliveries} == {b"same"}
    assert len({headers["nonce-str"] for headers, _ in receiver.deliveries}) == 6
    assert (refused.counts.given_up, refused.counts.refused[503]) == (1, 6)


async def test_only_200_acknowledges(receiver: Receiver, http: httpx2.AsyncClient) -> None:
    receiver.answer = lambda number: 204 if number == 1 else 200
    waits = Waits()
    assert await pusher(receiver, http, clock=Clock(sleep=waits)).push("X", b"{}")
    assert waits.seconds == [1800.0]


async def test_it_waits_one_second(receiver: Receiver, http: httpx2.AsyncClient) -> None:
    receiver.hang = True
    hanging = pusher(receiver, http)
    started = time.monotonic()
    pushing = asyncio.create_task(hanging.push("X", b"{}"))
    async with asyncio.timeout(10):
        while hanging.counts.timed_out < 1:
            await asyncio.sleep(0.01)
    assert 0.9 < time.monotonic() - started < 3
    pushing.cancel()
    await asyncio.wait({pushing})


async def test_a_duplicate_is_the_same_bytes(receiver: Receiver, http: httpx2.AsyncClient) -> None:
    twice = pusher(receiver, http, duplicate_rate=1.0)
    await twice.push("X", b"same")
    assert [body for _, body in receiver.deliveries] == [b"same", b"same"]
    assert (twice.counts.pushed, twice.counts.acknowledged, twice.counts.deliveries) == (1, 1, 2)


async def test_the_console_check_creates_no_push(
    receiver: Receiver, http: httpx2.AsyncClient
) -> None:
    assert await pusher(receiver, http).console_check() == 200
    assert await pusher(receiver, http).console_check("GET", b"") == 200


def config(receiver: Receiver, **options: Any) -> PlatformConfig:
    return PlatformConfig(callback_url=receiver.url, account=ACCOUNT, **options)


async def types_of(receiver: Receiver, **options: Any) -> list[str]:
    receiver.deliveries.clear()
    concurrency = options.pop("concurrency", 1)
    settings = config(receiver, concurrency=concurrency, **options)
    async with SimulatedPlatform(settings) as platform:
        await platform.run(orders=10)
    return receiver.types


async def test_the_same_seed_lives_the_same_lives(receiver: Receiver) -> None:
    first = await types_of(receiver, seed=5)
    again = await types_of(receiver, seed=5)
    other = await types_of(receiver, seed=6)
    assert first == again != other


async def test_ten_orders_tell_every_kind_of_life(receiver: Receiver) -> None:
    types = Counter(await types_of(receiver, seed=1))
    for expected in (
        "ORDER_CREATE",
        "ORDER_CANCEL",
        "ORDER_PAY_SUCCESS",
        "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS",
        "LOGISTICS_BUYER_VIEW_TRACE",
        "ORDER_BUYER_VIEW_ORDER_COMFIRM_RECEIVEGOODS",
        "ORDER_BUYER_VIEW_ORDER_SUCCESS",
        "ORDER_BUYER_VIEW_ORDER_BUYER_REFUND",
        "TAOBAO_ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY",
        "TAOBAO_ORDER_BUYER_VIEW_ORDER_STATUS_MODIFY",
        "TAOBAO_ORDER_BUYER_VIEW_ORDER_REFUND",
    ):
        assert types[expected] > 0, expected


async def test_disorder_changes_the_order_and_loses_nothing(receiver: Receiver) -> None:
    straight = await types_of(receiver, seed=5)
    mixed = await types_of(receiver, seed=5, disorder_rate=0.5)
    assert mixed != straight
    assert len(mixed) == len(straight)


async def test_the_journal_tells_what_was_acknowledged(receiver: Receiver, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    async with SimulatedPlatform(config(receiver, journal=journal)) as platform:
        counts = await platform.run(orders=3)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line["callback_id"] for line in lines] == list(counts.acknowledged_ids)


@pytest.fixture
async def platform(receiver: Receiver) -> AsyncIterator[SimulatedPlatform]:
    async with SimulatedPlatform(config(receiver)) as running:
        await running.run(orders=8)
        yield running


def api_settings(platform: SimulatedPlatform, **options: Any) -> APISettings:
    values = {"base_url": platform.api_url, "access_key": "key", "secret": "secret"}
    return APISettings.model_validate(values | {"rate_per_s": 1000} | options)


async def test_the_api_tells_what_the_pushes_told(
    platform: SimulatedPlatform, receiver: Receiver
) -> None:
    shipped = {o.order_id: o for o in platform.book.orders.values() if o.parcel}
    async with PlatformAPI.open(api_settings(platform)) as api:
        for order in shipped.values():
            assert order.parcel is not None
            if order.channel == "1688":
                (trace,) = await api.alibaba.order_logistics(order.order_id)
                assert trace.logistics_bill_no == order.parcel.waybill_no
                assert len(trace.trace_node_list) == len(order.parcel.steps)
                detail = await api.alibaba.order_detail(order.order_id)
                assert detail.order_id == order.order_id
            else:
                tracked = await api.taobao.logistics_detail(order.line_ids[0])
                assert tracked.parcels[0].mail_no == order.parcel.waybill_no
    assert len(shipped) > 3


async def test_the_api_refuses_a_wrong_signature(platform: SimulatedPlatform) -> None:
    wrong = api_settings(platform, secret=secrets.token_hex(8))
    async with PlatformAPI.open(wrong) as api:
        with pytest.raises(APIRejectedError, match="signature"):
            await api.alibaba.order_detail("1")


@pytest.mark.parametrize("unit", ["ms", "s"])
async def test_the_api_takes_both_units_of_time(platform: SimulatedPlatform, unit: str) -> None:
    async with PlatformAPI.open(api_settings(platform, timestamp_unit=unit)) as api:
        order_id = next(iter(platform.book.orders))
        assert (await api.alibaba.order_detail(order_id)).order_id == order_id


async def test_the_api_can_be_made_to_fail(platform: SimulatedPlatform) -> None:
    platform.api.fault.times = 1
    async with PlatformAPI.open(api_settings(platform)) as api:
        with pytest.raises(APIUnavailableError):
            await api.alibaba.order_detail("1")


@pytest.mark.parametrize("speed", [0, -1])
def test_a_clock_that_stands_still_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Clock(speed)
