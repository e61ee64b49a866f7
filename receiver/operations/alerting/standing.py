"""Which alerts fire now, as whoever looks sees it: nothing is posted, nothing kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from receiver.observability.alerts.alert import Severity
from receiver.observability.alerts.evaluation import (
    Case,
    Holding,
    Holdings,
    evaluate,
    new_history,
)
from receiver.observability.figures import Figures
from receiver.operations.alerting.notice import BY_NAME


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert whose condition holds: what is wrong `since` when, and what to do first; it `fires`
    once that has lasted.
    """

    alert: str
    severity: Severity
    labels: Mapping[str, str]
    summary: str
    action: str
    since: datetime
    fires: bool = True

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "alert": self.alert,
            "severity": self.severity,
            "labels": dict(self.labels),
            "summary": self.summary,
            "action": self.action,
            "since": self.since.isoformat(timespec="seconds"),
            "fires": self.fires,
        }


class StandingAlerts:
    """Evaluates pages of figures one after the other. What looks back does so to the first page."""

    def __init__(self) -> None:
        self._history = new_history()
        self._holdings: Holdings = {}

    def look(self, figures: Figures, now: datetime, known: Holdings | None = None) -> list[Firing]:
        """Those that hold on this page: the critical ones first, and of these the ones that fire.

        `known` are those of a process that watches for longer: what fires there and is not known
        here goes on.
        """
        self._history.add(now, figures)
        before = self._holdings if known is None else known
        self._holdings, _ = evaluate(self._history, before, now)
        found = [_firing(case, holding) for case, holding in self._holdings.items()]
        return sorted(
            found, key=lambda one: (one.severity != "critical", not one.fires, one.since, one.alert)
        )


def _firing(case: Case, holding: Holding) -> Firing:
    alert = BY_NAME[case.alert]
    labels = dict(zip(alert.labels, case.labels, strict=True))
    summary = alert.summary_for(labels)
    return Firing(
        alert.name,
        alert.severity,
        labels,
        summary,
        alert.action,
        holding.since,
        fires=holding.fired is not None,
    )
