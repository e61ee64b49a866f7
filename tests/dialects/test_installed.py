"""A dialect of another package: found by its entry point, and usable by its name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.dialects import DIALECTS
from receiver.dialects.installed import installed_dialects
from receiver.errors import ConfigurationError
from receiver.settings import load_settings

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-dialect.md").read_text(encoding="utf-8")
SETTINGS = '[[sources]]\nname = "s"\ndialect = "{}"\nverification = "none"\n'


class Site:
    """A directory of installed packages."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def install(self, entry_points: str, **modules: str) -> None:
        for name, text in modules.items():
            (self.directory / f"{name}.py").write_text(text, encoding="utf-8")
        info = self.directory / "another-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: another\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    known = set(sys.modules)
    yield Site(tmp_path)
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_the_example_of_the_page_is_found_and_may_be_named(site: Site) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    package = site.directory / "my_package"
    package.mkdir()
    (package / "example.py").write_text(code, encoding="utf-8")
    (group,) = re.findall(r'entry-points."([\w.]+)"', PAGE)
    (value,) = re.findall(r'^example = "(.+)"$', PAGE, re.MULTILINE)
    site.install(f"[{group}]\nexample = {value}\n")
    found = installed_dialects()
    assert found["example"].retry_horizon.total_seconds() == 3600
    assert {name: found[name] for name in DIALECTS} == DIALECTS
    file = site.directory / "settings.toml"
    file.write_text(SETTINGS.format("example"), encoding="utf-8")
    assert load_settings(file).sources[0].dialect == "example"


def test_a_dialect_that_nobody_offers_is_refused(site: Site) -> None:
    file = site.directory / "settings.toml"
    file.write_text(SETTINGS.format("example"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="write one of xport, aop, global, or install the"):
        load_settings(file)


@pytest.mark.parametrize(
    ("entry", "text", "sentence"),
    [
        ("mine = other_mod:D", "D = 1", r"the dialect 'mine' \(other_mod:D\): is a int, not a D"),
        ("mine = other_mod:D", "1 / 0", "cannot be imported: ZeroDivisionError"),
        ("aop = other_mod:D", "D = 1", "the name is taken"),
    ],
)
def test_a_dialect_that_is_none_is_refused(
    site: Site, entry: str, text: str, sentence: str
) -> None:
    site.install(f"[yizhan.dialects]\n{entry}\n", other_mod=text)
    with pytest.raises(ConfigurationError, match=sentence):
        installed_dialects()
