"""Reads and changes against a platform that fails, and what came of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, Final

from pydantic import SecretStr

from bench.chaos.platform import KEY, Change, ChaoticPlatform
from receiver.client.platform import PlatformAPI
from receiver.errors import APIError, APIUnavailableError, OutcomeUnknownError, RateLimitedError
from receiver.settings import APISettings
from schemas.api.alibaba_orders import AddressParam, CargoParam

RATE_PER_S: Final = 150.0
_CALLERS: Final = 64
_MOST_QUESTIONS: Final = 50
_ADDRESS: Final = AddressParam(full_name="chaos")

Work = Callable[[PlatformAPI], Awaitable[None]]


@dataclass
class Outcome:
    """What came of a run; `wrong` is a sentence for each promise that was broken."""

    reads: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    settled: Counter[str] = field(default_factory=Counter)
    verdicts: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Whether each change was made, as the client has it."""
    wrong: list[str] = field(default_factory=list)


def settings_of(url: str) -> APISettings:
    """An account with little patience; what comes too late comes before "not done" is believed."""
    return APISettings(
        base_url=url,
        access_key=KEY,
        secret=SecretStr(KEY),
        rate_per_s=RATE_PER_S,
        concurrency=_CALLERS,
        timeout_s=0.4,
        retry_pause_s=0.05,
        breaker_pause_s=0.2,
        settle_s=1.5,
    )


async def chaos(platform: ChaoticPlatform, apis: Sequence[PlatformAPI]) -> Outcome:
    """Make the calls, divided among `apis`, and compare what they have with what was done."""
    outcome = Outcome()
    waiting = iter([*_changes(platform, outcome), *_reads(platform, outcome)])

    async def caller(api: PlatformAPI) -> None:
        for call in waiting:
            await call(api)

    await asyncio.gather(*(caller(api) for api in islice(cycle(apis), _CALLERS)))
    judge_changes(platform, outcome)
    return outcome


def judge_changes(platform: ChaoticPlatform, outcome: Outcome) -> None:
    """No change arrived twice, and each was made, or not, as the client has it."""
    made, arrived = platform.made(), platform.arrived()
    for change, times in arrived.items():
        if times > 1:
            outcome.wrong.append(f"{change} was sent {times} times")
    for change, verdict in outcome.verdicts.items():
        if made[change] != verdict:
            outcome.wrong.append(f"{change} was made {made[change]} times, and taken for {verdict}")


def judge_rate(platform: ChaoticPlatform, outcome: Outcome, seconds: float, burst_s: float) -> None:
    """No span of `seconds` holds more calls than the rate allows, and a burst of `burst_s`."""
    most = platform.api.journal.most_in(seconds)
    if most > RATE_PER_S * (seconds + burst_s) + 1:
        outcome.wrong.append(f"{most} calls within {seconds:g} s")


def _reads(platform: ChaoticPlatform, outcome: Outcome) -> Iterator[Work]:
    for order_id in platform.reads:
        yield _read(order_id, outcome)


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


def _changes(platform: ChaoticPlatform, outcome: Outcome) -> Iterator[Work]:
    for change in platform.changes:
        yield _change(change, outcome)


def _change(change: Change, outcome: Outcome) -> Work:
    async def make(api: PlatformAPI) -> None:
        key = change.kind, change.name
        try:
            await _made(api, change)
        except OutcomeUnknownError as error:
            outcome.changes["outcome unknown"] += 1
            await _settle(api, error, key, outcome)
        except APIError as error:  # it was not sent, or refused for the rate
            outcome.changes[type(error).__name__] += 1
            outcome.verdicts[key] = False
        else:
            outcome.changes["done"] += 1
            outcome.verdicts[key] = True

    return make


async def _made(api: PlatformAPI, change: Change) -> Any:
    if change.kind == "alibaba_orders_cancel":
        return await api.alibaba.orders.cancel(change.name)
    if change.kind == "alibaba_orders_payment_url":
        return await api.alibaba.orders.payment_url(change.name)
    if change.kind == "taobao_refunds_cancel":
        return await api.taobao.refunds.cancel(change.name)
    product, sku = change.product, change.sku
    cargo = CargoParam(offer_map_id=product.opaque_id, spec_id=sku.spec_id, quantity=product.least)
    return await api.alibaba.orders.create(
        flow="general", message=change.name, address_param=_ADDRESS, cargo_param_list=[cargo]
    )


async def _settle(
    api: PlatformAPI, error: OutcomeUnknownError, key: tuple[str, str], outcome: Outcome
) -> None:
    """Ask until the platform says it: a question may fail as any read."""
    for _ in range(_MOST_QUESTIONS):
        settled = await api.alibaba.orders.settle(error)
        if settled.verdict != "unknown":
            outcome.settled[settled.verdict] += 1
            outcome.verdicts[key] = settled.is_done
            return
        outcome.settled["asked again"] += 1
        await asyncio.sleep((settled.error and settled.error.retry_after_s) or 0.05)
    outcome.wrong.append(f"{key} was never settled")
