"""The client against a platform that fails: a tenth of `make chaos`, and what it would find."""

from __future__ import annotations

from bench.chaos.platform import ChaoticPlatform
from bench.chaos.run import RATE_PER_S, TIMEOUT_S, Outcome, chaos, judge_rate, settings_of
from receiver.client.platform import PlatformAPI
from receiver.web.server import bind, serving

READS, CHANGES = 1000, 200
BURST_S = 0.3
"""A tenth of a second's calls may go at once, and a moment be a tenth of a second late."""


async def test_every_read_ends_and_no_change_is_made_twice() -> None:
    platform = ChaoticPlatform(silence_s=3 * TIMEOUT_S)
    async with (
        serving(platform.app(), bind("127.0.0.1", 0)) as url,
        PlatformAPI.open(settings_of(url)) as api,
    ):
        outcome = await chaos(platform, [api], reads=READS, changes=CHANGES, burst_s=BURST_S)

    assert outcome.wrong == []
    assert sum(outcome.reads.values()) == READS
    assert sum(outcome.changes.values()) == CHANGES
    settled = outcome.settled["done"] + outcome.settled["not done"]
    assert settled == outcome.changes["outcome unknown"] > 0
    assert min(outcome.settled["done"], outcome.settled["not done"], outcome.reads["right"]) > 0
    assert {"none", "error", "silence", "garbage", "limited"} == platform.faults.keys()


async def test_a_change_that_is_made_twice_is_found() -> None:
    platform = ChaoticPlatform(silence_s=0)
    platform.made["pay", "1"] = 2

    outcome = await chaos(platform, [], reads=0, changes=0, burst_s=1)

    assert outcome.wrong == ["pay 1 was made 2 times"]


def test_a_rate_that_is_passed_is_found() -> None:
    apart_ms = 1000 / RATE_PER_S
    even, fast = Outcome(), Outcome()

    judge_rate([int(number * apart_ms) for number in range(2000)], even, BURST_S)
    judge_rate([int(number * apart_ms / 1.1) for number in range(2000)], fast, BURST_S)

    assert even.wrong == []
    assert fast.wrong == ["the rate was passed after 3.0 s"]
