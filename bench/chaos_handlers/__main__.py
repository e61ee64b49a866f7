"""`python -m bench.chaos_handlers`: hurt workers and servers, say whether order was kept."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.chaos_handlers.judge import Verdict
from bench.chaos_handlers.page import Row
from bench.chaos_handlers.page import keep as keep_rows
from bench.chaos_handlers.scenarios import SCENARIOS, Scenario
from bench.chaos_handlers.stage import Load, play, staged
from bench.machine import describe
from receiver.observability.logs import configure_logs
from receiver.settings import LogSettings

WHOLE = Load(20_000, 2_000)


def main() -> int:
    """The command: 0 where nothing was lost, overlapped or came out of order, else 1."""
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
    calm_rate, broken = {1: 0.0, 3: 0.0}, 0
    rows: list[Row] = []
    for scenario in chosen:
        directory = Path(tempfile.mkdtemp(prefix="chaos-"))
        async with staged(directory, scenario.servers, load, scenario.killer) as stage:
            verdict = await play(stage, scenario.hurting, but=scenario.deserved)
            letters = await stage.letters()
        if keep:
            print(directory)
        else:
            shutil.rmtree(directory)
        if scenario.name.startswith("calm"):
            calm_rate[scenario.servers] = verdict.rate
        rows.append(_row(scenario, verdict, len(stage.hurt), letters, calm_rate, load))
        print(rows[-1].summary, flush=True)
        kept = verdict.lost == scenario.deserved == letters and not (
            verdict.overlaps or verdict.disorder
        )
        broken += not kept
    if load == WHOLE:
        keep_rows(rows)
        print("kept: `python -m bench.faults --page` writes docs/guarantees.md")
    return 1 if broken else 0


def _row(
    scenario: Scenario,
    verdict: Verdict,
    hurt: int,
    letters: int,
    calm_rate: Mapping[int, float],
    load: Load,
) -> Row:
    base = calm_rate[scenario.servers]
    took = bool(verdict.takeovers_s)
    return Row(
        scenario.name,
        datetime.now(UTC).date().isoformat(),
        describe(Path(tempfile.gettempdir())),
        load.events,
        hurt,
        verdict.lost - scenario.deserved,
        verdict.overlaps,
        verdict.disorder,
        letters,
        round(verdict.rate),
        round(verdict.rate / base, 2) if base else 0.0,
        round(verdict.takeover_s(0.5), 3) if took else None,
        round(verdict.takeover_s(0.99), 3) if took else None,
    )


if __name__ == "__main__":
    sys.exit(main())
