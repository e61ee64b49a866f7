"""The manifests against the schemas of Kubernetes, and what we promise of them beyond."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from receiver.settings import ReceiverSettings
from tests.deploy.conftest import DEPLOY, documents

VERSIONS = ("1.30", "1.37")  # the oldest and the newest that are checked
KUBERNETES = DEPLOY / "kubernetes"
KUSTOMIZATION: dict[str, Any] = documents(KUBERNETES / "kustomization.yaml")[0]


@cache
def manifests() -> list[dict[str, Any]]:
    """Every manifest as it is written, before kustomize."""
    files = [KUBERNETES / name for name in KUSTOMIZATION["resources"]]
    return [document for file in files if file.is_file() for document in documents(file)]


def workloads() -> list[dict[str, Any]]:
    return [m for m in manifests() if m["kind"] in {"StatefulSet", "Deployment"}]


def pod(name: str) -> dict[str, Any]:
    found = next(m for m in workloads() if m["metadata"]["name"] == name)
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


EACH_WORKLOAD = pytest.mark.parametrize("name", ["nats", "receiver", "worker"])


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_what_kubernetes_asks_for(version: str) -> None:
    for manifest in manifests():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_every_manifest_is_named_in_the_kustomization() -> None:
    assert {file.name for file in KUBERNETES.glob("*.yaml")} == {
        "kustomization.yaml",
        *(name for name in KUSTOMIZATION["resources"] if name.endswith(".yaml")),
    }


def built(deploy: Path) -> list[dict[str, Any]]:
    """What kustomize makes of it; skips the test where neither of the two has it."""
    builders = [["kustomize", "build"], ["kubectl", "kustomize"]]
    command = next((builder for builder in builders if shutil.which(builder[0])), None)
    if command is None:
        pytest.skip("neither kustomize nor kubectl is installed")
    made = subprocess.run(
        [*command, deploy / "kubernetes"], check=False, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


def test_kustomize_builds_it_with_its_secrets(deploy: Path) -> None:
    made = built(deploy)
    for manifest in made:
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)
        assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"] == "yizhan"
    names = {(m["kind"], m["metadata"]["name"]) for m in made}
    for manifest in made:
        if manifest["kind"] not in {"StatefulSet", "Deployment"}:
            continue
        spec = manifest["spec"]["template"]["spec"]
        for kind, name in mounted(spec):
            assert (kind, name) in names
        (container,) = spec["containers"]
        assert container["image"] in {"nats:2.15-alpine", "yizhan:0.1.0"}


def mounted(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for volume in spec["volumes"]:
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]


@EACH_WORKLOAD
def test_a_pod_fits_the_restricted_profile_and_has_bounds(name: str) -> None:
    spec = pod(name)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}


@EACH_WORKLOAD
def test_no_variable_of_a_service_is_taken_for_a_setting(name: str) -> None:
    """YIZHAN_RECEIVER_PORT, which Kubernetes sets for a Service, would keep us from starting."""
    assert pod(name)["enableServiceLinks"] is False


@EACH_WORKLOAD
def test_every_mount_has_its_volume(name: str) -> None:
    spec = pod(name)
    found = next(m for m in workloads() if m["metadata"]["name"] == name)
    claims = found["spec"].get("volumeClaimTemplates", ())
    volumes = {v["name"] for v in spec["volumes"]} | {c["metadata"]["name"] for c in claims}
    assert {mount["name"] for mount in spec["containers"][0]["volumeMounts"]} == volumes


def test_a_receiver_has_time_to_answer_what_is_in_flight() -> None:
    spec = pod("receiver")
    pause_s = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    default_s = ReceiverSettings().grace_s
    assert spec["terminationGracePeriodSeconds"] >= pause_s + default_s + 10


def test_what_is_not_allowed_is_forbidden() -> None:
    policies = {
        m["metadata"]["name"]: m["spec"] for m in manifests() if m["kind"] == "NetworkPolicy"
    }
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    monitor = 8222
    allowed = [
        port["port"]
        for policy in policies.values()
        for rule in policy.get("ingress", ())
        for port in rule["ports"]
    ]
    assert monitor not in allowed


def test_the_servers_stand_apart_and_two_of_them_stay() -> None:
    (rule,) = pod("nats")["affinity"]["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    budgets = {m["metadata"]["name"]: m["spec"] for m in manifests() if "Budget" in m["kind"]}
    assert budgets["nats"]["maxUnavailable"] == 1
    assert budgets["receiver"]["maxUnavailable"] == 1
