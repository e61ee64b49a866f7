"""What is said of wrong settings and commands: as docs/errors.md shows it, and nothing created."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.wrong import HEAD, PAGE, WRONG, Wrong, row
from tests.cli.wrong_served import HEAD_SERVED, SERVED, served, served_rows

TEXT, _, SERVED_TEXT = PAGE.read_text(encoding="utf-8").partition(HEAD_SERVED)
ROWS = TEXT.removeprefix(HEAD).splitlines()


def found_in(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.what)
async def test_the_reason_of_a_refusal_is_the_one_on_the_page(wrong: Wrong, tmp_path: Path) -> None:
    wrong.lay_out(tmp_path)
    before = found_in(tmp_path)
    ended = await wrong.run(tmp_path)
    assert row(wrong, ended) in ROWS
    assert ended.code == (1 if wrong.command == "check" else 2)
    assert "Traceback" not in ended.err
    assert found_in(tmp_path) == before


async def test_wrong_input_beside_a_server_is_refused_as_the_page_says(tmp_path: Path) -> None:
    async with served(tmp_path) as yizhan:
        rows = await served_rows(yizhan, SERVED)
    assert [text for text, _ in rows] == SERVED_TEXT.splitlines()
    assert [code for _, code in rows] == [wrong.code for wrong in SERVED]
    assert not [text for text, _ in rows if "Traceback" in text or "| |" in text]


def test_the_page_holds_these_rows_and_no_other() -> None:
    assert PAGE.read_text(encoding="utf-8").startswith(HEAD)
    assert [text.split(" | ")[0].removeprefix("| ") for text in ROWS] == [w.what for w in WRONG]
    assert len({sentence for text in ROWS for sentence in [text.split(" | ")[3]] if sentence}) > 40
