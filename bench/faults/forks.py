"""Processes of the command line, each forked off one that has imported everything.

Each is a process of its own, from its first line to its exit code, for the price of a fork: five
hundred of them take minutes, where each would else import everything again.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

_ROOT = Path(__file__).resolve().parent.parent.parent
_SIGTERM = 1 << (signal.SIGTERM - 1)


class Fork:
    """A process under way; `log` is what it writes to."""

    def __init__(self, pid: int, log: Path, parent: asyncio.subprocess.Process) -> None:
        self.pid = pid
        self.log = log
        self._parent = parent

    def handles_sigterm(self) -> bool:
        """Whether it would stop, rather than be ended, by SIGTERM: it runs its event loop."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        caught = status.partition("SigCgt:")[2].split()[0]
        return bool(int(caught, 16) & _SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def ended(self) -> tuple[int, float]:
        """Its exit code, and when it ended, by `time.monotonic`."""
        code, when = json.loads(await _line(self._parent))
        return code, when


class Forks:
    """Forks one process at a time; to be used as a context."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.faults.forks"),
            cwd=_ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def start(
        self,
        *arguments: str,
        directory: Path,
        environment: Mapping[str, str],
        log: Path,
        busy_s: float | None = None,
    ) -> Fork:
        """Run `yizhan` with these arguments; with `busy_s`, its spool waits that long for a lock:
        a disk that hangs."""
        assert self._process is not None
        assert self._process.stdin is not None
        order = {
            "arguments": arguments,
            "directory": str(directory),
            "environment": dict(environment),
            "log": str(log),
            "busy_s": busy_s,
        }
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return Fork(int(await _line(self._process)), log, self._process)


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    if not (line := await process.stdout.readline()):
        raise RuntimeError("what forks processes has ended")
    return line


def _serve() -> Mapping[str, Any]:
    """Fork off what is ordered; returns the order, in the process that is to carry it out."""
    for line in sys.stdin.buffer:
        if not (pid := os.fork()):
            order: Mapping[str, Any] = json.loads(line)
            return order
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), time.monotonic()]), flush=True)
    sys.exit(0)


def _become(order: Mapping[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["directory"])
    sys.path.insert(0, order["directory"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    sys.argv = ["yizhan", *order["arguments"]]


def _run(arguments: Sequence[str]) -> None:
    assert not arguments
    from receiver import cli
    from receiver.cli.app import COMMANDS, load
    from receiver.spool.queue import Spool
    from tests.preloaded import preload

    load(COMMANDS)
    preload()
    order = _serve()
    _become(order)
    if order["busy_s"] is not None:
        defaults = Spool.__init__.__kwdefaults__  # type: ignore[misc] # read, not called
        defaults["busy_timeout_s"] = order["busy_s"]
    cli.app()


if __name__ == "__main__":
    _run(sys.argv[1:])
