"""`python -m bench.api`: what a call through the client costs beside bare httpx2, same signing.

Both run at once, each in a process of its own, and call one server at one fixed rate; compared is
the processor time of the two processes, by the median of the rounds' differences: whatever else the
machine does slows both. Both send the same signed request and parse the JSON of the reply; the
client also keeps its pace, checks request and verdict, and reads the reply as a model. The server
waits before it answers, so that calls overlap.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import uvicorn

from bench.machine import describe
from receiver.signatures import xport_signature
from yizhan.client import PlatformAPI

ROOT = Path(__file__).parents[1]
REPLY = ROOT / "tests" / "fixtures" / "api" / "1688-order-detail.json"
ORDER_ID = "2700000000000000017"
KEY, SECRET = "key", "secret"
ANSWER_AFTER_S = 0.1
WARM_UP_S = 2.0
GOAL = 0.25
CONTENDERS = ("bare", "client")

Ask = Callable[[], Awaitable[str]]


@contextlib.asynccontextmanager
async def bare(url: str) -> AsyncIterator[Ask]:
    """httpx2 as one would use it by hand."""
    async with httpx2.AsyncClient(base_url=url, timeout=10, trust_env=False) as http:

        async def ask() -> str:
            timestamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(16)
            headers = {
                "access-key": KEY,
                "timestamp": timestamp,
                "nonce-str": nonce,
                "signature": xport_signature(KEY, timestamp, nonce, SECRET),
            }
            body = {"webSite": "1688", "orderId": ORDER_ID}
            answer = await http.post("/v2/alibaba/order/detail", json=body, headers=headers)
            status: str = answer.raise_for_status().json()["data"]["baseInfo"]["status"]
            return status

        yield ask


@contextlib.asynccontextmanager
async def client(url: str) -> AsyncIterator[Ask]:
    """The same by the client."""
    pace = {"rate_per_s": 100_000, "concurrency": 100}
    account = {"base_url": url, "access_key": KEY, "secret": SECRET, **pace}
    async with PlatformAPI.open(**account) as api:

        async def ask() -> str:
            order = await api.alibaba.orders.detail(ORDER_ID)
            return str(order.base_info.status) if order.base_info else ""

        yield ask


async def share_of_a_core(name: str, url: str, rate_per_s: float, seconds: float) -> float:
    """The processor time of this process for the calls of a second, also where they took longer."""
    async with globals()[name](url) as ask:
        await _calls(ask, rate_per_s, WARM_UP_S)
        used = time.process_time()
        await _calls(ask, rate_per_s, seconds)
        return (time.process_time() - used) / seconds


async def _calls(ask: Ask, rate_per_s: float, seconds: float) -> None:
    """Evenly spaced calls, each begun in its time whatever became of those before."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate_per_s * seconds)):
            await asyncio.sleep(began + number / rate_per_s - time.monotonic())
            group.create_task(_checked(ask))


async def _checked(ask: Ask) -> None:
    status = await ask()
    if status != "waitsellersend":
        raise RuntimeError(f"read as {status!r}")


def serve(descriptor: int) -> None:
    """The platform: one reply, after a while."""
    reply = json.dumps(json.loads(REPLY.read_text(encoding="utf-8"))["reply"]).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))]

    async def app(scope, receive, send) -> None:
        while (await receive()).get("more_body"):
            """The request is read whole."""
        await asyncio.sleep(ANSWER_AFTER_S)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": reply})

    # On a busy machine a connection may rest longer than uvicorn's five seconds.
    given = {"log_config": None, "access_log": False, "timeout_keep_alive": 600}
    uvicorn.run(app, fd=descriptor, lifespan="off", **given)


def main() -> int:
    """The command."""
    arguments = _arguments()
    if arguments.serve is not None:
        serve(arguments.serve)
        return 0
    if arguments.contender:
        run = (arguments.contender, arguments.url, arguments.rate, arguments.seconds)
        print(asyncio.run(share_of_a_core(*run)))
        return 0
    return _compare(arguments.rate, arguments.seconds, arguments.rounds)


def _compare(rate_per_s: float, seconds: float, rounds: int) -> int:
    shares: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    with _server() as url:
        for _ in range(rounds):
            running = {name: _started(name, url, rate_per_s, seconds) for name in CONTENDERS}
            for name, process in running.items():
                shares[name].append(float(process.communicate()[0]))
                print(f"  {name:<8} {shares[name][-1]:.1%} of a core", flush=True)
    bare_share, client_share = (statistics.median(shares[name]) for name in CONTENDERS)
    pairs = zip(*(shares[name] for name in CONTENDERS), strict=True)
    more = statistics.median(ours - theirs for theirs, ours in pairs)
    print(
        f"{rate_per_s:g} calls/s, {describe(ROOT)}: bare httpx2 {bare_share:.1%} of a core, "
        f"the client {client_share:.1%}: {more:.1%} more, {more / rate_per_s * 1e6:.0f} µs a call; "
        f"goal: less than {GOAL:.0%} more: {'reached' if more < GOAL else 'missed'}"
    )
    return 0 if more < GOAL else 1


@contextlib.contextmanager
def _server():
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        command = [sys.executable, "-m", "bench.api", "--serve", str(listener.fileno())]
        server = subprocess.Popen(command, cwd=ROOT, pass_fds=[listener.fileno()])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.terminate()
            server.wait()


def _started(name: str, url: str, rate_per_s: float, seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.api", "--contender", name, "--url", url]
    given = ["--rate", str(rate_per_s), "--seconds", str(seconds)]
    return subprocess.Popen([*command, *given], cwd=ROOT, stdout=subprocess.PIPE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--rate", type=float, default=200, help="calls a second")
    parser.add_argument("--seconds", type=float, default=10, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
