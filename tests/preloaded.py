"""A process that has imported what the commands import, and forks one for each request.

`python -m tests.preloaded FD LISTENING` takes requests from the Unix socket `FD` until that is
closed, and from whoever connects to `LISTENING`; the other side is `tests.forked`. A command is
`python -m receiver` without its second of imports: the same code in a process of its own, with the
arguments, environment, directory and standard streams of the request. The modules of
`receiver.cli`, of which a command imports its own alone, are imported after the fork. What a
command starts as `python -m receiver` is forked so, too; only its parent is another, so that
`tests.forked.children` finds it by its name.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import fcntl
import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper
from typing import Any, Final

import receiver
from tests.forked import NAMED, fork_what_is_ours

AT_FIRST_USE: Final = (
    "encodings.idna",
    "packaging.requirements",
    "rich.live",
    "rich.markdown",
    "rich.panel",
    "rich.progress",
    "rich.table",
    "typer.rich_utils",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.lifespan.on",
    "uvloop",
)
"""What the commands and their libraries import inside functions."""

PR_SET_NAME: Final = 15


def main() -> None:
    channel, from_commands = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    preload()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the commands, which get it too
    asyncio.create_subprocess_exec = fork_what_is_ours(
        from_commands.getsockname(), asyncio.create_subprocess_exec
    )
    while True:
        ready, _, _ = select.select([channel, from_commands], [], [])
        with channel.dup() if channel in ready else from_commands.accept()[0] as asking:
            asked, streams, _, _ = socket.recv_fds(asking, 1, 16)
        if not asked:
            return
        if not os.fork():
            channel.close()
            from_commands.close()
            supervise(socket.socket(fileno=streams[0]), streams[1:])
            return
        for stream in streams:
            os.close(stream)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                """A supervisor that has ended is one zombie less."""


def preload() -> None:
    for room in pkgutil.iter_modules(receiver.__path__, "receiver."):
        if room.name in {"receiver.cli", "receiver.__main__"}:  # a walk would import its packages
            continue
        path = getattr(import_module(room.name), "__path__", [])
        for module in pkgutil.walk_packages(path, f"{room.name}."):
            import_module(module.name)
    for name in AT_FIRST_USE:
        import_module(name)
    gc.collect()
    gc.freeze()


def supervise(reply: socket.socket, streams: list[int]) -> None:
    """Fork the command, and answer with its process id, then with its exit code.

    Returns in the process of the command alone, where the command has ended.
    """
    with reply.makefile("rb") as requests:
        request = json.loads(requests.readline())
    if not (process := os.fork()):
        reply.close()
        become(request, streams)
        run()
        return
    for stream in streams:
        os.close(stream)
    with suppress(ConnectionError):  # who asked was killed
        reply.sendall(f"{process}\n".encode())
        _, status = os.waitpid(process, 0)
        reply.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def run() -> None:
    """Run the command. Where it ends with a code, the process ends as the interpreter would end it,
    but without freeing each object: of all that was imported that takes longer than the command.
    """
    try:
        runpy.run_module("receiver", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        threading._shutdown()  # type: ignore[attr-defined] # waits for threads that are no daemons
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code or 0)


def become(request: dict[str, Any], streams: list[int]) -> None:
    """Be as a new process is that was started so."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    place(streams, [0, 1, 2, *request["descriptors"]])
    if parent := request["parent"]:
        os.setsid()
        os.getppid = lambda: parent
        name = NAMED.format(request["arguments"][0], parent)
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())
    sys.stdin = TextIOWrapper(BufferedReader(FileIO(0, closefd=False)), sys.stdin.encoding)
    sys.stdout = output(1, sys.stdout, unbuffered=request["unbuffered"])
    sys.stderr = output(2, sys.stderr, unbuffered=True)
    sys.argv[1:] = request["arguments"]
    sys.path[0] = request["directory"]


def place(streams: list[int], numbers: list[int]) -> None:
    """Give the streams their numbers, beyond all of which they go first: one may hold another's."""
    beyond = max(*streams, *numbers) + 1
    held = [fcntl.fcntl(stream, fcntl.F_DUPFD_CLOEXEC, beyond) for stream in streams]
    for stream in streams:
        os.close(stream)
    for stream, number in zip(held, numbers, strict=True):
        os.dup2(stream, number)
        os.close(stream)


def output(number: int, like: Any, *, unbuffered: bool) -> TextIOWrapper:
    raw = FileIO(number, "wb", closefd=False)
    stream = raw if unbuffered else BufferedWriter(raw)
    return TextIOWrapper(stream, like.encoding, like.errors, write_through=unbuffered)


if __name__ == "__main__":
    main()
