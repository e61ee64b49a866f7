"""`python -m bench.chaos_handlers`: hurt workers and servers, say whether order was kept."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.chaos_handlers.scenarios import SCENARIOS, Scenario
from bench.chaos_handlers.stage import Load, play, staged
from receiver.observability.logs import configure_logs
from receiver.settings import LogSettings


def main() -> int:
    """The command: 0 where nothing was lost, overlapped or came out of order, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos_handlers", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="SCENARIO")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--keep", action="store_true", help="keep the workers' logs")
    arguments = parser.parse_args()
    configure_logs(LogSettings(level="error"))
    chosen = [s for s in SCENARIOS if not arguments.only or s.name in arguments.only]
    load = Load(arguments.events, arguments.orders)
    return asyncio.run(_run(chosen, load, keep=arguments.keep))


async def _run(chosen: Sequence[Scenario], load: Load, *, keep: bool) -> int:
    calm_rate, broken = {1: 0.0, 3: 0.0}, 0
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
        base = calm_rate[scenario.servers]
        share = f"{verdict.rate / base:.2f}" if base else "-"
        lost = verdict.lost - scenario.deserved
        print(
            f"{scenario.name:<22} hurt {len(stage.hurt):3d}  lost {lost}"
            f"  overlaps {verdict.overlaps}  out of order {verdict.disorder}  runs {verdict.runs}"
            f"  {verdict.rate:.0f}/s ({share})  takeover p50 {verdict.takeover_s(0.5):.3f} s"
            f" p99 {verdict.takeover_s(0.99):.3f} s  letters {letters}",
            flush=True,
        )
        kept = verdict.lost == scenario.deserved == letters and not (
            verdict.overlaps or verdict.disorder
        )
        broken += not kept
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
