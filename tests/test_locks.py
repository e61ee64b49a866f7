"""The locks are complete: what they list can be installed without resolving anything."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.locks import (
    HERE,
    ROOT,
    active,
    entries,
    environments,
    installed,
    pinned_version,
    pins,
    unmet,
)

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME: list[str] = PYPROJECT["project"]["dependencies"]
GROUPS: dict[str, list[Any]] = PYPROJECT["dependency-groups"]
BUILD: list[str] = GROUPS["build"]
DEV: list[str] = [entry for entry in GROUPS["dev"] if isinstance(entry, str)]
BENCH = [
    line
    for line in (ROOT / "bench" / "requirements.in").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
LOCKS = {
    "requirements.txt": RUNTIME,
    "requirements-dev.txt": RUNTIME + BUILD + DEV,
    "requirements-build.txt": BUILD,
    "bench/requirements.txt": RUNTIME + BENCH,
}
SUPPORTED = [
    found.group(1)
    for name in PYPROJECT["project"]["classifiers"]
    if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", name))
]
PYTHONS = [*SUPPORTED, "3.14"]  # one ahead: requires-python has no upper bound
INTERNALS = {"httptools", "nats-py", "uvicorn"}
"""The packages whose internals the code builds on."""

EACH_LOCK = pytest.mark.parametrize("lock", LOCKS)


@EACH_LOCK
def test_every_entry_is_one_version_with_hashes_and_nothing_else(lock: str) -> None:
    name = r"[\w.-]+(\[[\w,-]+\])?"
    one = re.compile(rf"{name}==[\w.]+( ; [^\\/]+?)?\s+(--hash=sha256:[0-9a-f]{{64}}\s*)+")
    assert [entry for entry in entries(lock) if not one.fullmatch(entry)] == []


@pytest.mark.parametrize("python", PYTHONS)
@EACH_LOCK
def test_every_requirement_of_every_locked_package_is_met(lock: str, python: str) -> None:
    wanted = [Requirement(text) for text in LOCKS[lock]]
    metadata = installed()
    for environment in environments([python]):
        assert unmet(pins(lock), wanted, metadata, environment) == []


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_what_is_locked_is_installed_so_that_its_metadata_are_judged(lock: str) -> None:
    known = installed()
    locked = {(name, pinned_version(pin)) for name, pin in active(pins(lock), HERE).items()}
    assert locked - known.keys() == set(), "run: make install"


@pytest.mark.parametrize(
    "pin",
    [None, "coverage==7.2", "coverage[toml]==7.0", 'coverage[toml]==7.2 ; python_version < "3.11"'],
    ids=["left out", "without its extra", "too old", "for another Python"],
)
def test_a_broken_lock_is_found(pin: str | None) -> None:
    locked = [Requirement(text) for text in ("pytest-cov==7.1", pin) if text]
    metadata = {("pytest-cov", Version("7.1")): [Requirement("coverage[toml]>=7.1")]}
    (environment, *_) = environments(["3.11"])
    assert unmet(locked, [], metadata, environment) == ["pytest-cov==7.1 needs coverage[toml]>=7.1"]


@pytest.mark.parametrize("name", ["coverage", "pluggy", "anyio"])
def test_an_entry_that_is_taken_out_of_the_real_lock_is_found(name: str) -> None:
    broken = [pin for pin in pins("requirements-dev.txt") if pin.name != name]
    (environment, *_) = environments(["3.11"])
    assert f"needs {name}" in " ".join(unmet(broken, [], installed(), environment))


def test_what_the_project_itself_needs_is_found() -> None:
    (environment, *_) = environments(["3.11"])
    wanted = [Requirement("starlette>=1")]
    assert unmet([], wanted, {}, environment) == ["the project needs starlette>=1"]


def test_what_an_extra_needs_is_found() -> None:
    locked = [Requirement("nats-py[nkeys]==2.16.0")]
    metadata = {("nats-py", Version("2.16.0")): [Requirement('nkeys; extra == "nkeys"')]}
    (environment, *_) = environments(["3.11"])
    assert unmet(locked, [], metadata, environment) == [
        'nats-py[nkeys]==2.16.0 needs nkeys; extra == "nkeys"'
    ]


def test_what_is_tested_is_what_the_image_is_built_with_and_runs() -> None:
    tested = set(map(str, pins("requirements-dev.txt")))
    assert set(map(str, pins("requirements.txt"))) <= tested
    assert set(map(str, pins("requirements-build.txt"))) <= tested


def test_the_lock_of_the_node_server_has_hashes_and_no_address() -> None:
    text = (ROOT / "bench" / "node" / "package-lock.json").read_text(encoding="utf-8")
    _, *packages = json.loads(text)["packages"].values()
    assert packages
    assert all(one["integrity"].startswith("sha512-") for one in packages)
    assert not any("resolved" in one for one in packages)


def test_what_we_build_on_by_its_internals_is_bound_to_the_release_that_is_locked() -> None:
    versions = {pin.name: pinned_version(pin) for pin in pins("requirements.txt")}
    bounded = {one.name: one for one in map(Requirement, RUNTIME) if "<" in str(one.specifier)}
    assert bounded.keys() == INTERNALS
    for name, requirement in bounded.items():
        release = versions[name]
        lower, upper = f">={release.major}.{release.minor}", f"<{release.major}.{release.minor + 1}"
        assert {str(bound) for bound in requirement.specifier} == {lower, upper}
