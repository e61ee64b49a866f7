"""What the operating system knows of a process."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from receiver.worker.effects.os_process import lives, name_of


@pytest.fixture
def name() -> str:
    found = name_of(os.getpid())
    if found is None:
        pytest.skip("this system says nothing of its processes")
    return found


def test_a_process_lives_while_it_is_suspended_and_not_once_it_runs_no_code(name: str) -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        of = name_of(process.pid)
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        assert lives(of)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert lives(of) is False
    assert lives(of) is False
    assert lives(name)


def test_another_process_with_the_same_number_is_another(name: str) -> None:
    machine, pid, started = name.split(".")
    assert lives(f"{machine}.{pid}.{int(started) - 1}") is False
    assert lives(f"elsewhere.{pid}.{int(started) - 1}") is None


@pytest.mark.parametrize("text", [None, "", "a.b", "....", "\x00"])
def test_of_what_is_no_name_nothing_is_known(text: str | None) -> None:
    assert lives(text) is None
