"""The load generator: wrk with `load.lua`, one thread on a core of its own."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from bench.signed import ACCESS_KEY, SignedRequests

_SCRIPT = Path(__file__).with_name("load.lua")
_MOST_PER_S = 40_000


@dataclass(frozen=True, slots=True)
class Load:
    """One run of wrk: closed loop, or `rate_per_s` by random pauses of each connection."""

    url: str
    connections: int
    seconds: int
    rate_per_s: int = 0
    bad: bool = False

    @property
    def pause_ms(self) -> int:
        """The mean pause before each request of a connection."""
        return round(self.connections / self.rate_per_s * 1000) if self.rate_per_s else 0


@dataclass(frozen=True, slots=True)
class Result:
    """What wrk counted; `answered` are those with status 2xx or 3xx."""

    answered: int
    refused: int
    socket_errors: int
    per_s: float
    refused_per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    sent: int


async def run_wrk(load: Load, requests: SignedRequests, core: str) -> Result:
    """Run to the end; raises `RuntimeError` where wrk fails or a request had to be repeated."""
    lines = (load.rate_per_s or _MOST_PER_S) * (load.seconds + 2)
    first = requests.reserve(lines)
    script = (str(requests.path), str(first), requests.timestamp, ACCESS_KEY, str(load.pause_ms))
    process = await asyncio.create_subprocess_exec(
        "taskset", "-c", core, "wrk", "-t1", f"-c{load.connections}", f"-d{load.seconds}s",
        "--timeout", "5s", "-s", str(_SCRIPT), load.url, "--", *script,
        "bad" if load.bad else "good",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    requests.used(lines if load.rate_per_s else 0)
    output, _ = await process.communicate()
    line = next((x for x in output.decode().splitlines() if x.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"wrk failed: {output.decode().strip()}")
    facts = json.loads(line.removeprefix("RESULT "))
    if facts["exhausted"]:
        raise RuntimeError("the load generator ran out of distinct requests")
    if not load.rate_per_s:
        requests.used(facts["sent"])
    answered = facts["requests"] - facts["not_2xx"]
    return Result(
        answered=answered,
        refused=facts["not_2xx"],
        socket_errors=facts["socket_errors"],
        per_s=answered / facts["duration_us"] * 1e6,
        refused_per_s=facts["not_2xx"] / facts["duration_us"] * 1e6,
        p50_ms=facts["p50_us"] / 1000,
        p99_ms=facts["p99_us"] / 1000,
        max_ms=facts["max_us"] / 1000,
        sent=facts["sent"],
    )
