"""docs/handlers.md: its modules and tests lie in one folder, as a reader writes them, and run."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.testing import Kit, make_event
from receiver.testing.fake_api import FakeAPI
from receiver.worker.loading import load_handlers
from receiver.worker.outcomes import Outcome
from tests.pages import ROOT

PAGE = (ROOT / "docs" / "handlers.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```python\n(?P<code>.*?)```", re.DOTALL)
WELL: set[Outcome] = {"done", "postponed", "dropped"}


def blocks() -> dict[str, str]:
    """Each block of Python by the name of its file, which the line before it may give."""
    found = {}
    for number, block in enumerate(BLOCK.finditer(PAGE)):
        named = re.search(r"`(\w+\.py)`:$", block["before"])
        found[named[1] if named else f"page_block_{number}.py"] = block["code"]
    return found


MODULES = {name: code for name, code in blocks().items() if "Router(" in code}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, code in blocks().items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in blocks():
        sys.modules.pop(name.removesuffix(".py"), None)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", MODULES)
async def test_each_handler_of_the_page_handles_each_event_it_is_for(name: str) -> None:
    handlers = load_handlers([f"{name.removesuffix('.py')}:router"])
    assert handlers
    for handler in handlers:
        for model in handler.models:
            event = make_event(model(channel="1688", order_id="1"))
            ran = await Kit(handler, api=FakeAPI.of_samples()).run(event)
            assert ran.outcome in WELL, ran.error


async def test_the_tests_of_the_page_pass(folder: Path) -> None:
    expected = sum(len(re.findall(r"^def test_", code, re.MULTILINE)) for code in blocks().values())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert f"{expected} passed" in said.decode(), said.decode()


def test_no_block_is_left_out() -> None:
    assert len(blocks()) == len(re.findall(r"^```python$", PAGE, re.MULTILINE))
    tests = {name for name in blocks() if name.startswith("test_")}
    assert tests
    assert tests | MODULES.keys() == blocks().keys()
