"""The decisions of an owner and of those that stand by, without a server."""

from __future__ import annotations

from receiver.bus.consumers import PIN_S
from receiver.worker.attempts import Attempts
from receiver.worker.collecting import Collector
from receiver.worker.consumer import FENCE_SHARE
from receiver.worker.ownership.fence import Fence
from receiver.worker.ownership.verdict import SILENCE_S, Rival, judge, preferred, yields


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_fence_is_open_only_while_what_was_sent_lately_is_answered() -> None:
    clock = Clock()
    fence = Fence(6.0, clock)
    assert not fence.is_open
    fence.answered(97.0)
    assert fence.is_open
    clock.now = 104.0
    assert not fence.is_open
    fence.answered(96.0)  # an older answer that comes late
    assert not fence.is_open


def test_a_fence_closes_before_another_takes_over_from_the_silent() -> None:
    assert PIN_S * FENCE_SHARE < PIN_S < SILENCE_S


def test_one_that_is_gone_is_succeeded_and_a_silent_one_is_asked() -> None:
    rival = Rival("a", "pin", heard_at=100.0)
    assert judge(rival, deaths=0, needed=1, now=101.0) == "wait"
    assert judge(rival, deaths=1, needed=2, now=101.0) == "wait"
    assert judge(rival, deaths=2, needed=2, now=101.0) == "gone"
    assert judge(rival, deaths=0, needed=1, now=100.1 + SILENCE_S) == "ask"


def test_of_two_candidates_the_lower_name_goes_on_and_an_owner_goes_before_both() -> None:
    assert yields("b", Rival("a", "", 0.0))
    assert not yields("a", Rival("b", "", 0.0))
    assert yields("a", Rival("b", "pin", 0.0))


def test_handlers_are_shared_out_and_stay_where_a_worker_joins_or_leaves() -> None:
    handlers = [f"h{n}" for n in range(60)]
    before = {handler: preferred(handler, "abc") for handler in handlers}
    assert set(before.values()) == set("abc")
    after = {handler: preferred(handler, "ab") for handler in handlers}
    assert all(after[h] == before[h] for h in handlers if before[h] != "c")


def test_what_comes_again_is_held_back_until_all_is_there_and_given_in_order() -> None:
    clock = Clock()
    collector: Collector[str] = Collector(clock)
    collector.begin(3)
    for seq in (7, 5):
        collector.add(seq, f"m{seq}", again=True)
    assert not collector.is_due
    collector.add(6, "m6", again=True)
    assert collector.is_due
    assert collector.take() == ["m5", "m6", "m7"]
    assert not collector.collects


def test_what_never_comes_is_waited_for_only_as_long_as_others_come() -> None:
    clock = Clock()
    collector: Collector[str] = Collector(clock)
    collector.begin(9)
    for seq in range(5):
        clock.now += 0.2
        collector.add(seq, "m", again=True)
        assert not collector.is_due
    clock.now += 0.3
    assert collector.is_due


def test_nothing_is_held_back_where_nothing_was_given_back() -> None:
    collector: Collector[str] = Collector(Clock())
    collector.begin(0)
    assert not collector.collects


def test_only_failures_use_up_the_attempts_that_failures_have() -> None:
    waited = Attempts().after(failed=False).after(failed=False)
    failed = waited.after(failed=True, due=9.0)
    assert (failed.starts, failed.failures, failed.due) == (3, 1, 9.0)


def test_attempts_go_on_in_the_copy_that_comes_in_time() -> None:
    copied = Attempts.of_headers(Attempts(3, 2).headers())
    assert copied.plus(Attempts(starts=1, deaths=1)) == Attempts(4, 2, 1)
    assert Attempts.of_headers({"yizhan-starts": "many"}) == Attempts()


def test_what_was_not_survived_twice_runs_alone_and_after_two_deaths_alone_not_at_all() -> None:
    runs = [Attempts()]
    for _ in range(4):
        runs.append(runs[-1].died())
    assert [one.alone for one in runs] == [False, False, True, True, True]
    assert [one.kills for one in runs] == [False, False, False, False, True]


def test_a_death_while_the_ledger_worked_counts_for_nothing_but_not_without_end() -> None:
    run = Attempts()
    for _ in range(10):
        run = run.died(in_ledger=True)
    assert (run.starts, run.deaths) == (10, 0)
    assert run.died(in_ledger=True).deaths == 1
