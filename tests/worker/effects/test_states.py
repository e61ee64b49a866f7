"""How an effect may change; and that whatever processes and networks do, it happens once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from receiver.bus.state.keys import effect_key
from receiver.bus.state.memory import MemoryEntries
from receiver.errors import BusError, DecodingError
from receiver.worker.cause import text_of
from receiver.worker.effects.failures import InDoubtError
from receiver.worker.effects.holders import LocalHolders
from receiver.worker.effects.ledger import Asked, Found, Ledger
from receiver.worker.effects.states import (
    TRANSITIONS,
    Answer,
    EffectRecord,
    State,
    read_record,
    why_in_doubt,
)
from receiver.worker.interface import Retry

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SHIP = Asked("ship", None, "notify", "0a1b", "e.0", "order.created", "1", 1, timedelta(minutes=5))


def record(state: State, **more: Any) -> EffectRecord:
    return EffectRecord(
        state=state,
        handler="ship",
        name="notify",
        fact="0a1b",
        event_id="e.0",
        event_type="order.created",
        claim="c",
        worker="w",
        attempt=1,
        at=NOON,
        deadline=NOON,
        **more,
    )


@given(st.sampled_from(get_args(State)), st.sampled_from(get_args(State)))
def test_only_what_the_table_allows_may_follow(before: State, after: State) -> None:
    if after in TRANSITIONS[before]:
        assert record(before).moved(after, NOON).state == after
    else:
        with pytest.raises(ValueError, match=f"that is {before} cannot become {after}"):
            record(before).moved(after, NOON)


@pytest.mark.parametrize("over", [record("done"), record("settled", happened=True)])
def test_what_happened_is_never_claimed_again(over: EffectRecord) -> None:
    assert over.is_over
    with pytest.raises(ValueError, match="cannot become claimed"):
        over.moved("claimed", NOON)


def test_what_an_operator_says_did_not_happen_is_claimed_again() -> None:
    assert record("settled", happened=False).moved("claimed", NOON).state == "claimed"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_a_record_is_read_as_it_was_written(result: Any) -> None:
    done = record("done", result=result)
    assert read_record(done.encoded()) == done


@pytest.mark.parametrize("value", [b"", b"{}", b'{"state": "lost"}', b"\xff"])
def test_an_entry_that_is_no_record_is_an_error(value: bytes) -> None:
    with pytest.raises(DecodingError):
        read_record(value)


@pytest.mark.parametrize(
    ("answer", "late", "in_doubt"),
    [
        ("runs", True, False),
        ("silent", False, False),
        ("silent", True, True),
        ("gone", False, True),
        ("ended", False, True),
    ],
)
def test_a_body_that_may_run_is_not_in_doubt(answer: Answer, late: bool, in_doubt: bool) -> None:
    assert (why_in_doubt(answer, late=late) is not None) is in_doubt


def test_the_command_that_settles_an_effect_is_never_cut_from_its_reason() -> None:
    key = effect_key("h" * 64, "键" * 1000, "名" * 42)
    reason = text_of(InDoubtError("名" * 200, key, "w" * 200))
    assert f'`yizhan doubt settle {key} --happened --note "how you know"`' in reason


class FaultyEntries(MemoryEntries):
    """What the next writes do: nothing wrong, fail, or be stored without an answer."""

    def __init__(self) -> None:
        super().__init__(lambda: NOON)
        self.faults: list[str] = []

    async def put(
        self, key: str, value: bytes, revision: int, *, ttl: timedelta | None = None
    ) -> int:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "lost":
            raise BusError("away")
        stored = await super().put(key, value, revision, ttl=ttl)
        if fault == "unanswered":
            raise BusError("no answer")
        return stored


class _Process:
    """A process, and the claim whose body it runs."""

    def __init__(self, world: OnceMachine) -> None:
        self.holders = _AllHolders(world)
        self.ledger = Ledger(
            world.entries, self.holders, clock=lambda: world.now, kept=timedelta(days=90)
        )
        self.claim: Found | None = None
        self.had = False


class _AllHolders(LocalHolders):
    """Asks every living process."""

    def __init__(self, world: OnceMachine) -> None:
        super().__init__()
        self._world = world

    async def asked(self, record: EffectRecord) -> Answer:
        for process in self._world.processes:
            if process.holders.worker == record.worker:
                return await LocalHolders.asked(process.holders, record)
        return "gone"


class OnceMachine(RuleBasedStateMachine):
    """Processes that try one effect, die in its body, lose writes and answers, and ask the truth.

    A body that a process runs may have its effect at any moment until it ends or its process dies.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entries = FaultyEntries()
        self.now = NOON
        self.happened = 0
        self.processes = [_Process(self) for _ in range(3)]
        self.loop = asyncio.new_event_loop()

    def teardown(self) -> None:
        self.loop.close()

    def _run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    async def _truth(self) -> bool:
        return self.happened > 0

    @rule(n=st.integers(0, 2), asks=st.booleans())
    def run_it(self, n: int, asks: bool) -> None:
        process = self.processes[n]
        if process.claim is not None:
            return
        try:
            found = self._run(process.ledger.open(SHIP, self._truth if asks else None))
        except (Retry, InDoubtError, BusError):
            return
        if found.is_claim:
            process.claim = found
        else:
            assert self.happened == 1

    @precondition(lambda self: any(p.claim for p in self.processes))
    @rule(n=st.integers(0, 2))
    def have_the_effect(self, n: int) -> None:
        process = self.processes[n]
        if process.claim is not None and not process.had:
            process.had = True
            self.happened += 1

    @rule(n=st.integers(0, 2))
    def end_the_body(self, n: int) -> None:
        process = self.processes[n]
        if process.claim is None:
            return
        had = process.had
        claim, process.claim, process.had = process.claim, None, False
        try:
            self._run(process.ledger.close(claim, "done" if had else "released"))
        except BusError:
            return

    @rule(n=st.integers(0, 2))
    def lose_track(self, n: int) -> None:
        """An error of the body that says nothing."""
        process = self.processes[n]
        if process.claim is None:
            return
        claim, process.claim, process.had = process.claim, None, False
        try:
            self._run(process.ledger.close(claim, "in_doubt", why="RuntimeError"))
        except BusError:
            return

    @rule(n=st.integers(0, 2))
    def die(self, n: int) -> None:
        self.processes[n] = _Process(self)

    @rule(faults=st.lists(st.sampled_from(["", "lost", "unanswered"]), min_size=1, max_size=4))
    def have_writes_fail(self, faults: list[str]) -> None:
        self.entries.faults = faults

    @rule(days=st.integers(-400, 400))
    def jump(self, days: int) -> None:
        self.now = NOON + timedelta(days=days)

    @invariant()
    def it_happened_at_most_once(self) -> None:
        assert self.happened <= 1

    @invariant()
    def at_most_one_body_runs(self) -> None:
        assert sum(process.claim is not None for process in self.processes) <= 1


TestOnce = OnceMachine.TestCase
