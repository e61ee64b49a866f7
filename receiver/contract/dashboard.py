"""The dashboard of Grafana, written from the table of metrics: a panel for each of them.

By a few lines of its JSON model and not by a builder of dashboards: every panel is of one kind, and
there is nothing to build. `schemaVersion` 39 is Grafana 11's; a later one reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from receiver.observability.metric_row import MetricRow
from receiver.observability.metric_table import ROWS

_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS: Final = 24
_PANELS_A_LINE: Final = 3
_HEIGHT: Final = 8
_FIRING: Final = 'ALERTS{alertname=~"Yizhan.*", alertstate="firing"}'
_GROUPS: Final = ("Callbacks", "Spool", "Handlers", "The platform's API", "Streams", "Processes")
_BY_PREFIX: Final = {
    "yizhan_spool_": "Spool",
    "yizhan_api_": "The platform's API",
    "yizhan_disk_": "Streams",
}
_BY_LABEL: Final = {
    "source": "Callbacks",
    "handler": "Handlers",
    "row": "The platform's API",
    "stream": "Streams",
}
_UNITS: Final = {
    "_timestamp_seconds": "dateTimeFromNow",
    "_seconds": "s",
    "_bytes": "bytes",
    "_info": "short",
}


def dashboard() -> str:
    """The dashboard as JSON, as Grafana imports it."""
    document = {
        "uid": "yizhan",
        "title": "Yizhan",
        "description": "Written by `yizhan dashboard` from the table of metrics.",
        "tags": ["yizhan"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Prometheus", "type": "datasource"}
                | {"query": "prometheus"}
            ]
        },
        "panels": _numbered(_panels()),
    }
    return json.dumps(document, indent=1) + "\n"


def _panels() -> Iterator[dict[str, Any]]:
    """Each with its place, line by line."""
    yield _panel("Alerts that fire", "", [(_FIRING, "{{alertname}}")], "short") | _place(0, 0)
    top, width = _HEIGHT, _COLUMNS // _PANELS_A_LINE
    for group in _GROUPS:
        head: dict[str, Any] = {"type": "row", "title": group, "collapsed": False, "panels": []}
        yield head | _place(0, top, height=1)
        top += 1
        rows = [row for row in ROWS if "collected" in row.pages and _group(row) == group]
        for number, row in enumerate(rows):
            line, column = divmod(number, _PANELS_A_LINE)
            yield _panel_of(row) | _place(column * width, top + line * _HEIGHT, width)
        top += -(-len(rows) // _PANELS_A_LINE) * _HEIGHT


def _group(row: MetricRow) -> str:
    for prefix, group in _BY_PREFIX.items():
        if row.name.startswith(prefix):
            return group
    return next((_BY_LABEL[label] for label in row.labels if label in _BY_LABEL), "Processes")


def _panel_of(row: MetricRow) -> dict[str, Any]:
    title = row.help.removesuffix(".")
    if row.kind == "counter":
        return _panel(f"{title}, a minute", row.exported, _targets(row), "short")
    unit = next((unit for end, unit in _UNITS.items() if row.name.endswith(end)), "short")
    made = _panel(title, row.exported, _targets(row), unit)
    if row.bounds and row.bounds[0] < 0:
        del made["fieldConfig"]["defaults"]["min"]
    return made


def _targets(row: MetricRow) -> list[tuple[str, str]]:
    by, shown = ", ".join(row.labels), " ".join(f"{{{{{label}}}}}" for label in row.labels)
    if row.kind == "histogram":
        times = f"sum by (le, {by}) (rate({row.name}_bucket[$__rate_interval]))"
        return [
            (f"histogram_quantile({share}, {times})", f"{shown} {name}".strip())
            for share, name in ((0.5, "median"), (0.99, "99 %"))
        ]
    if row.kind == "counter":
        return [(f"60 * sum by ({by}) (rate({row.exported}[$__rate_interval]))", shown)]
    factor = "1000 * " if row.name.endswith("_timestamp_seconds") else ""
    return [(f"{factor}sum by ({by}) ({row.exported})", shown or row.name)]


def _panel(title: str, text: str, targets: Sequence[tuple[str, str]], unit: str) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": title,
        "description": text,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": [
            {"refId": "AB"[number], "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for number, (query, legend) in enumerate(targets)
        ],
    }


def _place(x: int, y: int, width: int = _COLUMNS, height: int = _HEIGHT) -> dict[str, Any]:
    return {"gridPos": {"x": x, "y": y, "w": width, "h": height}}


def _numbered(panels: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": number, **panel} for number, panel in enumerate(panels, 1)]
