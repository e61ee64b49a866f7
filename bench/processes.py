"""The servers under test as processes: pinned, awaited, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_START_S = 600.0
_STOP_S = 15.0


@dataclass(frozen=True, slots=True)
class Started:
    """A server that answers; `ready_s` from its start to its first answer."""

    pid: int
    port: int
    ready_s: float


def free_port() -> int:
    """A port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def running(
    command: Sequence[str],
    *,
    core: str,
    log: Path,
    port: int = 0,
    environment: Mapping[str, str] = os.environ,
) -> AsyncIterator[Started]:
    """Run `command` on `core` and wait until it answers on `port` (0: do not wait)."""
    started = time.perf_counter()
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            "taskset", "-c", core, *command, env=environment, stdout=out, stderr=out
        )
    try:
        if port:
            await _answering(process, port, log)
        yield Started(process.pid, port, time.perf_counter() - started)
    finally:
        await _end(process)


async def _answering(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while process.returncode is None and time.monotonic() < deadline:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")  # any answer will do, a 404 too
        answered = await reader.read(1)
        writer.close()
        if answered:
            return
    raise RuntimeError(f"the server did not start: {_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-800:]


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
