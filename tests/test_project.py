"""What the project promises about itself: its wheel, its names."""

from __future__ import annotations

import re
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("receiver", "handlers", "schemas", "yizhan")


def test_the_installed_version_is_the_one_of_the_project() -> None:
    assert version("yizhan") == PYPROJECT["project"]["version"]


def test_the_wheel_holds_the_packages_and_nothing_else(tmp_path: Path) -> None:
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(built) as wheel:
        names = wheel.namelist()
    info = f"yizhan-{PYPROJECT['project']['version']}.dist-info"
    assert {name.partition("/")[0] for name in names} == {*PACKAGES, info}
    assert f"{info}/licenses/LICENSE" in names
    modules = {
        str(file.relative_to(ROOT)) for top in PACKAGES for file in ROOT.glob(f"{top}/**/*.py")
    }
    assert modules | {f"{top}/py.typed" for top in PACKAGES} <= set(names)
    console = {
        str(file.relative_to(ROOT))
        for folder in ("static", "templates")
        for file in ROOT.glob(f"receiver/console/{folder}/**/*.*")
    }
    assert "receiver/console/templates/page.html" in console
    assert console <= set(names)


def test_no_package_of_ours_hides_one_of_the_standard_library() -> None:
    ours = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    assert ours.isdisjoint(sys.stdlib_module_names)


def test_the_table_of_rooms_is_that_of_the_folders_and_of_the_linter() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| +(\d+) \| (.+?) \|", page, re.MULTILINE)
    floors: dict[int, set[str]] = {}
    for number, rooms in rows:
        names = re.findall(r"`receiver/(\w+)(?:/|\.py)`", rooms)
        floors.setdefault(int(number), set()).update(names)
    inside = next(
        contract
        for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
        if contract.get("containers") == ["receiver"]
    )
    assert list(floors.values()) == [set(layer.split(" | ")) for layer in inside["layers"]]
    folders = {file.parent.name for file in ROOT.glob("receiver/*/__init__.py")}
    loose = {file.stem for file in ROOT.glob("receiver/[a-z]*.py")}
    assert set().union(*floors.values()) == folders | loose


def test_the_table_of_the_top_names_every_package() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE))
    assert {file.parent.name for file in ROOT.glob("*/__init__.py")} <= {*named, "receiver"}
    assert all((ROOT / name).is_dir() for name in named)


def test_the_picture_names_every_room_of_the_linter() -> None:
    drawn = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    inside = next(
        contract
        for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
        if contract.get("containers") == ["receiver"]
    )
    rooms = [room for layer in inside["layers"][:-1] for room in layer.split(" | ")]
    rooms = [room for room in rooms if (ROOT / "receiver" / room).is_dir()]
    places = [drawn.index(f">{room}<") for room in rooms]
    assert places == sorted(places)


def test_a_callback_goes_through_few_files() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    walk = page.partition("## A callback")[2].partition("\n## ")[0]
    assert 10 < len(re.findall(r"^\| \d+ \| \[", walk, re.MULTILINE)) <= 15
