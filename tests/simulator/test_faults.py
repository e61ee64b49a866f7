"""Each fault once, by the real client; and what the journal says of the calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from receiver.client.platform import PlatformAPI
from receiver.errors import (
    APIError,
    APIRejectedError,
    APIUnavailableError,
    RateLimitedError,
)
from receiver.simulator.faults import KINDS, Fault, Faults, Kind
from receiver.simulator.journal import Called, Journal
from receiver.simulator.platform import SimulatedPlatform
from tests.simulator.calling import HOME, Caller, calling, cargo_of
from tests.simulator.conftest import receiving


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Caller]:
    async with receiving() as receiver:
        config = receiver.config(sellers_act=False, cancel_after_s=0.0)
        async with SimulatedPlatform(config) as platform, calling(platform) as opened:
            yield opened


@pytest.fixture
def caller(shared: Caller) -> Caller:
    """A platform without faults, on which nothing was called yet."""
    shared.platform.api.faults = Faults()
    shared.platform.api.journal.calls.clear()
    return shared


def next_call(caller: Caller, kind: Kind, **options: float) -> None:
    """Let the next call meet a fault."""
    caller.platform.api.faults = Faults([Fault(kind, times=1, **options)])  # type: ignore[arg-type] # numbers alone


def last(caller: Caller) -> Called:
    return caller.platform.api.journal.calls[-1]


async def read(api: PlatformAPI, caller: Caller) -> None:
    await api.alibaba.products.detail(caller.goods[0].opaque_id)


async def test_a_429_says_when_to_come_back(caller: Caller) -> None:
    next_call(caller, "429", retry_after_s=7)
    with pytest.raises(RateLimitedError) as limited:
        await read(caller.v2, caller)
    assert limited.value.retry_after_s == 7


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("500", APIUnavailableError, "HTTP 500"),
        ("503", APIUnavailableError, "HTTP 503"),
        ("cut", APIUnavailableError, "failed on the way"),
        ("garbage", APIUnavailableError, "not a reply of the platform"),
        ("refused", APIRejectedError, "SIMULATED"),
        ("expired", APIRejectedError, "timestamp out of range"),
        ("outcome-unknown", APIUnavailableError, "failed on the way"),
    ],
)
async def test_a_fault_is_met_once(
    caller: Caller, kind: Kind, error: type[APIError], text: str
) -> None:
    next_call(caller, kind)
    with pytest.raises(error, match=text):
        await read(caller.v2, caller)
    assert last(caller).fault == kind
    await read(caller.v2, caller)
    assert (last(caller).fault, last(caller).outcome) == (None, "done")


async def test_a_slow_answer_is_the_usual_one(caller: Caller) -> None:
    next_call(caller, "slow", delay_s=0.2)
    started = asyncio.get_running_loop().time()
    await read(caller.v2, caller)
    assert asyncio.get_running_loop().time() - started >= 0.2


async def test_an_unknown_outcome_was_carried_out_and_a_cut_was_not(caller: Caller) -> None:
    orders = caller.platform.book.orders
    for kind, made in (("outcome-unknown", 1), ("cut", 0)):
        before = len(orders)
        next_call(caller, kind)  # type: ignore[arg-type] # a word of the two above
        with pytest.raises(APIUnavailableError):
            await caller.bought()
        assert len(orders) == before + made


async def test_the_journal_counts_the_writes_that_were_carried_out(caller: Caller) -> None:
    for message in ("once", "twice", "twice"):
        await caller.v2.alibaba.orders.create(
            flow="general",
            message=message,
            address_param=HOME,
            cargo_param_list=[cargo_of(caller.goods[0], 1)],
        )
    next_call(caller, "500")
    with pytest.raises(APIUnavailableError):
        await caller.bought()
    with pytest.raises(APIRejectedError):
        await caller.bought(quantity=10**6)
    writes = caller.platform.api.journal.writes()
    assert sorted(writes.values()) == [1, 2]
    assert {row for row, _ in writes} == {"alibaba_orders_create"}


async def test_a_payment_that_was_refused_is_no_write(caller: Caller) -> None:
    order, purchase = await caller.paid(), await caller.purchase_paid()
    before = caller.platform.api.journal.writes()
    again = (
        caller.v2.alibaba.orders.payment_url(order.order_id),
        caller.v2.alibaba.orders.pay_batch([order.order_id]),
        caller.v2.taobao.orders.pay([purchase.order_id]),
    )
    for call in again:
        with pytest.raises(APIRejectedError):
            await call
        assert last(caller).outcome == "refused"
    assert caller.platform.api.journal.writes() == before


async def test_a_fault_of_one_row_leaves_the_others_alone(caller: Caller) -> None:
    caller.platform.api.faults = Faults.parse(
        "500@alibaba_products_category", rows=["alibaba_products_category"]
    )
    with pytest.raises(APIUnavailableError):
        await caller.v2.alibaba.products.category()
    await read(caller.v2, caller)


def test_a_rate_is_a_share_of_the_calls() -> None:
    faults = Faults.parse("500=0.3, slow=0.1", rows=[], seed=3)
    drawn = [faults.drawn("any") for _ in range(10_000)]
    shares = {kind: sum(f is not None and f.kind == kind for f in drawn) for kind in KINDS}
    assert 2800 < shares["500"] < 3200
    assert 600 < shares["slow"] < 800  # a tenth of what the first fault left
    assert sum(shares.values()) == shares["500"] + shares["slow"]


def test_faults_are_met_in_their_order() -> None:
    faults = Faults([Fault("500", times=1), Fault("cut", times=2)])
    drawn = [faults.drawn("any") for _ in range(4)]
    assert [fault.kind if fault else None for fault in drawn] == ["500", "cut", "cut", None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("broken", "'broken' is no fault: write one of 429, 500"),
        ("500=2", "'2' is no share"),
        ("500=x", "'x' is no share"),
        ("500=nan", "'nan' is no share"),
        ("500@nowhere", "'nowhere' is no call"),
        ("", "'' is no fault"),
    ],
)
def test_a_fault_that_cannot_be_meant_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Faults.parse(text, rows=["somewhere"])


def test_the_most_calls_within_a_span_are_found() -> None:
    journal = Journal()
    for at in (0.0, 0.5, 0.9, 1.4, 3.0):
        journal.calls.append(Called("row", "/", at, "{}", False, "done", None))
    assert journal.most_in(1.0) == 3
    assert Journal().most_in(1.0) == 0
