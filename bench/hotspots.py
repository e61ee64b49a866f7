"""`python -m bench.hotspots`: where the receiver's processor time goes, at 256 connections.

Samples a running receiver with py-spy and prints the functions by their share, in microseconds of
processor time for each callback. `--native` shows C code too (the garbage collector, writes).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench import machine
from bench.broker import running_broker
from bench.contenders import YIZHAN
from bench.measure import Place, Sample, measure, started
from bench.signed import SignedRequests

_IDLE = "_worker (concurrent"
_LINE = re.compile(r":\d+\)$")


async def _sample(directory: Path, seconds: int, *, native: bool) -> tuple[Path, Sample]:
    cores = machine.share_cores()
    os.sched_setaffinity(0, {int(core) for core in cores.nats.split(",")})
    out = directory / "stacks"
    async with (
        running_broker(directory / "nats", sync_always=True) as broker,
        started([YIZHAN.server], directory, cores, broker) as servers,
    ):
        place = Place(directory, cores, SignedRequests(directory / "signed"), broker, servers)
        sample = await measure(place, YIZHAN, place.load(YIZHAN, 256, 4))
        loading = asyncio.create_task(measure(place, YIZHAN, place.load(YIZHAN, 256, seconds + 2)))
        await asyncio.sleep(1)
        spy = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("py-spy")), "record", "--pid",
            str(servers[YIZHAN.server].pid), "--duration", str(seconds), "--rate", "200",
            "--format", "raw", "--output", str(out), *(["--native"] if native else []),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await spy.wait()
        await loading
    return out, sample


def _count(stacks: Path) -> tuple[Counter[str], Counter[str], int]:
    alone: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in stacks.read_text(encoding="utf-8").splitlines():
        stack, _, times = line.rpartition(" ")
        frames = [_LINE.sub(")", frame) for frame in stack.split(";")]
        if _IDLE in frames[-1]:
            continue  # a thread that waits for work is no work
        alone[frames[-1]] += int(times)
        within.update(dict.fromkeys(frames, int(times)))
    return alone, within, alone.total()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.hotspots", description=__doc__)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--native", action="store_true")
    parser.add_argument("--top", type=int, default=40)
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="yizhan-bench-", dir="/var/tmp"))
    try:
        stacks, sample = asyncio.run(_sample(directory, arguments.seconds, native=arguments.native))
        alone, within, total = _count(stacks)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{sample.result.per_s:,.0f}/s, {sample.server_cpu_us:.0f} us of processor a callback")
    for title, counts in (("by itself", alone), ("with what it calls", within)):
        print(f"\n{title}:")
        for name, times in counts.most_common(arguments.top):
            share = times / max(total, 1)
            print(f"{share:6.1%} {share * sample.server_cpu_us:7.1f} us  {name}")


if __name__ == "__main__":
    main()
