"""Writes `static/vendor/` and its list anew (`make vendor`, needs npm).

`VENDOR.toml` names each package with its version, and each of its files with its SHA-256.
"""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

VENDOR: Final = Path(__file__).parent / "static" / "vendor"
LIST: Final = VENDOR / "VENDOR.toml"


def digest(content: bytes) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def packages() -> dict[str, dict[str, Any]]:
    """What `VENDOR.toml` lists: of each package `version`, `licence` and `files`, which are its
    paths in the package and, by them, `name` and `sha256` here.
    """
    found: dict[str, dict[str, Any]] = tomllib.loads(LIST.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Fetch each package of the list in its version, and write its files and the list."""
    listed = packages()
    for name, package in listed.items():
        with tempfile.TemporaryDirectory() as directory:
            for path, content in _packed(f"{name}@{package['version']}", Path(directory)):
                if (file := package["files"].get(path)) is not None:
                    (VENDOR / file["name"]).write_bytes(content)
                    file["sha256"] = digest(content)
    LIST.write_text("\n".join(_lines(listed)) + "\n", encoding="utf-8")


def _packed(package: str, directory: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a package of npm, by their paths."""
    asked = ["npm", "pack", "--silent", "--ignore-scripts", package]
    subprocess.run(asked, cwd=directory, check=True, stdout=subprocess.DEVNULL)
    (archive,) = directory.glob("*.tgz")
    with tarfile.open(archive) as packed:
        for member in packed.getmembers():
            if member.isfile() and (content := packed.extractfile(member)) is not None:
                yield member.name.removeprefix("package/"), content.read()


def _lines(listed: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "# What is vendored from npm; `make vendor` writes it anew for the versions named here."
    for name, package in listed.items():
        yield f'\n["{name}"]'
        yield f'version = "{package["version"]}"'
        yield f'licence = "{package["licence"]}"'
        for path, file in package["files"].items():
            yield f'\n["{name}".files."{path}"]'
            yield f'name = "{file["name"]}"'
            yield f'sha256 = "{file["sha256"]}"'


if __name__ == "__main__":
    main()
