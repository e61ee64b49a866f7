"""compose.yaml against the Compose specification, and what we promise of it beyond."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from receiver.contract.alert_rules import alert_rules
from receiver.contract.dashboard import dashboard
from receiver.settings import load_settings
from receiver.settings.alerts import AlertsSettings
from receiver.settings.metrics import MetricsSettings
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
    assert sorted([*own, "prometheus"]) == sorted(COMPOSE["volumes"])


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
    ports = {name: SERVICES[name]["ports"] for name in SERVICES if "ports" in SERVICES[name]}
    assert ports.keys() == {"proxy", "grafana"}
    assert all(port.startswith("127.0.0.1:") for port in ports["grafana"])
    assert COMPOSE["networks"]["watch"]["internal"]
    assert COMPOSE["networks"]["bus"]["internal"]
    assert COMPOSE["networks"]["edge"]["internal"]
    for name in NATS:
        assert SERVICES[name]["networks"] == ["bus"]
        assert SERVICES[name]["environment"]["MONITOR"].startswith("127.0.0.1:")


@pytest.mark.parametrize("name", STAYING)
def test_an_image_is_pinned_to_a_version(name: str) -> None:
    assert re.search(r":v?\d+\.\d+[\w.-]*\}$", SERVICES[name]["image"])


@pytest.mark.parametrize("name", NATS)
def test_a_server_is_asked_for_its_health_and_stopped_gently(name: str) -> None:
    assert "/healthz" in SERVICES[name]["healthcheck"]["test"][-1]
    assert SERVICES[name]["stop_signal"] == "SIGUSR2"
    assert SERVICES[name]["environment"]["SERVER_NAME"] == name


def test_prometheus_and_grafana_have_the_alerts_and_the_dashboard_of_this_version() -> None:
    rules = (DEPLOY / "prometheus/yizhan.rules.yml").read_text(encoding="utf-8")
    panels = (DEPLOY / "grafana/dashboards/yizhan.json").read_text(encoding="utf-8")
    assert rules == alert_rules(AlertsSettings().runbook), "run `make docs`"
    assert panels == dashboard(), "run `make docs`"
    (prometheus,) = documents(DEPLOY / "prometheus/prometheus.yml")
    assert prometheus["rule_files"] == ["yizhan.rules.yml"]
    (job,) = prometheus["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"metrics:{MetricsSettings().port}"]}]


@pytest.mark.parametrize("name", STAYING)
def test_what_a_service_mounts_of_this_folder_is_here(name: str) -> None:
    mounted = [volume.split(":")[0] for volume in SERVICES[name].get("volumes", ())]
    ours = [path for path in mounted if path.startswith("..")]
    assert [path for path in ours if not (FILE.parent / path).is_dir()] == []


def test_prometheus_gives_the_token_that_metrics_are_read_by(deploy: Path) -> None:
    settings = load_settings(deploy / "compose/secrets/yizhan/yizhan.toml")
    token = (deploy / "compose/secrets/prometheus/token").read_text(encoding="utf-8").strip()
    assert settings.metrics.bearer == token
    assert len((deploy / "compose/secrets/grafana/password").read_text().strip()) == 48
