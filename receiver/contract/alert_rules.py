"""The rules of Prometheus, written from the table of alerts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from receiver.observability.alerts.alert import Alert
from receiver.observability.alerts.promql import duration, expression
from receiver.observability.alerts.table import ALERTS

_HEAD: Final = """\
# Written by `yizhan alerts`; do not edit.
# yamllint disable rule:line-length
groups:
  - name: yizhan
    rules:
"""


def alert_rules(runbook: str) -> str:
    """A file of rules, as YAML; `runbook` is where docs/runbook.md is read."""
    return _HEAD + "".join(f"{line}\n" for rule in rules(runbook) for line in _lines(rule))


def rules(runbook: str) -> list[dict[str, Any]]:
    """The same as data: one alert each, as Prometheus names its parts."""
    return [_rule(alert, runbook) for alert in ALERTS]


def _rule(alert: Alert, runbook: str) -> dict[str, Any]:
    labels = {name: f"{{{{ $labels.{name} }}}}" for name in alert.labels}
    return {
        "alert": alert.name,
        "expr": expression(alert.condition),
        "for": duration(alert.lasting),
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary_for(labels),
            "description": alert.action,
            "runbook_url": f"{runbook}#{alert.anchor}",
        },
    }


def _lines(rule: Mapping[str, Any]) -> Iterator[str]:
    mark = "-"
    for name, value in rule.items():
        if isinstance(value, dict):
            yield f"        {name}:"
            yield from (f"          {key}: {_text(text)}" for key, text in value.items())
        else:
            yield f"      {mark} {name}: {_text(value)}"
        mark = " "


def _text(value: str) -> str:
    """Quoted: what YAML takes between double quotes is what JSON does; between single ones the
    quotes of PromQL stay as they are.
    """
    return json.dumps(value) if "'" in value else f"'{value}'"
