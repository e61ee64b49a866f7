"""`python -m bench.tracing`: what tracing one callback in a hundred costs the receiver.

Two receivers with streams of their own on one server, one without tracing and one that exports 1 %
of the traces to a collector in another process. In each round they take turns second by second, and
which is first changes, so that what else the machine does meets both alike; the share of a round is
that of its own two, and the median of those is the result. The server syncs each write.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import uvloop

from bench.broker import running_broker
from bench.contenders import YIZHAN, command, environment
from bench.machine import Cores, cpu_s, describe, load_average, share_cores
from bench.processes import Started, free_port, running
from bench.signed import SignedRequests
from bench.wrk import Load, run_wrk

CONNECTIONS: Final = 64
GOAL: Final = 0.95
"""The least share of the rate that is left with tracing."""
RATIOS: Final = {"without": "", "sampled": "0.01"}
Runs = dict[str, list[tuple[float, float]]]
"""By who it was, of each round: callbacks a second, and microseconds of the receiver's processor
time for each."""


@contextlib.asynccontextmanager
async def _receivers(directory: Path, nats_url: str, cores: Cores) -> AsyncIterator[list[Started]]:
    """One for each of `RATIOS`; the spans go to a process that only takes them."""
    collector = free_port()
    taking = (sys.executable, "-m", "bench.tracing", "--collect", str(collector))
    async with contextlib.AsyncExitStack() as stack:
        log = directory / "collector.log"
        known = environment(collector, nats_url)
        taker = running(taking, core=cores.nats, log=log, port=collector, environment=known)
        await stack.enter_async_context(taker)
        found = []
        for name, ratio in RATIOS.items():
            here, port = directory / name, free_port()
            here.mkdir()
            more = {"YIZHAN_NATS__SUBJECT_ROOT": name, "YIZHAN_TRACING__ENABLED": "false"}
            if ratio:
                more |= {
                    "YIZHAN_TRACING__ENABLED": "true",
                    "YIZHAN_TRACING__SAMPLE_RATIO": ratio,
                    "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector}",
                }
            receiver = running(
                command(YIZHAN.server, here, port, nats_url),
                core=cores.server,
                log=here / "log",
                port=port,
                environment={**environment(port, nats_url), **more},
            )
            found.append(await stack.enter_async_context(receiver))
        yield found


async def _compare(seconds: int, rounds: int) -> int:
    found: Runs = {name: [] for name in RATIOS}
    cores = share_cores()
    with tempfile.TemporaryDirectory(prefix="tracing-", ignore_cleanup_errors=True) as where:
        requests = SignedRequests(Path(where) / "requests")
        async with (
            running_broker(Path(where) / "nats", sync_always=True) as broker,
            _receivers(Path(where), broker.url, cores) as receivers,
        ):
            by_name = dict(zip(RATIOS, receivers, strict=True))
            for number in range(rounds + 1):  # the first is to warm up
                for name, run in (await _round(by_name, requests, cores, seconds)).items():
                    if number:
                        found[name].append(run)
                        print(f"  {name:<8} {run[0]:7.0f}/s  {run[1]:6.1f} µs", flush=True)
    print(
        f"{describe(Path.cwd())}, load {load_average()}; median of {rounds} runs of {seconds} s\n"
    )
    return _report(found)


async def _round(
    receivers: Mapping[str, Started], requests: SignedRequests, cores: Cores, seconds: int
) -> dict[str, tuple[float, float]]:
    """Each for so many seconds, in turns of one."""
    answered, used_s = dict.fromkeys(receivers, 0), dict.fromkeys(receivers, 0.0)
    for turn in range(seconds):
        for name in list(receivers)[:: -1 if turn % 2 else 1]:
            receiver = receivers[name]
            before_s = cpu_s(receiver.pid)
            load = Load(f"http://127.0.0.1:{receiver.port}{YIZHAN.path}", CONNECTIONS, seconds=1)
            result = await run_wrk(load, requests, cores.wrk)
            used_s[name] += cpu_s(receiver.pid) - before_s
            answered[name] += result.answered
    return {
        name: (answered[name] / seconds, used_s[name] / max(answered[name], 1) * 1e6)
        for name in receivers
    }


def _report(found: Runs) -> int:
    print("| tracing | callbacks/s | µs of processor a callback |\n| --- | ---: | ---: |")
    for name, ratio in RATIOS.items():
        rate, used = (statistics.median(run[at] for run in found[name]) for at in (0, 1))
        print(f"| {ratio or 'off'} | {rate:.0f} | {used:.1f} |")
    pairs = list(zip(found["without"], found["sampled"], strict=True))
    rates = sorted(sampled[0] / without[0] for without, sampled in pairs)
    shares = sorted(without[1] / sampled[1] for without, sampled in pairs)
    share = statistics.median(shares)
    verdict = "reached" if share >= GOAL else "missed"
    print(f"\nsampled by without: {statistics.median(rates):.3f} of the rate {_range(rates)},")
    print(f"{share:.3f} by processor time {_range(shares)} (goal {GOAL}: {verdict})")
    return int(share < GOAL)


def _range(shares: Sequence[float]) -> str:
    return f"({shares[0]:.3f} to {shares[-1]:.3f})"


def _collect(port: int) -> None:
    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    ThreadingHTTPServer(("127.0.0.1", port), Taking).serve_forever()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 where the goal is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--collect", type=int, metavar="PORT", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.collect:
        _collect(asked.collect)
        return 0
    return uvloop.run(_compare(asked.seconds, asked.rounds))


if __name__ == "__main__":
    sys.exit(main())
