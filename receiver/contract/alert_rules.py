"""The rules of Prometheus, written from the table of alerts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from receiver.observability.alerts.alert import Alert
from receiver.observability.alerts.promql import duration, expression
from receiver.observability.alerts.table import ALERTS

_HEAD: Final = """\
# Written by `yizhan alerts`; do not edit.
groups:
  - name: yizhan
    rules:
"""


def alert_rules(runbook: str) -> str:
    """A file of rules, as YAML; `runbook` is where docs/runbook.md is read."""
    return _HEAD + "".join(f"{line}\n" for alert in ALERTS for line in _rule(alert, runbook))


def _rule(alert: Alert, runbook: str) -> Iterator[str]:
    labels = {name: f"{{{{ $labels.{name} }}}}" for name in alert.labels}
    yield f"      - alert: {alert.name}"
    yield f"        expr: {_text(expression(alert.condition))}"
    yield f"        for: {duration(alert.lasting)}"
    yield from _table("labels", {"severity": alert.severity})
    annotations = {
        "summary": alert.summary_for(labels),
        "description": alert.action,
        "runbook_url": f"{runbook}#{alert.anchor}",
    }
    yield from _table("annotations", annotations)


def _table(name: str, values: Mapping[str, str]) -> Iterator[str]:
    yield f"        {name}:"
    yield from (f"          {key}: {_text(value)}" for key, value in values.items())


def _text(value: str) -> str:
    """Quoted: what YAML takes between double quotes is what JSON does; between single ones the
    quotes of PromQL stay as they are.
    """
    return json.dumps(value) if "'" in value else f"'{value}'"
