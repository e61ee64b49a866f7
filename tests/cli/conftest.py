"""Runs the real command line, each command in a process and a directory of its own."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.forked import Forked, preloaded, start_forked

FREE_PORTS = {"YIZHAN_NATS__PORT": "0", "YIZHAN_RECEIVER__PORT": "0", "YIZHAN_CONSOLE__PORT": "0"}


@dataclass
class Ended:
    code: int
    out: str
    err: str


@dataclass
class Running:
    """A command under way; `lines` gathers what it printed."""

    process: Process | Forked
    lines: list[str] = field(default_factory=list)

    async def line(self, holds: Callable[[str], bool], *, within_s: float = 90) -> str:
        """The first line for which `holds`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within_s):
            while True:
                raw = await self.process.stdout.readline()
                if not raw:
                    raise AssertionError("it ended:\n" + "".join(self.lines))
                self.lines.append(raw.decode())
                if holds(self.lines[-1]):
                    return self.lines[-1].strip()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, read the rest, give the exit code."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            self.lines.append((await self.process.stdout.read()).decode())
            return await self.process.wait()


class Yizhan:
    """The command line in `directory`; what it imports is there already, but where `anew` is asked.

    A command is forked from a process that has imported everything (`tests.preloaded`), since a
    new interpreter needs a second for that, most of what a test costs.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._forks = True
        self._running: list[Running] = []

    @property
    def anew(self) -> Yizhan:
        """The same, with a new interpreter for each command: `python -m receiver` as users do."""
        other = copy.copy(self)
        other._forks = False
        return other

    def environ(self, **more: str) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("YIZHAN_")}
        return clean | FREE_PORTS | more

    async def run(self, *arguments: str, within_s: float = 90, **environ: str) -> Ended:
        """Run a command to its end."""
        process = await self._process(arguments, self.environ(**environ), joined=False)
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def at_terminal(self, typed: str, *arguments: str, **environ: str) -> Ended:
        """Run a command that reads `typed` from a terminal; what it writes goes into pipes."""
        ours, theirs = os.openpty()
        os.write(ours, typed.encode())
        process = await self._process(
            arguments, self.environ(**environ), joined=False, stdin=theirs
        )
        os.close(theirs)
        async with asyncio.timeout(90):
            out, err = await process.communicate()
        os.close(ours)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def start(self, *arguments: str, **environ: str) -> Running:
        """Start a command that stays; it is killed after the test."""
        process = await self._process(arguments, self.environ(**environ), joined=True)
        self._running.append(Running(process))
        return self._running[-1]

    async def _process(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        *,
        joined: bool,
        stdin: int = DEVNULL,
    ) -> Process | Forked:
        if self._forks and preloaded().suits(environ):
            return await start_forked(
                arguments,
                directory=self.directory,
                environ=environ,
                joined=joined,
                stdin=stdin,
            )
        unbuffered = ("-u",) if joined else ()
        return await asyncio.create_subprocess_exec(
            *(sys.executable, *unbuffered, "-m", "receiver", *arguments),
            cwd=self.directory,
            env=environ,
            stdin=stdin,
            stdout=PIPE,
            stderr=STDOUT if joined else PIPE,
        )

    async def kill_all(self) -> None:
        for running in self._running:
            if running.process.returncode is None:
                running.process.kill()
            assert running.process.stdout is not None
            await running.process.stdout.read()
            await running.process.wait()


@pytest.fixture
async def yizhan(tmp_path: Path) -> AsyncIterator[Yizhan]:
    commands = Yizhan(tmp_path)
    yield commands
    await commands.kill_all()
