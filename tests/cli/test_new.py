"""`yizhan new handler`: a module and its test, which pass as they are."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Yizhan


def files(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


async def test_what_is_written_is_loaded_and_passes_its_test(
    yizhan: Yizhan, tmp_path: Path
) -> None:
    (tmp_path / "yizhan.toml").write_text('[handlers]\nload = ["my:router"]\n')
    written = await yizhan.run("new", "handler", "greet_buyer")
    load = '["handlers_greet_buyer:router"]'
    checked = await yizhan.run("check", YIZHAN_HANDLERS__LOAD=load)
    tested = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "test_handlers_greet_buyer.py"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await tested.communicate()
    assert written.code == 0, written
    assert 'load = ["my:router", "handlers_greet_buyer:router"]' in written.out
    assert "ok    handlers  greet_buyer" in checked.out
    assert (tested.returncode, b"1 passed" in said) == (0, True), said


async def test_a_faulty_settings_file_keeps_nothing_from_being_written(
    yizhan: Yizhan, tmp_path: Path
) -> None:
    (tmp_path / "yizhan.toml").write_text("[nats\n")
    written = await yizhan.run("new", "handler", "greet_buyer")
    assert written.code == 0
    assert 'load = ["handlers:router", "handlers_greet_buyer:router"]' in written.out


@pytest.mark.parametrize("there", ["handlers_greet.py", "test_handlers_greet.py"])
async def test_nothing_is_overwritten(yizhan: Yizhan, tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("# mine\n")
    ended = await yizhan.run("new", "handler", "greet")
    assert ended.code == 2
    assert ended.err == f"yizhan: {there}: exists: take another name, or move it away\n"
    assert files(tmp_path) == [there]
    assert (tmp_path / there).read_text() == "# mine\n"
