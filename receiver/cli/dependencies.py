"""Whether the installed dependencies are releases that Yizhan was tested with.

What was tested is what the package's own metadata declare; nothing is listed here again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from packaging.requirements import Requirement

_PACKAGE: Final = "yizhan"


def declared() -> Sequence[str]:
    """The requirements in our own metadata; none where we run from a tree that is not installed."""
    try:
        return requires(_PACKAGE) or ()
    except PackageNotFoundError:
        return ()


def untested(
    requirements: Iterable[str], installed: Callable[[str], str] = version
) -> Sequence[str]:
    """A sentence for each requirement whose installed version it does not allow.

    `installed` gives the version of a package by name, or raises `PackageNotFoundError`: such a
    package is passed over, since without it nothing would have started.
    """
    doubts = (_doubt(Requirement(text), installed) for text in requirements)
    return [doubt for doubt in doubts if doubt is not None]


def _doubt(requirement: Requirement, installed: Callable[[str], str]) -> str | None:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return None
    try:
        found = installed(requirement.name)
    except PackageNotFoundError:
        return None
    if requirement.specifier.contains(found, prereleases=True):
        return None
    tested = ",".join(sorted(map(str, requirement.specifier), reverse=True))
    return (
        f"{requirement.name} {found} is installed, but Yizhan was tested with {tested} only: "
        "install such a release"
    )
