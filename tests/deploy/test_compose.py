"""compose.yaml against the Compose specification, and what we promise of it beyond."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from tests.deploy.conftest import DEPLOY, documents

FILE = DEPLOY / "compose/compose.yaml"
COMPOSE: dict[str, Any] = documents(FILE)[0]
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STAYING = sorted(SERVICES.keys() - {"volumes"})
NATS = [name for name in STAYING if name.startswith("nats-")]
RECEIVERS = [name for name in STAYING if name.startswith("receiver-")]


def test_the_file_is_what_the_compose_specification_asks_for() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*command, FILE], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_every_volume_and_network_is_declared_and_used() -> None:
    for kind in ("volumes", "networks"):
        used = {
            entry.partition(":")[0]
            for service in SERVICES.values()
            for entry in service.get(kind, ())
            if not entry.startswith(".")
        }
        assert used == COMPOSE[kind].keys()


def test_the_example_of_env_names_every_variable_with_its_default() -> None:
    defaults = set(re.findall(r"\$\{(\w+):-([^}]+)\}", FILE.read_text(encoding="utf-8")))
    example = (DEPLOY / "compose/.env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=(.+)$", example, re.MULTILINE)) == defaults


def test_there_are_three_servers_and_two_receivers_each_with_a_volume_of_its_own() -> None:
    assert len(NATS) == 3
    assert len(RECEIVERS) == 2
    own = [SERVICES[name]["volumes"][-1].partition(":")[0] for name in NATS + RECEIVERS]
    assert sorted(own) == sorted(COMPOSE["volumes"])


@pytest.mark.parametrize("name", STAYING)
def test_a_service_has_no_rights_and_bounded_resources(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert service["stop_grace_period"]


def test_a_worker_that_hangs_is_seen() -> None:
    assert SERVICES["worker"]["healthcheck"]["test"] == ["CMD", "yizhan", "check", "--worker"]


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["proxy"]
    assert COMPOSE["networks"]["bus"]["internal"]
    assert COMPOSE["networks"]["edge"]["internal"]
    for name in NATS:
        assert SERVICES[name]["networks"] == ["bus"]
        assert SERVICES[name]["environment"]["MONITOR"].startswith("127.0.0.1:")


@pytest.mark.parametrize("name", STAYING)
def test_an_image_is_pinned_to_a_version(name: str) -> None:
    assert re.search(r":\d+\.\d+[\w.-]*\}$", SERVICES[name]["image"])


@pytest.mark.parametrize("name", NATS)
def test_a_server_is_asked_for_its_health_and_stopped_gently(name: str) -> None:
    assert "/healthz" in SERVICES[name]["healthcheck"]["test"][-1]
    assert SERVICES[name]["stop_signal"] == "SIGUSR2"
    assert SERVICES[name]["environment"]["SERVER_NAME"] == name
