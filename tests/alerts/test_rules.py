"""The rules, by promtool of Debian's `prometheus`: that they are valid, and what they raise."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from receiver.contract.alert_rules import alert_rules
from receiver.contract.dashboard import dashboard
from receiver.observability.alerts.alert import Alert
from receiver.observability.alerts.table import ALERTS
from tests.alerts.faults import FAULTS, Fault, notation
from tests.pages import ROOT, fault_of

RUNBOOK = "docs/runbook.md"


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        assert "CI" not in os.environ, "promtool is missing: apt-get install prometheus"
        pytest.skip("promtool is not installed: apt-get install --no-install-recommends prometheus")
    return found


def ran(promtool: str, *arguments: str | Path) -> str:
    done = subprocess.run([promtool, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expected(fault: Fault, alert: Alert, step: int) -> dict[str, Any]:
    """That the alert fires then, with all that it says, or does not."""
    fires = [
        {
            "exp_labels": {"severity": alert.severity, **labels},
            "exp_annotations": {
                "summary": alert.summary_for(labels),
                "description": alert.action,
                "runbook_url": f"{RUNBOOK}#{alert.anchor}",
            },
        }
        for case in fault.fires[step]
        if case.alert == alert.name
        for labels in [dict(zip(alert.labels, case.labels, strict=True))]
    ]
    return {"eval_time": f"{step * fault.step}m", "alertname": alert.name, "exp_alerts": fires}


def test_a_fault_raises_its_alert_and_no_other(promtool: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(alert_rules(RUNBOOK))
    files = []
    for step in {fault.step for fault in FAULTS}:
        files.append(tmp_path / f"tests-{step}.yml")
        files[-1].write_text(json.dumps(document([f for f in FAULTS if f.step == step], step)))
    assert ran(promtool, "test", "rules", *files).count("SUCCESS") == len(files)


def document(faults: Sequence[Fault], step: int) -> dict[str, Any]:
    """What promtool is to test, all on steps of so many minutes."""
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{step}m",
        "tests": [
            {
                "name": fault.name,
                "interval": f"{step}m",
                "input_series": [
                    {"series": name, "values": notation(values)}
                    for name, values in fault.series().items()
                ],
                "alert_rule_test": [
                    expected(fault, alert, number) for number in fault.fires for alert in ALERTS
                ],
            }
            for fault in faults
        ],
    }


def test_rules_and_queries_of_the_dashboard_are_valid(promtool: str, tmp_path: Path) -> None:
    rules, queries = tmp_path / "rules.yml", tmp_path / "queries.yml"
    rules.write_text(alert_rules(RUNBOOK))
    asked = [
        {"record": "q", "labels": {"n": str(number)}, "expr": target["expr"]}
        for number, target in enumerate(
            target
            for panel in json.loads(dashboard())["panels"]
            for target in panel.get("targets", ())
        )
    ]
    text = json.dumps({"groups": [{"name": "q", "rules": asked}]})
    queries.write_text(text.replace("$__rate_interval", "5m"))
    said = ran(promtool, "check", "rules", "--lint-fatal", rules, queries)
    assert f"{len(ALERTS)} rules found" in said
    assert f"{len(asked)} rules found" in said
    deployed = ROOT / "deploy" / "prometheus" / "prometheus.yml"
    assert "SUCCESS" in ran(promtool, "check", "config", "--syntax-only", deployed)


def test_every_alert_leads_to_its_section_of_the_runbook() -> None:
    document = yaml.safe_load(alert_rules(RUNBOOK))
    links = [
        rule["annotations"]["runbook_url"]
        for group in document["groups"]
        for rule in group["rules"]
    ]
    assert len(links) == len(ALERTS)
    assert [fault for link in links if (fault := fault_of(link, ROOT))] == []
