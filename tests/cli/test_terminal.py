"""`up` as somebody sees it who sits at a terminal."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shlex
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable

import pytest
from rich.cells import cell_len

from receiver.cli.look.output import strong
from receiver.testing import eventually
from tests.cli.conftest import Yizhan

COLUMNS = 80
ROW = re.compile(r"\d\d:\d\d:\d\d (1688 |taobao) +\w+\.\w+")


class Seat:
    """A terminal with `yizhan up --simulate` in it."""

    def __init__(self, process: asyncio.subprocess.Process, ours: int) -> None:
        self.process = process
        self.ours = ours
        self._read = b""
        os.set_blocking(ours, False)
        asyncio.get_running_loop().add_reader(ours, self._take)

    @property
    def text(self) -> str:
        plain = re.sub(r"\x1b\[\d*m", "", self._read.decode(errors="replace"))
        return plain.replace("\r\n", "\n")

    async def until(self, holds: Callable[[str], bool]) -> None:
        await eventually(lambda: holds(self.text), within_s=60)

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            return await self.process.wait()

    def _take(self) -> None:
        try:
            self._read += os.read(self.ours, 65536)
        except OSError:  # the last of those who had it open has gone
            asyncio.get_running_loop().remove_reader(self.ours)


@pytest.fixture
async def seat(yizhan: Yizhan) -> AsyncIterator[Seat]:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))

    def take_the_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "receiver", "up", "--simulate", "--interval", "0.2"),
        cwd=yizhan.directory,
        env=yizhan.environ(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=take_the_terminal,
    )
    os.close(theirs)
    sitting = Seat(process, ours)
    yield sitting
    await sitting.stop()
    asyncio.get_running_loop().remove_reader(ours)
    os.close(ours)


async def test_lines_fit_and_enter_shows_commands_that_can_be_typed_as_they_stand(
    yizhan: Yizhan, seat: Seat
) -> None:
    await seat.until(lambda text: "ok fetch_tracking" in text and "stored" in text)
    assert seat.text.count("Enter shows this again") == 1
    os.write(seat.ours, b"\n")
    await seat.until(lambda text: text.count("Enter shows this again") == 2)
    assert seat.text.count("/callbacks/try/") == 4
    command, again = re.findall(r"as JSON lines:\n  (.+)\n", seat.text)
    process = await asyncio.create_subprocess_exec(
        *shlex.split(command),
        cwd=yizhan.directory,
        env=yizhan.environ(),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert (process.returncode, out[:1], again) == (0, b"{", command)
    assert await seat.stop() == 0
    rows = [line for line in seat.text.splitlines() if ROW.match(line)]
    assert len(rows) >= 2
    assert max(map(cell_len, rows)) <= COLUMNS
    assert '"event"' not in seat.text


def test_colours_are_for_a_terminal_and_not_where_no_color_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = os.openpty()
    seen = [strong("failed", "red")]
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        for no_color in ("", "1"):
            monkeypatch.setenv("NO_COLOR", no_color)
            seen.append(strong("failed", "red"))
    os.close(ours)
    assert seen == ["failed", "\x1b[31m\x1b[1mfailed\x1b[0m", "failed"]
