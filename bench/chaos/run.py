"""So many reads and changes against a platform that fails, and what came of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

from pydantic import SecretStr

from bench.chaos.platform import ChaoticPlatform, Key
from receiver.client.platform import PlatformAPI
from receiver.errors import APIError, APIUnavailableError, OutcomeUnknownError, RateLimitedError
from receiver.settings import APISettings
from schemas.api.alibaba_orders import AddressParam, CargoParam

RATE_PER_S = 500.0
TIMEOUT_S = 0.3
_CALLERS = 48
_MOST_QUESTIONS = 50
_ADDRESS = AddressParam(full_name="chaos")


@dataclass
class Outcome:
    """What came of a run; `wrong` is a sentence for each promise that was broken."""

    reads: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    settled: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    most_in_a_second: int = 0


def settings_of(url: str, **values: Any) -> APISettings:
    """An account with little patience."""
    given = {
        "base_url": url,
        "access_key": "chaos",
        "secret": SecretStr("chaos"),
        "rate_per_s": RATE_PER_S,
        "concurrency": _CALLERS,
        "timeout_s": TIMEOUT_S,
        "retry_pause_s": 0.05,
        "breaker_pause_s": 0.2,
        "settle_s": 0.1,
    }
    return APISettings(**(given | values))


async def chaos(
    platform: ChaoticPlatform,
    apis: Sequence[PlatformAPI],
    *,
    reads: int,
    changes: int,
    burst_s: float,
) -> Outcome:
    """Make the calls, divided among `apis`, which share one rate, and judge what came of them.

    `burst_s` is how many seconds' worth of calls may come at once, without passing the rate.
    """
    outcome = Outcome()
    work = [*_changes(platform, changes, outcome), *_reads(reads, outcome)]
    waiting = iter(work)

    async def caller(api: PlatformAPI) -> None:
        for call in waiting:
            await call(api)

    await asyncio.gather(*(caller(api) for api in islice(cycle(apis), _CALLERS)))
    twice = [key for key, times in platform.made.items() if times > 1]
    outcome.wrong += [
        f"{kind} {name} was made {platform.made[kind, name]} times" for kind, name in twice
    ]
    judge_rate(platform.signed_ms, outcome, burst_s)
    return outcome


Work = Callable[[PlatformAPI], Awaitable[None]]


def _reads(count: int, outcome: Outcome) -> Iterator[Work]:
    for number in range(count):
        yield _read(str(10**18 + number), outcome)


def _read(order_id: str, outcome: Outcome) -> Work:
    async def read(api: PlatformAPI) -> None:
        try:
            order = await api.alibaba.orders.detail(order_id)
        except APIError as error:
            outcome.reads[type(error).__name__] += 1
            if not isinstance(error, APIUnavailableError | RateLimitedError):
                outcome.wrong.append(f"a read ended in {error!r}")
            await asyncio.sleep(error.retry_after_s or 0)
            return
        outcome.reads["right"] += 1
        if order.order_id != order_id:
            outcome.wrong.append(f"{order.order_id} was given for {order_id}")

    return read


def _changes(platform: ChaoticPlatform, count: int, outcome: Outcome) -> Iterator[Work]:
    kinds = ("cancel", "pay", "withdraw")
    for number in range(count):
        kind = "create" if number % 10 == 0 else kinds[number % 3]
        yield _change(platform, (kind, str(2 * 10**18 + number)), outcome)


def _change(platform: ChaoticPlatform, key: Key, outcome: Outcome) -> Work:
    async def change(api: PlatformAPI) -> None:
        try:
            await _made(api, key)
        except OutcomeUnknownError as error:
            outcome.changes["outcome unknown"] += 1
            await _settle(api, error, platform, key, outcome)
            return
        except APIError as error:  # it was not sent, or refused for the rate
            outcome.changes[type(error).__name__] += 1
            expected = 0
        else:
            outcome.changes["done"] += 1
            expected = 1
        if platform.made[key] != expected:
            outcome.wrong.append(f"{key} was made {platform.made[key]} times, not {expected}")

    return change


async def _made(api: PlatformAPI, key: Key) -> None:
    kind, name = key
    if kind == "cancel":
        await api.alibaba.orders.cancel(name)
    elif kind == "pay":
        await api.alibaba.orders.payment_url(name)
    elif kind == "withdraw":
        await api.taobao.refunds.cancel(name)
    else:
        cargo = CargoParam(offer_map_id="m", spec_id=name, quantity=1)
        await api.alibaba.orders.create(
            flow="general", address_param=_ADDRESS, cargo_param_list=[cargo]
        )


async def _settle(
    api: PlatformAPI,
    error: OutcomeUnknownError,
    platform: ChaoticPlatform,
    key: Key,
    outcome: Outcome,
) -> None:
    """Ask until the platform says it: a question may fail as any read."""
    for _ in range(_MOST_QUESTIONS):
        settled = await api.alibaba.orders.settle(error)
        if settled.verdict == "unknown":
            outcome.settled["asked again"] += 1
            await asyncio.sleep((settled.error and settled.error.retry_after_s) or 0.05)
            continue
        outcome.settled[settled.verdict] += 1
        if settled.is_done != (platform.made[key] == 1):
            outcome.wrong.append(f"{key}: {settled.verdict}, and made {platform.made[key]} times")
        return
    outcome.wrong.append(f"{key} was never settled")


def judge_rate(signed_ms: Sequence[int], outcome: Outcome, burst_s: float) -> None:
    """No stretch of time holds more calls than the rate allows for it, and a burst."""
    moments = sorted(moment / 1000 for moment in signed_ms)
    first = 0
    lowest = 0.0
    for number, moment in enumerate(moments):
        while moments[first] < moment - 1:
            first += 1
        outcome.most_in_a_second = max(outcome.most_in_a_second, number - first + 1)
        level = number - RATE_PER_S * (moment - moments[0])
        lowest = min(lowest, level)
        if level - lowest > RATE_PER_S * burst_s + 1:
            outcome.wrong.append(f"the rate was passed after {moment - moments[0]:.1f} s")
            return
