"""`--reload`: the handlers run anew when their code changes, and survive a mistake in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.cli.code_watch import stamps
from tests.cli.conftest import Running, Yizhan
from tests.cli.test_check_and_up import SOURCE

MODULE = """
from yizhan import Context, Event, Router
from yizhan.events import OrderCreated

router = Router()


@router.on(OrderCreated)
async def NAME(event: Event[OrderCreated], ctx: Context) -> None: ...
"""


def write(directory: Path, text: str) -> None:
    """Whole at once: half a file would be another mistake."""
    partial = directory / "partial"
    partial.write_text(text)
    partial.replace(directory / "my.py")


async def seen(running: Running, *wanted: str) -> None:
    """Return once there was a line for each; two processes write, in no order."""
    while not all(any(text in line for line in running.lines) for text in wanted):
        await running.line(lambda _: True)


@pytest.mark.parametrize("command", ["up", "work"])
async def test_changed_code_runs_and_a_mistake_is_survived(
    yizhan: Yizhan, tmp_path: Path, command: str
) -> None:
    write(tmp_path, MODULE.replace("NAME", "first"))
    file = tmp_path / "yizhan.toml"
    file.write_text(f'{SOURCE}[handlers]\nload = ["my:router"]\n')
    file.chmod(0o600)
    running = await yizhan.start(command, "--reload")
    await seen(running, '"handler":"first","event":"handler_started"', "code_watched")
    write(tmp_path, "1 / 0\n")
    refused = await running.line(lambda line: "handlers_not_started" in line)
    write(tmp_path, MODULE.replace("NAME", "second"))
    await seen(running, '"handler":"second","event":"handler_started"')
    assert "ZeroDivisionError" in refused
    assert '"code_changed"' in "".join(running.lines)
    assert await running.stop() == 0


def test_code_of_others_is_not_watched(tmp_path: Path) -> None:
    for directory in ("mine", ".hidden", "__pycache__", "venv", "site-packages"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "module.py").touch()
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    (tmp_path / "mine" / "data.json").touch()
    assert list(stamps([tmp_path])) == [tmp_path / "mine" / "module.py"]
    assert stamps([tmp_path / "gone"]) == {}
