"""A part of `make chaos`: worker processes and leaders die, and order is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.chaos_handlers.effects import World, judge_effects
from bench.chaos_handlers.judge import Run, judge
from bench.chaos_handlers.scenarios import (
    after_each,
    killer_message,
    leader_steps_down,
    owner_killed,
)
from bench.chaos_handlers.stage import Load, play, staged
from receiver.worker.effects.states import EffectRecord, State


@pytest.mark.serial
async def test_order_is_kept_while_one_owner_after_another_is_killed(tmp_path: Path) -> None:
    async with staged(tmp_path, 1, Load(1_000, 100)) as stage:
        verdict = await play(stage, after_each(125, owner_killed))
        assert len(stage.hurt) >= 4
        assert (verdict.lost, verdict.overlaps, verdict.disorder) == (0, 0, 0)
        assert await stage.letters() == 0


@pytest.mark.serial
async def test_an_event_that_kills_its_process_becomes_a_letter_and_no_other_does(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, 1, Load(300, 100), killer="40") as stage:
        verdict = await play(stage, killer_message, but=1)
        assert (verdict.lost, verdict.overlaps, verdict.disorder) == (1, 0, 0)
        assert await stage.letters() == 1


@pytest.mark.serial
async def test_order_is_kept_over_changes_of_the_leader_on_three_servers(tmp_path: Path) -> None:
    async with staged(tmp_path, 3, Load(800, 80)) as stage:
        verdict = await play(stage, after_each(200, leader_steps_down))
        assert (verdict.lost, verdict.overlaps, verdict.disorder) == (0, 0, 0)


def run(number: int, started: float, ended: float | None, worker: str = "w0") -> Run:
    return Run(worker, "order", number, 1, started, ended)


def test_the_judge_sees_what_is_lost_overlaps_and_is_out_of_order() -> None:
    good = judge([run(0, 1, 2), run(1, 2, 3)], 2, {}, [])
    assert good.kept
    assert judge([run(0, 1, 2), run(1, 2, None)], 2, {"w0": 3.0}, []).lost == 1
    assert judge([run(0, 1, 3), run(1, 2, 4)], 2, {}, []).overlaps == 1
    assert judge([run(1, 1, 2), run(0, 2, 3)], 2, {}, []).disorder == 1
    died = judge([run(0, 1, None), run(0, 2, 4, "w1"), run(1, 4, 5, "w1")], 2, {"w0": 1.5}, [])
    assert died.kept


@pytest.mark.serial
async def test_each_fact_is_acted_on_once_while_one_owner_after_another_is_killed(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, 1, Load(400, 200), effects=True) as stage:
        verdict = await play(stage, after_each(60, owner_killed))
        assert len(stage.hurt) >= 4
        assert (verdict.lost, await stage.letters()) == (0, 0)
        effects = await stage.effects()
        assert (effects.facts, effects.kept) == (200, True)
        assert effects.happened + effects.did_not > 0  # else no kill came between


def test_the_judge_of_effects_sees_what_is_done_twice_never_or_undecided(tmp_path: Path) -> None:
    world = World(tmp_path)
    for fact in ("once", "twice", "twice"):
        world.act(fact)
    assert (world.ask("once"), world.ask("never"), world.ask("else")) == (True, False, False)
    effects = judge_effects(world, {"once", "never"}, [record("once", "done"), record("never")])
    assert (effects.twice, effects.never, effects.undecided) == (1, 1, 2)
    assert (effects.happened, effects.did_not, effects.kept) == (1, 2, False)
    assert judge_effects(world, {"once"}, [record("once", "done"), record("twice", "done")]).twice


def record(fact: str, state: State = "claimed") -> EffectRecord:
    now = datetime.now(UTC)
    return EffectRecord(
        state=state,
        handler="chaos",
        name="ship",
        fact=fact,
        event_id="1.0",
        event_type="order.created",
        claim="c",
        worker="w",
        attempt=1,
        at=now,
        deadline=now,
    )
