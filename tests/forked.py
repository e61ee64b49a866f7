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
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
NAMED: Final = "{:.7}-{}"
"""The name in /proc of a process that a command started: its own command and its parent."""

READ_BY_COMMANDS: Final = ("COLUMNS", "COMP_", "PYTEST_", "YIZHAN_", "_YIZHAN_")
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
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout = outputs[0] if outputs else None
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
    """The process that forks; it ends when `channel` is closed.

    Whoever has no `channel` asks at `address`, an abstract socket.
    """

    channel: socket.socket
    environ: Mapping[str, str]
    address: bytes

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
    with theirs, socket.socket(socket.AF_UNIX) as asked:
        asked.bind("")  # by which it gets an address
        asked.listen()
        address = asked.getsockname()
        passed = [theirs.fileno(), asked.fileno()]
        command = (sys.executable, "-m", "tests.preloaded", *map(str, passed))
        process = subprocess.Popen(command, cwd=ROOT, env=environ, pass_fds=passed)

    @atexit.register
    def end() -> None:
        ours.close()
        process.wait()

    return Preloaded(ours, environ, address)


def launcher(directory: Path, *, but: str) -> None:
    """Put a `yizhan` there, for shells: the installed one runs the command `but` alone."""
    address = preloaded().address[1:].decode()
    installed = Path(sys.executable).with_name("yizhan")
    launched = f"{sys.executable} -SE {ROOT / 'tests' / 'launched.py'} {address}"
    file = directory / "yizhan"
    file.write_text(f'#!/bin/sh\n[ "$1" = {but} ] && exec {installed} "$@"\nexec {launched} "$@"\n')
    file.chmod(0o700)


async def start_forked(
    arguments: Sequence[str],
    *,
    directory: Path,
    environ: Mapping[str, str],
    joined: bool = False,
    stdin: int = DEVNULL,
) -> Forked:
    """`python -m receiver ARGUMENTS`, with pipes; `joined`: unbuffered, in one pipe for both.

    `source` becomes its standard input, and is closed here.
    """
    pipes = [os.pipe() for _ in range(1 if joined else 2)]
    written = [pipes[0][1], os.dup(pipes[-1][1])] if joined else [end for _, end in pipes]
    request = {
        "arguments": arguments,
        "directory": str(directory),
        "environ": dict(environ),
        "unbuffered": joined,
        "descriptors": [],
        "parent": 0,
    }
    read = os.open(os.devnull, os.O_RDONLY) if stdin == DEVNULL else os.dup(stdin)
    given = [read, *written]
    return await forked(preloaded().channel, request, given, [end for end, _ in pipes])


async def forked(
    channel: socket.socket, request: Mapping[str, Any], given: Sequence[int], outputs: Sequence[int]
) -> Forked:
    """The process that was asked for; `given`, which become its files, are closed here."""
    ours, theirs = socket.socketpair()
    socket.send_fds(channel, [b"1"], [theirs.fileno(), *given])
    theirs.close()
    for each in given:
        os.close(each)
    replies = await asyncio.open_connection(sock=ours)
    replies[1].write(json.dumps(request).encode() + b"\n")
    streams = [await reader(end) for end in outputs]
    return Forked(int(await replies[0].readline()), replies, streams)


def fork_what_is_ours(address: bytes, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """`asyncio.create_subprocess_exec` for a command that was forked itself, for `python -m
    receiver ARGUMENTS` in a session of its own; all else is started `otherwise`."""

    async def start(*command: str, **options: Any) -> Any:
        if command[:3] != (sys.executable, "-m", "receiver"):
            return await otherwise(*command, **options)
        numbers = options.get("pass_fds", ())
        stdin, to_stdin = _stdin(options.get("stdin"))
        piped = options.get("stdout") == PIPE
        output, stdout = os.pipe() if piped else (-1, os.dup(1))
        request = {
            "arguments": command[3:],
            "directory": str(Path.cwd()),
            "environ": dict(os.environ),
            "unbuffered": "PYTHONUNBUFFERED" in os.environ,
            "descriptors": numbers,
            "parent": os.getpid(),
        }
        given = [stdin, stdout, os.dup(2), *map(os.dup, numbers)]
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(address)
            process = await forked(channel, request, given, [output] if piped else [])
        if to_stdin is not None:
            process.stdin = await writer(to_stdin)
        return process

    return start


def _stdin(asked: int | None) -> tuple[int, int | None]:
    """What a process reads from, and the other end where that is a pipe."""
    if asked == PIPE:
        return os.pipe()
    return os.open(os.devnull, os.O_RDONLY) if asked == DEVNULL else os.dup(0), None


def children(parent: int, command: str) -> list[int]:
    """The processes, forked or not, that `parent` runs as `python -m receiver COMMAND`."""
    return sorted(
        int(pid.name) for pid in Path("/proc").glob("[0-9]*") if _is(pid, parent, command)
    )


def _is(process: Path, parent: int, command: str) -> bool:
    try:
        if (process / "comm").read_text().strip() == NAMED.format(command, parent):
            return True
        by_us = f"\nPPid:\t{parent}\n" in (process / "status").read_text()
        return by_us and command.encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False


async def reader(descriptor: int) -> asyncio.StreamReader:
    """The stream of a pipe's end, which is closed where it ends."""
    stream = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(stream)
    pipe = os.fdopen(descriptor, "rb", 0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    return stream


async def writer(descriptor: int) -> asyncio.StreamWriter:
    """The stream into a pipe."""
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(descriptor, "wb", 0)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
    return asyncio.StreamWriter(transport, protocol, None, loop)
