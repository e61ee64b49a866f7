"""The client against a platform that fails: a tenth of `make chaos`, and what it would find."""

from __future__ import annotations

import pytest

from bench.chaos.platform import ChaoticPlatform
from bench.chaos.run import Outcome, chaos, judge_changes, judge_rate, settings_of
from receiver.client.platform import PlatformAPI
from receiver.simulator.faults import Faults
from receiver.simulator.serving import served

READS, CHANGES = 1000, 200
BURST_S = 0.3
"""A tenth of a second's calls may go at once, and a moment be a tenth of a second late."""


@pytest.mark.timeout(600)
async def test_every_read_ends_and_no_change_is_made_twice() -> None:
    platform = ChaoticPlatform(reads=READS, changes=CHANGES)
    async with (
        served(platform.api.app()) as url,
        PlatformAPI.open(settings_of(url)) as api,
    ):
        outcome = await chaos(platform, [api])
    judge_rate(platform, outcome, 1.0, BURST_S)

    assert outcome.wrong == []
    assert sum(outcome.reads.values()) == READS
    assert sum(outcome.changes.values()) == len(outcome.verdicts) == CHANGES
    settled = outcome.settled["done"] + outcome.settled["not done"]
    assert settled == outcome.changes["outcome unknown"] > 0
    assert min(outcome.settled["done"], outcome.settled["not done"], outcome.reads["right"]) > 0
    kinds = {"none", "500", "slow", "garbage", "429", "outcome-unknown"}
    assert kinds == platform.faults().keys()


async def test_a_change_that_is_sent_twice_is_found_and_so_is_a_wrong_verdict() -> None:
    platform = ChaoticPlatform(reads=0, changes=3)
    platform.api.faults = Faults()
    (change,) = [each for each in platform.changes if each.kind == "alibaba_orders_payment_url"]
    outcome = Outcome(verdicts={(change.kind, change.name): False})
    async with (
        served(platform.api.app()) as url,
        PlatformAPI.open(settings_of(url).model_copy(update={"timeout_s": 60})) as api,
    ):
        await api.alibaba.orders.payment_url(change.name)
        platform.api.journal.calls.append(platform.api.journal.calls[0])

    judge_changes(platform, outcome)

    assert [sentence.partition(" was ")[2] for sentence in outcome.wrong] == [
        "sent 2 times",
        "made 2 times, and taken for False",
    ]


def test_a_rate_that_is_passed_is_found() -> None:
    platform, outcome = ChaoticPlatform(reads=0, changes=0), Outcome()

    judge_rate(platform, outcome, 1.0, -1.1)

    assert outcome.wrong == ["0 calls within 1 s"]
