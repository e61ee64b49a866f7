"""What the project promises about itself: its pins, its wheel, its names."""

from __future__ import annotations

import re
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME: list[str] = PYPROJECT["project"]["dependencies"]
GROUPS: dict[str, list[Any]] = PYPROJECT["dependency-groups"]
BUILD: list[str] = GROUPS["build"]
DEV: list[str] = [entry for entry in GROUPS["dev"] if isinstance(entry, str)] + BUILD
PACKAGES = ("receiver", "handlers", "schemas")
LOCKS = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-build.txt",
    "bench/requirements.txt",
)

EACH_LOCK = pytest.mark.parametrize("lock", LOCKS)


def locked(lock: str) -> list[str]:
    """The entries of a requirements file, each on one line with its hashes."""
    return (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", "").splitlines()


def pins(lock: str) -> dict[str, Requirement]:
    """What a requirements file pins, by name."""
    entries = (Requirement(entry.partition(" --hash")[0]) for entry in locked(lock))
    return {canonicalize_name(entry.name): entry for entry in entries}


@EACH_LOCK
def test_every_requirement_is_one_version_with_hashes_and_nothing_else(lock: str) -> None:
    one = re.compile(
        r"[\w.-]+(\[[\w,-]+\])?==[\w.]+( ; [^\\/]+?)?\s+(--hash=sha256:[0-9a-f]{64}\s*)+"
    )
    assert [entry for entry in locked(lock) if not one.fullmatch(entry)] == []


@pytest.mark.parametrize(
    ("lock", "wanted"), [("requirements.txt", RUNTIME), ("requirements-dev.txt", RUNTIME + DEV)]
)
def test_the_pins_hold_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    pinned = pins(lock)
    for requirement in map(Requirement, wanted):
        (pin,) = pinned[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version), requirement


def test_what_is_tested_is_what_the_image_runs() -> None:
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()


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
    assert modules <= set(names)


def test_no_package_of_ours_hides_one_of_the_standard_library() -> None:
    ours = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    assert ours.isdisjoint(sys.stdlib_module_names)
