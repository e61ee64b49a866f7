"""Commands forked from a process that has imported what they need: see `tests.preloaded`."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
READ_BY_COMMANDS: Final = ("COLUMNS", "PYTEST_", "YIZHAN_")
"""Prefixes of the variables that are read by a command when it runs, not by what it imports."""


class Forked:
    """A process with the methods of `asyncio.subprocess.Process`, forked by another."""

    def __init__(
        self,
        pid: int,
        replies: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        outputs: Sequence[asyncio.StreamReader],
    ) -> None:
        self.pid = pid
        self.stdout = outputs[0]
        self.stderr = outputs[1] if outputs[1:] else None
        self.returncode: int | None = None
        self._outputs = outputs
        self._ended = asyncio.create_task(self._end(*replies))

    async def _end(self, reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> int:
        self.returncode = int(await reading.readline())
        writing.close()
        await writing.wait_closed()
        return self.returncode

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes, bytes]:
        """What it writes until it has ended."""
        out, *err = await asyncio.gather(*(output.read() for output in self._outputs))
        await self.wait()
        return out, b"".join(err)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclass(frozen=True)
class Preloaded:
    """The process that forks; it ends when `channel` is closed."""

    channel: socket.socket
    environ: Mapping[str, str]

    def suits(self, environ: Mapping[str, str]) -> bool:
        """Whether what a command imports found the same environment at its import."""
        return imported(environ) == imported(self.environ)


def imported(environ: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environ.items() if not k.startswith(READ_BY_COMMANDS)}


@cache
def preloaded() -> Preloaded:
    """The one of this process, with which it ends."""
    ours, theirs = socket.socketpair()
    environ = dict(os.environ)
    with theirs:
        command = (sys.executable, "-m", "tests.preloaded", str(theirs.fileno()))
        process = subprocess.Popen(command, cwd=ROOT, env=environ, pass_fds=[theirs.fileno()])

    @atexit.register
    def end() -> None:
        ours.close()
        process.wait()

    return Preloaded(ours, environ)


async def start_forked(
    arguments: Sequence[str],
    *,
    directory: Path,
    environ: Mapping[str, str],
    joined: bool = False,
    source: int | None = None,
) -> Forked:
    """`python -m receiver ARGUMENTS`, with pipes; `joined`: unbuffered, in one pipe for both.

    `source` becomes its standard input, and is closed here.
    """
    ours, theirs = socket.socketpair()
    pipes = [os.pipe() for _ in range(1 if joined else 2)]
    written = [pipes[0][1], os.dup(pipes[-1][1])] if joined else [end for _, end in pipes]
    if source is None:
        source = os.open(os.devnull, os.O_RDONLY)
    given = [theirs.detach(), source, *written]
    socket.send_fds(preloaded().channel, [b"1"], given)
    for each in given:
        os.close(each)
    replies = await asyncio.open_connection(sock=ours)
    request = {
        "arguments": arguments,
        "directory": str(directory),
        "environ": dict(environ),
        "unbuffered": joined,
    }
    replies[1].write(json.dumps(request).encode() + b"\n")
    outputs = [await reader(end) for end, _ in pipes]
    return Forked(int(await replies[0].readline()), replies, outputs)


async def reader(descriptor: int) -> asyncio.StreamReader:
    """The stream of a pipe's end, which is closed where it ends."""
    stream = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(stream)
    pipe = os.fdopen(descriptor, "rb", 0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    return stream
