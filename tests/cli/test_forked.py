"""A command that is forked does what `python -m receiver` does in a new interpreter."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.cli.conftest import Yizhan

SOURCES = '[{"name":"s","dialect":"xport","verification":"none"}]'
STATE = """
import os, sys, threading
from receiver.worker.routing import Router
router = Router()
commands = sorted(name for name in sys.modules if name.startswith("receiver.cli."))
open_files = [name for name in os.listdir("/dev/fd") if int(name) > 2]
print("State", [os.getcwd(), os.environ["YIZHAN_HANDLERS__LOAD"], sys.argv, sys.path, commands])
print("State", threading.active_count(), sys.stdin.read(), sys.stdout.encoding, len(open_files))
"""


@pytest.mark.parametrize("arguments", ["url --help", "nonsense", "check"])
async def test_it_writes_and_ends_as_a_new_interpreter_does(yizhan: Yizhan, arguments: str) -> None:
    (yizhan.directory / "yizhan.toml").write_text("[nats]\nprot = 1\n")
    forked = await yizhan.run(*arguments.split())
    assert forked == await yizhan.anew.run(*arguments.split())


async def test_it_has_its_own_directory_environment_and_modules(yizhan: Yizhan) -> None:
    (yizhan.directory / "mine.py").write_text(STATE)
    environ = {"YIZHAN_HANDLERS__LOAD": '["mine:router"]'}
    forked, new = [
        re.findall("^State.*", (await each.run("check", within_s=90, **environ)).out, re.MULTILINE)
        for each in (yizhan, yizhan.anew)
    ]
    assert forked == new
    assert f"'{yizhan.directory}'" in forked[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_a_signal_ends_it_with_the_same_code(yizhan: Yizhan, number: signal.Signals) -> None:
    codes = []
    for each in (yizhan, yizhan.anew):
        running = await each.start("receive", YIZHAN_SOURCES=SOURCES)
        await running.line(lambda line: line.startswith("Ctrl-C"))
        assert os.getpgid(running.process.pid) == os.getpgid(0)
        codes.append(await running.stop(number))
    assert codes == [-9 if number == signal.SIGKILL else 0] * 2
