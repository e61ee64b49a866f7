"""The alerts that fire by our own evaluation; `test_rules` reads the same series by Prometheus."""

from __future__ import annotations

from itertools import islice

from receiver.observability.alerts.conditions import all_series
from receiver.observability.alerts.evaluation import Case, Holding, evaluate, new_history
from receiver.observability.alerts.table import ALERTS
from receiver.observability.metric_table import BY_NAME
from tests.alerts.faults import FAULTS, Fault, pages


def test_an_alert_reads_metrics_of_the_table_by_their_labels() -> None:
    for alert in ALERTS:
        for series in all_series(alert.condition):
            row = BY_NAME[series.metric]
            assert "collected" in row.pages, row.name
            assert row.former is None
            for label, words in series.where.items():
                assert set(words) <= set(row.labels[label]), row.name
            assert set(series.by) <= set(row.labels), row.name


def test_an_alert_says_its_labels_and_no_others() -> None:
    for alert in ALERTS:
        labels = dict.fromkeys(alert.labels, "<>")
        assert alert.summary_for(labels).count("<>") == len(labels)
        assert alert.name.startswith("Yizhan")
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)


def fired(fault: Fault) -> dict[int, set[Case]]:
    """What fires at the minutes that the fault names."""
    history, known = new_history(), dict[Case, Holding]()
    found = {}
    for minute, (at, figures) in enumerate(islice(pages(fault), max(fault.fires) + 1)):
        history.add(at, figures)
        known, _ = evaluate(history, known, at)
        if minute in fault.fires:
            found[minute] = {case for case, holding in known.items() if holding.fired}
    return found


def test_a_fault_raises_its_alert_and_no_other() -> None:
    for fault in FAULTS:
        assert (fault.name, fired(fault)) == (fault.name, fault.fires)


def test_every_alert_is_raised_by_a_fault() -> None:
    raised = {case.alert for fault in FAULTS for cases in fault.fires.values() for case in cases}
    assert raised == {alert.name for alert in ALERTS}
