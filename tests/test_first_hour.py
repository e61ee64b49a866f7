"""docs/first-hour.md, step by step, as a new user types it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bus.cluster import free_ports
from tests.forked import launcher

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "first-hour.md").read_text(encoding="utf-8")
SETTING_UP = "make install"
"""The set-up is what the test runs in: only that the target exists can be seen here."""
STEP = re.compile(
    r"(?P<before>[^\n]*)\n\n```(?P<kind>console|python|text)\n(?P<body>.*?)```", re.DOTALL
)


@dataclass
class Walk:
    """A terminal in which blocks are run, and a second one in which `yizhan up` runs."""

    home: Path
    environ: dict[str, str]
    up: asyncio.subprocess.Process | None = None
    shown: list[str] = field(default_factory=list)
    reading: asyncio.Task[None] | None = None

    async def shell(self, commands: str) -> str:
        """Run a block; what it exports and where it goes stays for the next."""
        state = self.home / ".state"
        text = (
            f"[ -e {state} ] && . {state}\n{commands}\n{{ export -p; echo cd $PWD; }} > {state}\n"
        )
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-ec",
            text,
            cwd=self.home,
            env=self.environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()
        return out.decode()

    async def start(self) -> str:
        self.shown = []
        self.up = await asyncio.create_subprocess_exec(
            "yizhan",
            "up",
            cwd=self.home / "shop",
            env=self.environ | {"PYTHONUNBUFFERED": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.reading = asyncio.create_task(self._read(self.up))
        await self.shows("Ctrl-C stops it.")
        return "".join(self.shown)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self.shown.append(line.decode())

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(60):
            while not any(text in line for line in self.shown):
                assert self.reading is not None
                assert not self.reading.done(), "".join(self.shown)
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        if self.up is not None and self.reading is not None and self.up.returncode is None:
            self.up.send_signal(signal.SIGINT)
            await self.reading
            assert await self.up.wait() == 0


@pytest.fixture
async def walk(tmp_path: Path) -> AsyncIterator[Walk]:
    nats, http = free_ports(2)
    commands = tmp_path / "commands"
    commands.mkdir()
    launcher(commands, but="init")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("YIZHAN_")}
    environ = clean | {
        "HOME": str(tmp_path),
        "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "YIZHAN_NATS__PORT": str(nats),
        "YIZHAN_RECEIVER__PORT": str(http),
    }
    taken = Walk(tmp_path, environ)
    yield taken
    await taken.stop()


def steps() -> Iterator[tuple[str, str, str]]:
    for step in STEP.finditer(PAGE):
        yield step["before"], step["kind"], step["body"]


def shows(printed: str, expected: str) -> bool:
    """Whether each line was printed, in this order, with anything for `…`."""
    lines = [".*?".join(map(re.escape, line.split("…"))) for line in expected.splitlines()]
    return re.search("(?s)" + ".*?".join(lines), printed) is not None


@pytest.mark.timeout(300)
async def test_the_walk_from_the_clone_to_a_handler_of_ones_own(walk: Walk) -> None:
    port = walk.environ["YIZHAN_RECEIVER__PORT"]
    printed, done = "", 0
    for before, kind, body in steps():
        body = body.replace(":8080", f":{port}")
        if body.startswith(SETTING_UP):
            continue
        done += 1
        if kind == "python":
            (name,) = re.findall(r"`(\w+\.py)`", before)
            (walk.home / "shop" / name).write_text(body, encoding="utf-8")
        elif kind == "text":
            assert shows(printed, body), printed
        elif body == "yizhan up\n":
            printed = await walk.start()
        else:
            printed = await walk.shell(body)
    await walk.stop()
    await walk.start()
    await walk.shows("2745812000123456789")
    assert any("paid" in line and "12.00 CNY" in line for line in walk.shown)
    assert done == len(list(steps())) - 1


def test_the_set_up_is_a_target_of_make() -> None:
    assert f"```console\n{SETTING_UP}\n" in PAGE
    assert re.search(r"^install:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
