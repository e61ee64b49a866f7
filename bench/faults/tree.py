"""Processes that are to be hurt: a receiver with all below it, and nats-servers of our own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import Signals
from typing import Any

from bench.faults.sender import ACCESS_KEY, SECRET, SOURCE
from bench.processes import free_port
from receiver.bus.subjects import Subjects
from receiver.embedded.data_directory import stream_directory
from receiver.embedded.server import server_binary
from receiver.embedded.server_urls import announced
from receiver.embedded.staging import BatchStaging

_START_S = 60.0
_DRAIN_S = 180.0


class Receiver:
    """`yizhan receive` on a data directory; started again on the same one as often as wanted."""

    def __init__(
        self,
        directory: Path,
        *,
        data_dir: Path | None = None,
        nats_url: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.data_dir = data_dir or directory / "data"
        self._log = directory / "receiver.log"
        self._external_nats_url = nats_url
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("YIZHAN_")},
            "YIZHAN_RECEIVER__PORT": str(self.port),
            "YIZHAN_NATS__DATA_DIR": str(self.data_dir),
            "YIZHAN_NATS__PORT": str(free_port()),
            "YIZHAN_LOG__FORMAT": "json",
            "YIZHAN_LOG__LEVEL": "warning",
            "YIZHAN_SOURCES": json.dumps([_SOURCE]),
            **({"YIZHAN_NATS__URL": nats_url} if nats_url else {}),
            **(more or {}),
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def nats_url(self) -> str:
        """Of the NATS it runs on; of the embedded one while that is reached, with the password."""
        if self._external_nats_url:
            return self._external_nats_url
        urls = announced(self.data_dir)
        if urls is None:
            raise RuntimeError("the embedded nats-server does not run")
        return urls.operator

    @property
    def staging(self) -> Path:
        """Where the embedded server stages batches in memory."""
        stream = stream_directory(self.data_dir.resolve(), Subjects().stream)
        return BatchStaging(stream).target

    async def start(self) -> None:
        """Start and wait until it answers."""
        with self._log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "receiver", "receive"),
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        async with asyncio.timeout(_START_S):
            while not await self._answers("/healthz"):
                if self._process.returncode is not None:
                    raise RuntimeError(f"the receiver did not start: {self._tail()}")
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End it as an operator does; raises `RuntimeError` where its exit code is not 0."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            async with asyncio.timeout(_START_S):
                if code := await self._process.wait():
                    raise RuntimeError(f"the receiver ended with {code}: {self._tail()}")

    async def kill(self, *, whole_tree: bool = False) -> None:
        """SIGKILL to the receiver alone, or to it, its watchdog and its nats-server at once."""
        assert self._process is not None
        self.signal(Signals.SIGKILL, whole_tree=whole_tree)
        await self._process.wait()

    def signal(self, number: Signals, *, whole_tree: bool = False) -> None:
        """Send a signal to the receiver, or to all of its tree."""
        assert self._process is not None
        for pid in _tree(self._process.pid) if whole_tree else [self._process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def signal_nats(self, number: Signals) -> None:
        """Send a signal to the embedded nats-server."""
        os.kill(int((self.data_dir / "nats-server.lock").read_text(encoding="utf-8")), number)

    async def settled(self, *, left: int = 0) -> None:
        """Return once the log is ready and the spool holds no more than `left`, what can never be
        drained; raises `TimeoutError`.
        """
        async with asyncio.timeout(_DRAIN_S):
            while True:
                answer = await self._answers("/readyz")
                depth = (answer or {}).get("spool", {}).get("depth") or 0
                if answer and "reason" not in answer and depth <= left:
                    return
                await asyncio.sleep(0.2)

    async def _answers(self, path: str) -> dict[str, Any] | None:
        """What it answers at `path`; None where it does not answer 200."""
        return await asyncio.to_thread(_get, f"http://127.0.0.1:{self.port}{path}")

    def _tail(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-1500:]


_SOURCE = {
    "name": SOURCE,
    "dialect": "xport",
    "verification": "signature",
    "access_key": ACCESS_KEY,
    "secrets": [SECRET],
}


def _get(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except (OSError, urllib.error.URLError, ValueError):
        return None


def _tree(pid: int) -> list[int]:
    """The process and all below it."""
    below: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            below += map(int, (task / "children").read_text(encoding="ascii").split())
    return [pid, *(each for child in below for each in _tree(child))]


class NatsServer:
    """A nats-server of our own, with `config` as it stands; below `prefix`, where one is given."""

    def __init__(
        self, directory: Path, name: str, config: str, *, prefix: Sequence[str] = ()
    ) -> None:
        self.name = name
        self._file = directory / f"{name}.conf"
        self._file.write_text(config, encoding="utf-8")
        self._command = (*prefix, server_binary(), "-c", str(self._file))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; it may take a moment until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stderr=asyncio.subprocess.DEVNULL
        )

    def signal(self, number: Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, and wait."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
