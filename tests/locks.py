"""Lock files: what they pin, and which requirements of the pinned packages they leave unmet.

Reads files and installed metadata; resolves nothing and asks no index.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import distributions
from itertools import product
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
BENCH_PACKAGES = [str(path) for path in ROOT.glob(".venv-bench/lib/python*/site-packages")]

Environment = Mapping[str, str]
"""The values of environment markers."""
HERE: Environment = {key: str(value) for key, value in default_environment().items()}
"""Those of the Python that runs this."""

Metadata = Mapping[tuple[str, Version], Sequence[Requirement]]
"""What a package of this name and version requires."""


def entries(lock: str) -> list[str]:
    """The entries of a lock file, each on one line with its hashes."""
    return (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", "").splitlines()


def pins(lock: str) -> list[Requirement]:
    """What a lock file pins, in its order; a name stands more than once where markers differ."""
    return [Requirement(entry.partition(" --hash")[0]) for entry in entries(lock)]


def pinned_version(pin: Requirement) -> Version:
    """The one version of a pin; raises `ValueError` where it allows another."""
    (specifier,) = pin.specifier
    if specifier.operator != "==":
        raise ValueError(f"{pin} does not pin one version")
    return Version(specifier.version)


def environments(pythons: Iterable[str]) -> Iterator[Environment]:
    """CPython of these minor versions, first and late patch releases, on Linux and macOS."""
    platforms = (
        ("linux", "Linux", "x86_64"),
        ("linux", "Linux", "aarch64"),
        ("darwin", "Darwin", "arm64"),
    )
    for python, patch, (name, system, machine) in product(pythons, ("0", "99"), platforms):
        yield {
            **HERE,
            "implementation_name": "cpython",
            "implementation_version": f"{python}.{patch}",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_system": system,
            "python_full_version": f"{python}.{patch}",
            "python_version": python,
            "sys_platform": name,
        }


@cache
def installed() -> Metadata:
    """The metadata of this environment's packages, and of the benchmark's where it is set up."""
    return {
        (canonicalize_name(found.metadata["Name"]), Version(found.version)): [
            Requirement(text) for text in found.requires or ()
        ]
        for found in distributions(path=[*sys.path, *BENCH_PACKAGES])
    }


def active(locked: Iterable[Requirement], environment: Environment) -> dict[str, Requirement]:
    """The pins that apply in an environment, by canonical name."""
    return {
        canonicalize_name(pin.name): pin
        for pin in locked
        if pin.marker is None or pin.marker.evaluate(dict(environment))
    }


def unmet(
    locked: Sequence[Requirement],
    wanted: Iterable[Requirement],
    metadata: Metadata,
    environment: Environment,
) -> list[str]:
    """Requirements that no pin meets in an environment, each as a sentence.

    `wanted` is what the lock was made from. Of each pin, what its metadata require is checked,
    its extras included; pins without known metadata of the same version are passed over.
    """
    pinned = active(locked, environment)
    lacking = [f"the project needs {one}" for one in wanted if not _met(one, pinned)]
    for name, pin in pinned.items():
        known = metadata.get((name, pinned_version(pin)), ())
        needed = (one for one in known if _applies(one, pin.extras, environment))
        lacking += [f"{pin} needs {one}" for one in needed if not _met(one, pinned)]
    return lacking


def _applies(requirement: Requirement, extras: Iterable[str], environment: Environment) -> bool:
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras)
    )


def _met(requirement: Requirement, pinned: Mapping[str, Requirement]) -> bool:
    pin = pinned.get(canonicalize_name(requirement.name))
    return (
        pin is not None
        and requirement.extras <= pin.extras
        and requirement.specifier.contains(pinned_version(pin), prereleases=True)
    )
