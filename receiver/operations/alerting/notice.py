"""What is posted: one alert that began or ended. Never what a callback holds."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from receiver.observability.alerts.alert import Alert
from receiver.observability.alerts.evaluation import Change
from receiver.observability.alerts.table import ALERTS

BY_NAME: Final[Mapping[str, Alert]] = {alert.name: alert for alert in ALERTS}


@dataclass(frozen=True, slots=True)
class Notice:
    """`id` is the same however often it is posted; `body` is JSON."""

    id: str
    alert: str
    body: str

    def document(self) -> dict[str, str]:
        """As JSON keeps it."""
        return asdict(self)


def labels_of(change: Change) -> dict[str, str]:
    """The labels of its case, by name."""
    alert = BY_NAME[change.case.alert]
    return dict(zip(alert.labels, change.case.labels, strict=True))


def notice_of(change: Change, now: datetime, runbook: str, explained: str | None = None) -> Notice:
    """What to post of a change; `explained` is what is known of its source."""
    alert, labels = BY_NAME[change.case.alert], labels_of(change)
    data: dict[str, Any] = {
        "alert": alert.name,
        "severity": alert.severity,
        "labels": labels,
        "summary": alert.summary_for(labels),
        "description": alert.action,
        "since": change.holding.since.isoformat(timespec="seconds"),
        "runbook_url": f"{runbook}#{alert.anchor}",
    }
    if explained:
        data["explained"] = explained
    body = {
        "type": "yizhan.alert.resolved" if change.ended else "yizhan.alert.firing",
        "timestamp": now.isoformat(timespec="seconds"),
        "data": data,
    }
    return Notice(f"alert_{secrets.token_hex(12)}", alert.name, json.dumps(body))
