"""A start says so where a dependency is not a release that was tested, and starts all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.cli.dependencies import declared, untested
from tests.cli.conftest import Yizhan

(SENTENCE,) = untested([text for text in declared() if text.startswith("uvicorn")], lambda _: "99")


@pytest.fixture
def path_with_another_uvicorn(tmp_path: Path) -> str:
    """A folder whose metadata say that the installed uvicorn is release 99."""
    info = tmp_path / "path" / "uvicorn-99.dist-info"
    info.mkdir(parents=True)
    text = "Metadata-Version: 2.1\nName: uvicorn\nVersion: 99\n"
    (info / "METADATA").write_text(text, encoding="utf-8")
    return str(info.parent)


@pytest.mark.parametrize("command", ["up", "receive", "work"])
async def test_a_start_logs_one_line(
    yizhan: Yizhan, path_with_another_uvicorn: str, command: str
) -> None:
    running = await yizhan.start(command, PYTHONPATH=path_with_another_uvicorn)
    started = "Ctrl-C" if command != "work" else '"working"'
    await running.line(lambda line: started in line)
    told = [line for line in running.lines if "dependency_not_tested" in line]
    assert len(told) == 1
    assert SENTENCE in told[0]
    assert '"warning"' in told[0]
    assert await running.stop() == 0


async def test_check_warns(yizhan: Yizhan, path_with_another_uvicorn: str) -> None:
    ended = await yizhan.run("check", PYTHONPATH=path_with_another_uvicorn)
    assert (ended.code, f"warn  packages  {SENTENCE}\n" in ended.out) == (0, True), ended.out


async def test_what_was_tested_is_not_worth_a_word(yizhan: Yizhan) -> None:
    ended = await yizhan.run("check")
    assert (ended.code, "packages" in ended.out) == (0, False), ended.out
