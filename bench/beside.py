"""`python -m bench.beside`: one handler and the receiver beside a handler that blocks the event
loop, one that exits and one that hangs.

`yizhan up` with two handler processes; 200 callbacks a second. Says how the callbacks were answered
and how long it took from the callback to the start of the good handler, with nothing bad beside it
and with each kind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.broker import Broker, running_broker
from bench.contenders import YIZHAN, command, environment
from bench.machine import describe, share_cores
from bench.processes import free_port, running
from bench.signed import SignedRequests
from bench.stopwatch import TIMES
from bench.wrk import Load, Result, run_wrk

PER_S = 200
_CONNECTIONS = 20
_SETTLED_S = 120
_KINDS = ("alone", "blocking", "exiting", "hanging")


async def _measure(
    kind: str, directory: Path, broker: Broker, requests: SignedRequests, seconds: int
) -> tuple[Result, Sequence[float]]:
    """The answers, and the sorted times from callback to handler in ms."""
    port, times = free_port(), directory / f"times-{kind}"
    command(YIZHAN.server, directory, port, broker.url)  # writes the settings
    load = ["bench.stopwatch:router"]
    if kind != "alone":
        load.append(f"bench.beside_handlers:{kind}")
    cores = share_cores()
    surroundings = {
        **environment(port, broker.url),
        TIMES: str(times),
        "YIZHAN_HANDLERS__LOAD": json.dumps(load),
        "YIZHAN_HANDLERS__PROCESSES": "2",
        "YIZHAN_HANDLERS__GRACE_S": "1",
        "YIZHAN_NATS__SUBJECT_ROOT": kind,
    }
    up = (sys.executable, "-m", "receiver", "up", "--config", str(directory / "yizhan.toml"))
    log = directory / f"{kind}.log"
    async with running(up, core=cores.nats, log=log, port=port, environment=surroundings):
        url = f"http://127.0.0.1:{port}{YIZHAN.path}"
        await run_wrk(Load(url, _CONNECTIONS, 5, PER_S), requests, cores.wrk)  # handlers begin
        await _settled(log, times, isolated=kind == "blocking")
        answers = await run_wrk(Load(url, _CONNECTIONS, seconds, PER_S), requests, cores.wrk)
        taken = await _settled(log, times)
    return answers, taken


async def _settled(log: Path, times: Path, *, isolated: bool = False) -> Sequence[float]:
    """The times once no more come, and once the handler that blocks is apart; begins anew."""
    count, same = -1, 0
    async with asyncio.timeout(_SETTLED_S):
        while same < 8 or (isolated and not _says(log, b'"handler_isolated"')):
            now = len(_lines(times))
            count, same = now, same + 1 if now == count else 0
            await asyncio.sleep(0.25)
    taken = sorted(map(float, _lines(times)))
    _empty(times)
    return taken


def _says(log: Path, word: bytes) -> bool:
    return word in log.read_bytes()


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="ascii").split()


def _empty(file: Path) -> None:
    file.write_bytes(b"")


async def _run(kinds: Sequence[str], seconds: int, directory: Path) -> int:
    requests, worst = SignedRequests(directory / "signed", lines=20_000), 0.0
    async with running_broker(directory / "nats", sync_always=True) as broker:
        for kind in kinds:
            answers, taken = await _measure(kind, directory, broker, requests, seconds)
            p99 = taken[int(len(taken) * 0.99)] if taken else float("nan")
            print(
                f"{kind:<9} answered {answers.answered} of {answers.sent}, refused"
                f" {answers.refused}, p99 {answers.p99_ms:.1f} ms, longest {answers.max_ms:.1f} ms;"
                f" handled {len(taken)}, from the callback p50 {statistics.median(taken):.1f} ms,"
                f" p99 {p99:.1f} ms",
                flush=True,
            )
            worst = max(worst, answers.max_ms)
    print(describe(directory))
    return int(worst >= 1000)


def main() -> int:
    """The command: 0 where each callback was answered within a second."""
    parser = argparse.ArgumentParser(prog="python -m bench.beside", description=__doc__)
    parser.add_argument("--only", nargs="*", default=_KINDS, choices=_KINDS)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--dir", default=os.environ.get("TMPDIR"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yizhan-beside-", dir=arguments.dir) as directory:
        return asyncio.run(_run(arguments.only, arguments.seconds, Path(directory)))


if __name__ == "__main__":
    sys.exit(main())
