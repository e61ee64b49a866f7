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
from receiver.operations.alerting.notice import BY_NAME
from receiver.operations.alerting.standing import Firing, StandingAlerts
from receiver.operations.look.counted import counted_document
from tests.alerts.faults import FAULTS, pages
from tests.console.crawl import screen_of

WELL: dict[str, Any] = {
    "verdict": {"well": True, "sentence": "all is well", "concerns": []},
    "at": "2026-01-31T08:00:00+00:00",
    "sources": [],
    "rates": {},
    "streams": [],
    "disk": None,
    "handlers": [],
    "dead_letters": {
        "count": 0,
        "causes": 0,
        "last_day": 0,
        "in_doubt": 0,
        "handlers": ["ship", "shop"],
    },
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
        assert (made.well, f"{made.verdict}.") == (False, summary)
        assert made.headline == made.verdict
        assert made.causes[0].action == alert.action
        assert screen_of(made.causes[0].page.partition("?")[0]) is not None


def test_a_snoozed_cause_is_no_part_of_it_until_a_letter_of_another_comes() -> None:
    now, alert = datetime.now(UTC), BY_NAME["YizhanDeadLetters"]
    firing = Firing(alert.name, alert.severity, {"handler": "ship"}, "x", alert.action, now)
    counts = {"count": 3, "causes": 1, "last_day": 2, "in_doubt": 0}
    for snoozed, handlers, well in ((counts, [], True), ({**counts, "count": 2}, ["ship"], False)):
        status = {**WELL, "dead_letters": {**counts, "snoozed": snoozed, "handlers": handlers}}
        assert view(status, counted(Figures(), [firing]), now).well is well


def test_a_cause_leads_to_the_page_where_one_acts() -> None:
    labels, now = {"source": "shop", "handler": "ship"}, datetime.now(UTC)
    for name, page in (
        ("YizhanSecretRefused", "/sources/shop"),
        ("YizhanCallbacksUnreadable", "/quarantine?source=shop"),
        ("YizhanDeadLetters", "/dead?handler=ship"),
        ("YizhanHandlerBehind", "/handlers/ship"),
        ("YizhanNatsAway", "/system"),
    ):
        alert = BY_NAME[name]
        own = {label: labels[label] for label in alert.labels}
        firing = Firing(name, alert.severity, own, "x", alert.action, now)
        (cause,) = view(WELL, counted(Figures(), [firing]), now).causes
        assert cause.page == page


def test_each_fault_is_in_the_verdict_as_long_as_it_lasts() -> None:
    for fault in FAULTS:
        standing, now = StandingAlerts(), datetime.now(UTC)
        for minute, (at, figures) in enumerate(islice(pages(fault), max(fault.fires) + 1)):
            found = standing.look(figures, at)
            if minute in fault.fires:
                made = view(WELL, counted(figures, found), now)
                fires = {one.alert: one.sentence for one in made.causes if one.fires}
                assert set(fires) == {case.alert for case in fault.fires[minute]}, fault.name
                assert all(sentence in made.verdict for sentence in fires.values())
                assert made.headline.startswith(made.causes[0].sentence if fires else "")
        assert made.well or fault.shows


def test_the_gravest_of_several_causes_is_named_first_and_none_twice() -> None:
    now = datetime.now(UTC)
    quarantined = {
        "source": "shop",
        "is_silent": False,
        "is_refused": False,
        "quarantined_day": 2,
        "last_at": None,
        "silent_s": None,
    }
    status = {
        **WELL,
        "sources": [quarantined],
        "dead_letters": {**WELL["dead_letters"], "count": 5, "causes": 2, "last_day": 1},
        "spool": {"callbacks": 3, "bytes": 9, "oldest_age_s": 90.0, "sources": {}},
    }
    found = [
        Firing(alert.name, alert.severity, labels, alert.summary_for(labels), alert.action, now)
        for alert, labels in (
            (BY_NAME["YizhanDeadLetters"], {"handler": "ship"}),
            (BY_NAME["YizhanCallbacksUnreadable"], {"source": "shop"}),
        )
    ]
    made = view(status, counted(Figures(), found), now)
    assert made.headline == "3 callbacks wait in the spool, the oldest for 1 min, and 2 more"
    assert made.verdict == (
        f"{made.headline}: The handler ship has given up on events; Callbacks of shop could not be "
        "read, and wait in quarantine"
    )
    assert [(one.severity, one.page, one.details) for one in made.causes] == [
        ("critical", "/system", ()),
        ("warning", "/dead?handler=ship", ()),
        ("warning", "/quarantine?source=shop", ("2 callbacks of shop in quarantine in a day",)),
    ]

    none = {**WELL["dead_letters"], "handlers": []}  # all are snoozed, given back or dropped
    assert view({**WELL, "dead_letters": none}, counted(Figures(), found[:1]), now).well


def test_without_reports_of_processes_their_rows_are_unknown() -> None:
    made = view(WELL, None, datetime.now(UTC))
    tones = {row.name: row.tone for row in made.rows}
    assert tones["How the platform sees us"] == tones["The platform's API"] == "unknown"
    assert (made.well, made.verdict) == (True, "all is well")
    assert b'"well": true' in as_json(made)
