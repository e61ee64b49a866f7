"""`python -m bench.chaos_handlers`: hurt workers and servers, say whether order was kept."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench.chaos_handlers.effects import Effects
from bench.chaos_handlers.judge import Verdict
from bench.chaos_handlers.page import Row
from bench.chaos_handlers.page import keep as keep_rows
from bench.chaos_handlers.scenarios import SCENARIOS, Scenario
from bench.chaos_handlers.stage import Load, Stage, calm, play, staged
from bench.machine import describe
from receiver.observability.logs import configure_logs
from receiver.settings import LogSettings

WHOLE = Load(20_000, 2_000)
_SHARE_OF_EFFECTS = 5
"""Each effect is two durable writes: they are run on fewer events."""


def main() -> int:
    """The command: 0 where nothing was lost, overlapped, came out of order or happened twice."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos_handlers", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="SCENARIO")
    parser.add_argument("--events", type=int, default=WHOLE.events)
    parser.add_argument("--orders", type=int, default=WHOLE.orders)
    parser.add_argument("--keep", action="store_true", help="keep the workers' logs")
    arguments = parser.parse_args()
    configure_logs(LogSettings(level="error"))
    chosen = [s for s in SCENARIOS if not arguments.only or s.name in arguments.only]
    load = Load(arguments.events, arguments.orders)
    return asyncio.run(_run(chosen, load, keep=arguments.keep))


async def _run(chosen: Sequence[Scenario], load: Load, *, keep: bool) -> int:
    calm_rate = dict[tuple[int, bool], float]()
    broken = 0
    rows: list[Row] = []
    for scenario in chosen:
        directory = Path(tempfile.mkdtemp(prefix="chaos-"))
        done = None
        played = _load(scenario, load)
        async with staged(
            directory, scenario.servers, played, scenario.killer, effects=scenario.effects
        ) as stage:
            verdict = await play(stage, scenario.hurting, but=scenario.deserved)
            letters = await stage.letters()
            if scenario.effects:
                done = await stage.effects()
        if keep:
            print(directory)
        else:
            shutil.rmtree(directory)
        kind = scenario.servers, scenario.effects
        if scenario.hurting is calm:
            calm_rate[kind] = verdict.rate
        rows.append(_row(scenario, verdict, stage, letters, calm_rate.get(kind, 0.0), done))
        print(rows[-1].summary, flush=True)
        if load == WHOLE:
            keep_rows(rows)
        kept = verdict.lost == scenario.deserved == letters and not (
            verdict.overlaps or verdict.disorder or (done and not done.kept)
        )
        broken += not kept
    if load == WHOLE:
        print("kept: `python -m bench.faults --page` writes docs/guarantees.md")
    return 1 if broken else 0


def _load(scenario: Scenario, load: Load) -> Load:
    """Where there are effects, two events report each fact."""
    if not scenario.effects:
        return load
    events = load.events // _SHARE_OF_EFFECTS
    return Load(events, events // 2)


def _row(
    scenario: Scenario,
    verdict: Verdict,
    stage: Stage,
    letters: int,
    base: float,
    effects: Effects | None,
) -> Row:
    took = bool(verdict.takeovers_s)
    return Row(
        scenario.name,
        datetime.now(UTC).date().isoformat(),
        describe(Path(tempfile.gettempdir())),
        stage.load.events,
        len(stage.hurt),
        verdict.lost - scenario.deserved,
        verdict.overlaps,
        verdict.disorder,
        letters,
        round(verdict.rate),
        round(verdict.rate / base, 2) if base else 0.0,
        round(verdict.takeover_s(0.5), 3) if took else None,
        round(verdict.takeover_s(0.99), 3) if took else None,
        asdict(effects) if effects else None,
    )


if __name__ == "__main__":
    sys.exit(main())
