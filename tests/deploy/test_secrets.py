"""What make-secrets.sh writes: settings that load, passwords that nobody knows."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from receiver.settings import load_settings
from tests.deploy.conftest import DEPLOY, documents

SETTINGS = {
    "compose": "compose/secrets/yizhan/yizhan.toml",
    "kubernetes": "kubernetes/secrets/yizhan.toml",
}
CREDENTIALS = {
    "compose": "compose/secrets/nats/credentials.conf",
    "kubernetes": "kubernetes/secrets/credentials.conf",
}
EACH_PLATFORM = pytest.mark.parametrize("platform", ["compose", "kubernetes"])


@EACH_PLATFORM
def test_the_settings_load_and_know_the_servers_password(deploy: Path, platform: str) -> None:
    settings = load_settings(deploy / SETTINGS[platform])
    credentials = (deploy / CREDENTIALS[platform]).read_text(encoding="utf-8")
    found = re.search(r'user: yizhan, password: "(\w{48})"', credentials)
    assert found is not None
    assert settings.nats.replicas == 3
    assert str(settings.nats.url).count(f"yizhan:{found[1]}@") == 3


@EACH_PLATFORM
def test_only_what_the_platform_gives_is_left_to_write(deploy: Path, platform: str) -> None:
    for made in (SETTINGS[platform], CREDENTIALS[platform]):
        text = (deploy / made).read_text(encoding="utf-8")
        assert set(re.findall(r"CHANGE-ME[-\w]*", text)) <= {"CHANGE-ME-ACCESS-KEY"}


@EACH_PLATFORM
def test_no_other_user_of_the_host_can_read_the_secrets(deploy: Path, platform: str) -> None:
    assert stat.S_IMODE((deploy / platform / "secrets").stat().st_mode) == 0o700
    # The containers' user, who is nobody on the host, reads what is mounted from inside it.
    assert (deploy / SETTINGS[platform]).stat().st_mode & 0o004
    assert (deploy / CREDENTIALS[platform]).stat().st_mode & 0o004


def contents(directory: Path) -> dict[Path, bytes | None]:
    """What is below it: bytes of a file, None for a directory."""
    return {path: path.read_bytes() if path.is_file() else None for path in directory.rglob("*")}


@EACH_PLATFORM
def test_secrets_that_exist_are_never_written_over(
    deploy: Path, tmp_path: Path, platform: str
) -> None:
    copy = shutil.copytree(deploy, tmp_path / "deploy")
    secrets = copy / platform / "secrets"
    for added_later in ("prometheus", "grafana"):
        before = contents(secrets)
        again = subprocess.run(
            [copy / "make-secrets.sh", platform], check=False, capture_output=True, text=True
        )
        assert again.returncode == 1
        assert "exists: remove it first" in again.stderr
        assert contents(secrets) == before
        shutil.rmtree(secrets / added_later, ignore_errors=True)


def test_no_two_passwords_are_the_same(deploy: Path) -> None:
    found: list[str] = []
    for made in (*CREDENTIALS.values(), *SETTINGS.values()):
        found += set(re.findall(r"\b[0-9a-f]{48}\b", (deploy / made).read_text(encoding="utf-8")))
    assert len(found) == 15  # Compose alone has the token of metrics
    assert len(set(found)) == 13  # the receivers' own stands in two files of each platform


def test_git_ignores_what_is_secret() -> None:
    made = [str(DEPLOY / path) for path in (*SETTINGS.values(), *CREDENTIALS.values())]
    made.append(str(DEPLOY / "compose/.env"))
    asked = subprocess.run(
        ["git", "check-ignore", *made], cwd=DEPLOY, check=False, capture_output=True, text=True
    )
    if asked.returncode == 128:
        pytest.skip("this is no clone")
    assert asked.stdout.split() == made


def test_the_settings_are_given_as_a_directory_so_that_sighup_sees_a_new_file() -> None:
    (compose,) = documents(DEPLOY / "compose/compose.yaml")
    for name in ("receiver-a", "receiver-b", "worker"):
        assert "./secrets/yizhan:/etc/yizhan:ro" in compose["services"][name]["volumes"]
