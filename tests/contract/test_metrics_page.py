"""`docs/metrics.md` is what the table of metrics says."""

from __future__ import annotations

from receiver.contract.metrics_page import metrics_page
from receiver.observability.metric_table import ROWS
from tests.pages import ROOT


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    stale = page != metrics_page()
    assert not stale, "docs/metrics.md is stale: run `make docs`"


def test_every_metric_is_on_the_page() -> None:
    lines = metrics_page().splitlines()
    assert [row.exported for row in ROWS if not any(f"`{row.exported}`" in x for x in lines)] == []
