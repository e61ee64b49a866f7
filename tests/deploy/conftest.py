"""A copy of deploy/ with secrets in it, and processes that end with the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"

Spawn = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(scope="session")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """deploy/ as an operator has it after the first step."""
    copy = tmp_path_factory.mktemp("deploy") / "deploy"
    shutil.copytree(DEPLOY, copy, ignore=shutil.ignore_patterns("secrets", ".env"))
    for platform in ("compose", "kubernetes"):
        make_secrets(copy, platform)
    return copy


def make_secrets(deploy: Path, platform: str) -> None:
    """Run the script; skips the test without openssl."""
    program("openssl")
    subprocess.run([deploy / "make-secrets.sh", platform], check=True, capture_output=True)


def installed(name: str) -> str | None:
    """Where a program is; None where it is not installed."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def needs(name: str) -> pytest.MarkDecorator:
    """Skips a test before its fixtures start anything."""
    return pytest.mark.skipif(installed(name) is None, reason=f"{name} is not installed")


def program(name: str) -> str:
    """Where it is; skips the test where it is not installed."""
    found = installed(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start a process in the test's directory; its output is in `<name>.out`."""
    with contextlib.ExitStack() as stack:

        def start(
            name: str, *command: str | Path, environ: Mapping[str, str] | None = None
        ) -> subprocess.Popen[bytes]:
            out = stack.enter_context((tmp_path / f"{name}.out").open("wb"))
            process = subprocess.Popen(
                command,
                cwd=tmp_path,
                env=os.environ | (environ or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
            stack.callback(end, process)
            return process

        yield start


def end(process: subprocess.Popen[bytes]) -> None:
    """By SIGTERM, since a master that is killed leaves its workers behind."""
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """`text` with every change made; each has to have something to change."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def documents(file: Path) -> list[dict[str, Any]]:
    """The YAML documents of a file."""
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
