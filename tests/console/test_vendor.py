"""What is vendored is what its list says, byte for byte."""

from __future__ import annotations

from receiver.console.vendor import VENDOR, digest, packages


def test_each_vendored_file_is_that_of_its_list() -> None:
    listed = {
        file["name"]: file["sha256"]
        for package in packages().values()
        for file in package["files"].values()
    }
    found = {path.name: digest(path.read_bytes()) for path in VENDOR.iterdir()}
    del found["VENDOR.toml"]
    assert found == listed
    assert all(package["version"] and package["licence"] for package in packages().values())
