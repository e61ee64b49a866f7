"""Who is measured: how each is started, where it is posted to, what it stores where."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.signed import ACCESS_KEY, SECRET

ROOT = Path(__file__).resolve().parent.parent
_UVICORN = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
_NODE = Path(__file__).with_name("node")


@dataclass(frozen=True, slots=True)
class Contender:
    """`subject` is where each callback is stored once, in `stream`; both empty: nowhere.

    Contenders of the same `server` are paths of one process.
    """

    name: str
    label: str
    server: str
    path: str = "/callbacks"
    stream: str = ""
    subject: str = ""


EMPTY = Contender("empty", "empty ASGI app", "empty")
EQUAL = Contender(
    "equal_work",
    "FastAPI, equal work by hand",
    "equal_work",
    stream="EQUAL_WORK",
    subject="equal_work.callbacks.bench",
)
BY_HAND = Contender(
    "by_hand",
    "bare FastAPI, `js.publish`",
    "by_hand",
    stream="BY_HAND",
    subject="by_hand.callbacks",
)
FASTSTREAM = Contender(
    "with_faststream",
    "FastStream in FastAPI",
    "with_faststream",
    stream="WITH_FASTSTREAM",
    subject="with_faststream.callbacks",
)
NODE = Contender(
    "with_node",
    "bare Node: fastify, NATS client",
    "with_node",
    stream="WITH_NODE",
    subject="with_node.callbacks",
)
YIZHAN = Contender(
    "yizhan",
    "Yizhan, full pipeline",
    "yizhan",
    path="/callbacks/bench",
    stream="YIZHAN",
    subject="yizhan.callbacks.bench",
)
YIZHAN_OFF = Contender(
    "yizhan_off",
    'Yizhan, `replay_check = "off"`',
    "yizhan",
    path="/callbacks/unguarded",
    stream="YIZHAN",
    subject="yizhan.callbacks.unguarded",
)
ALL = (EMPTY, BY_HAND, FASTSTREAM, NODE, EQUAL, YIZHAN, YIZHAN_OFF)


def command(
    server: str, directory: Path, port: int, nats_url: str, *, workers: int = 1
) -> Sequence[str]:
    """The command line of a server."""
    if server == "yizhan":
        config = directory / ("yizhan.toml" if workers == 1 else f"yizhan-{workers}.toml")
        config.write_text(_settings(port, nats_url, workers), encoding="utf-8")
        return (sys.executable, "-m", "receiver", "receive", "--config", str(config))
    if server == "with_node":
        return ("node", str(directory / "node" / "server.mjs"))
    module = f"bench.servers.{server}:app"
    return (sys.executable, "-m", "uvicorn", module, "--port", str(port), *_UVICORN)


def environment(port: int, nats_url: str) -> Mapping[str, str]:
    """What the servers read from it."""
    return os.environ | {
        "BENCH_NATS_URL": nats_url,
        "BENCH_PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }


def prepare_node(directory: Path) -> str:
    """Install the Node server's packages; gives the reason where it cannot take part."""
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    shutil.copytree(_NODE, directory / "node", dirs_exist_ok=True)
    install = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    try:
        done = subprocess.run(
            install, cwd=directory / "node", capture_output=True, check=False, timeout=120
        )
    except subprocess.TimeoutExpired:
        return "npm did not install its packages in 120 s"
    return "" if done.returncode == 0 else "npm could not install its packages"


def _settings(port: int, nats_url: str, workers: int) -> str:
    source = f"""
dialect = "xport"
verification = "signature"
access_key = "{ACCESS_KEY}"
secrets = ["{SECRET}"]
"""
    return f"""
[nats]
url = "{nats_url}"
batches_in_memory = true
[receiver]
port = {port}
workers = {workers}
[handlers]
load = ["bench.stopwatch:router"]
[log]
format = "json"
[[sources]]
name = "bench"{source}
[[sources]]
name = "unguarded"
replay_check = "off"{source}"""
