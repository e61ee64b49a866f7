"""A test that hangs shows where, fails alone, and leaves the results of the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SUITE = """
import asyncio
import threading


async def wait_for_what_never_comes():
    await asyncio.Event().wait()


async def test_a_task_hangs():
    await asyncio.create_task(wait_for_what_never_comes(), name="never-ends")


def test_a_thread_hangs():
    threading.Event().wait()


def test_is_well():
    pass


async def test_is_well_too():
    await asyncio.sleep(0)
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints of such a suite, with our configuration but a shorter timeout."""
    file = tmp_path_factory.mktemp("suite") / "test_suite.py"
    file.write_text(SUITE, encoding="utf-8")
    config = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(file.parent))
    ours = ("-p", "tests.hanging", "-n", "1", "-q", "--timeout", "2")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *config, *ours, str(file)],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**clean, "PYTHONPATH": str(ROOT)},
        cwd=file.parent,
    )
    print(ended.stdout)
    assert ended.returncode == 1
    return ended.stdout


def test_the_others_keep_their_results(output: str) -> None:
    assert "2 failed, 2 passed" in output.splitlines()[-1]


@pytest.mark.parametrize("name", ["test_a_task_hangs", "test_a_thread_hangs"])
def test_what_hangs_is_reported_by_name(output: str, name: str) -> None:
    assert f"FAILED test_suite.py::{name}" in output


@pytest.mark.parametrize("line", ["in test_a_thread_hangs", "await asyncio.Event().wait()"])
def test_the_line_that_waits_is_shown(output: str, line: str) -> None:
    assert line in output


def test_a_task_is_shown_by_its_name(output: str) -> None:
    assert "Task never-ends (outermost call first):" in output
