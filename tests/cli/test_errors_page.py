"""What is said of wrong settings and commands: as docs/errors.md shows it, and nothing created."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.wrong import HEAD, PAGE, WRONG, Wrong, row

ROWS = PAGE.read_text(encoding="utf-8").removeprefix(HEAD).splitlines()


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


def test_the_page_holds_these_rows_and_no_other() -> None:
    assert PAGE.read_text(encoding="utf-8").startswith(HEAD)
    assert [text.split(" | ")[0].removeprefix("| ") for text in ROWS] == [w.what for w in WRONG]
    assert len({sentence for text in ROWS for sentence in [text.split(" | ")[3]] if sentence}) > 40
