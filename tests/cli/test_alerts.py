"""`yizhan alerts` and `yizhan dashboard`: files for Prometheus and Grafana."""

from __future__ import annotations

import json

import yaml

from receiver.observability.alerts.table import ALERTS
from receiver.observability.metric_table import ROWS
from tests.cli.conftest import Yizhan

RUNBOOK = "https://docs.example.com/runbook.md"


async def test_rules_are_written_with_links_to_the_runbook_of_the_settings(yizhan: Yizhan) -> None:
    ran = await yizhan.run("alerts", "-o", "rules.yml", YIZHAN_ALERTS__RUNBOOK=RUNBOOK)
    listed = await yizhan.run("alerts", "--json", YIZHAN_ALERTS__RUNBOOK=RUNBOOK)
    nowhere = await yizhan.run("alerts", "-o", "no/rules.yml")

    assert (ran.code, ran.out, ran.err) == (0, "", "")
    (group,) = yaml.safe_load((yizhan.directory / "rules.yml").read_text())["groups"]
    assert [rule["alert"] for rule in group["rules"]] == [alert.name for alert in ALERTS]
    assert all(rule["annotations"]["runbook_url"].startswith(RUNBOOK) for rule in group["rules"])
    assert json.loads(listed.out) == {"alerts": group["rules"]}
    assert nowhere.code == 2
    assert nowhere.err.startswith("yizhan: --out no/rules.yml: cannot be written: No such file")


async def test_the_dashboard_shows_every_metric_of_the_collected_page(yizhan: Yizhan) -> None:
    ran = await yizhan.run("dashboard")

    assert (ran.code, ran.err) == (0, "")
    panels = json.loads(ran.out)["panels"]
    shown = [panel["description"] for panel in panels if panel.get("description")]
    assert sorted(shown) == sorted(row.exported for row in ROWS if "collected" in row.pages)
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    taken = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in [p["y"]]]
    assert len(taken) == len(set(taken))
