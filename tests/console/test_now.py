"""The verdict of the page Now, from figures as faults leave them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from receiver.console.rendering import as_json
from receiver.console.screens.now import view
from receiver.observability.alerts.table import ALERTS
from receiver.observability.figures import Figures
from receiver.operations.alerting.standing import Firing, StandingAlerts
from receiver.operations.look.counted import counted_document
from tests.alerts.faults import FAULTS, pages

WELL: dict[str, Any] = {
    "verdict": {"well": True, "sentence": "all is well", "concerns": []},
    "at": "2026-01-31T08:00:00+00:00",
    "sources": [],
    "rates": {},
    "streams": [],
    "disk": None,
    "handlers": [],
    "dead_letters": {"count": 0, "causes": 0, "last_day": 0, "in_doubt": 0},
    "spool": None,
    "missing": [],
}


def counted(figures: Figures, firing: Sequence[Firing]) -> dict[str, Any]:
    alerts = [one.document() for one in firing]
    return {**counted_document(figures), "alerts": alerts, "missing": []}


def test_the_verdict_names_the_cause_of_each_alert_and_what_to_do() -> None:
    now = datetime.now(UTC)
    for alert in ALERTS:
        labels = dict.fromkeys(alert.labels, "shop")
        summary = alert.summary_for(labels)
        firing = Firing(alert.name, alert.severity, labels, summary, alert.action, now)
        made = view(WELL, counted(Figures(), [firing]), now)
        assert (made.well, made.verdict) == (False, summary)
        assert made.alerts[0].action == alert.action


def test_a_fault_that_lasts_is_in_the_verdict_and_leaves_it() -> None:
    fault = min((one for one in FAULTS if one.step == 1), key=lambda one: max(one.fires))
    standing, said = StandingAlerts(), list[set[str]]()
    for at, figures in islice(pages(fault), max(fault.fires) + 1):
        made = view(WELL, counted(figures, standing.look(figures, at)), datetime.now(UTC))
        said.append({one.alert for one in made.alerts})
    assert said[0] == set()
    for minute, cases in fault.fires.items():
        assert said[minute] == {case.alert for case in cases}


def test_without_reports_of_processes_their_rows_are_unknown() -> None:
    made = view(WELL, None, datetime.now(UTC))
    tones = {row.name: row.tone for row in made.rows}
    assert tones["How the platform sees us"] == tones["The platform's API"] == "unknown"
    assert (made.well, made.verdict) == (True, "all is well")
    assert b'"well": true' in as_json(made)
