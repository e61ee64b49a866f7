"""Which alerts fire now, as whoever looks sees it: nothing is posted, nothing kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from receiver.observability.alerts.alert import Severity
from receiver.observability.alerts.evaluation import Case, Holding, evaluate, new_history
from receiver.observability.figures import Figures
from receiver.operations.alerting.notice import BY_NAME


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fires: what is wrong `since` when, and what to do first."""

    alert: str
    severity: Severity
    labels: Mapping[str, str]
    summary: str
    action: str
    since: datetime

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "alert": self.alert,
            "severity": self.severity,
            "labels": dict(self.labels),
            "summary": self.summary,
            "action": self.action,
            "since": self.since.isoformat(timespec="seconds"),
        }


class StandingAlerts:
    """Evaluates pages of figures one after the other. An alert that looks back, or whose condition
    has to last, fires once it was looked at for so long.
    """

    def __init__(self) -> None:
        self._history = new_history()
        self._holdings: dict[Case, Holding] = {}

    def look(self, figures: Figures, now: datetime) -> list[Firing]:
        """Those that fire on this page, the critical ones first."""
        self._history.add(now, figures)
        self._holdings, _ = evaluate(self._history, self._holdings, now)
        found = [
            _firing(case, holding)
            for case, holding in self._holdings.items()
            if holding.fired is not None
        ]
        return sorted(found, key=lambda one: (one.severity != "critical", one.since, one.alert))


def _firing(case: Case, holding: Holding) -> Firing:
    alert = BY_NAME[case.alert]
    labels = dict(zip(alert.labels, case.labels, strict=True))
    summary = alert.summary_for(labels)
    return Firing(alert.name, alert.severity, labels, summary, alert.action, holding.since)
