"""`make fuzz`: many inputs, no stray exception, none slow.

Half of the inputs are coverage-guided where atheris is installed; the rest are honest messages
bent by chance. Exits 1 with the first input that broke a rule.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass

from bench.fuzz.generate import Generator
from bench.fuzz.target import SLOW_S, run

_TRIES = 3


@dataclass(frozen=True)
class Found:
    """How one process fared: inputs, the slowest's seconds, what broke."""

    inputs: int
    slowest_s: float
    broken: str = ""


def by_chance(job: tuple[int, int]) -> Found:
    seed, inputs = job
    generator, slowest_s = Generator(seed), 0.0
    for number in range(inputs):
        case = generator.case()
        try:
            took_s = run(case)
            if took_s > SLOW_S:  # a busy machine is not a slow input
                took_s = min(run(case) for _ in range(_TRIES))
        except Exception:  # noqa: BLE001 - any exception is what is looked for
            trace = traceback.format_exc()
            return Found(number, slowest_s, f"seed {seed}, input {number}: {case}\n{trace}")
        slowest_s = max(slowest_s, took_s)
        if took_s > SLOW_S:
            return Found(number, slowest_s, f"seed {seed}, input {number}: {took_s:.3f} s: {case}")
    return Found(inputs, slowest_s)


def guided(inputs: int) -> bool:
    with tempfile.TemporaryDirectory() as corpus:
        command = [sys.executable, "-m", "bench.fuzz.guided", str(inputs), corpus]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
    lines = (ended.stdout + ended.stderr).splitlines()
    print("\n".join(lines[-3:] if ended.returncode == 0 else lines[-40:]))
    return ended.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    options = parser.parse_args()
    left = options.inputs
    if importlib.util.find_spec("atheris"):
        print(f"{left // 2} inputs, guided by coverage")
        if not guided(left // 2):
            return 1
        left -= left // 2
    share = -(-left // options.jobs)
    jobs = [(options.seed + number, share) for number in range(options.jobs)]
    with multiprocessing.Pool(options.jobs) as pool:
        found = pool.map(by_chance, jobs)
    for each in found:
        if each.broken:
            print(each.broken)
            return 1
    slowest_ms = max(each.slowest_s for each in found) * 1000
    print(
        f"{share * options.jobs} inputs by chance, 0 stray exceptions, slowest {slowest_ms:.1f} ms"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
