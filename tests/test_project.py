"""What the project promises about itself: its wheel, its names."""

from __future__ import annotations

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


def test_no_package_of_ours_hides_one_of_the_standard_library() -> None:
    ours = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    assert ours.isdisjoint(sys.stdlib_module_names)
