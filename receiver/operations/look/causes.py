"""What is wrong now and why, gravest first: the alerts that hold, and what stands out in a status
beside them. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from receiver.observability.alerts.alert import Severity
from receiver.operations.alerting.notice import BY_NAME
from receiver.operations.look.verdict import Concern

_NATS_AWAY: Final = "YizhanNatsAway"
"""Its own summary says more than what could not be read for want of NATS."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What is wrong, in a `sentence` without a full stop, `since` when that is known, and what to
    do first. `alert` is its row of the table of alerts with its `labels`, "" where it has none; it
    `fires` once its condition has lasted. `details` are what a status says of it.
    """

    sentence: str
    severity: Severity = "warning"
    alert: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    fires: bool = False
    since: datetime | None = None
    action: str = ""
    details: tuple[str, ...] = ()


def causes(alerts: Iterable[Mapping[str, Any]], concerns: Iterable[Concern]) -> list[Cause]:
    """Of the documents of alerts that hold (`standing.Firing`) and the concerns of a status; a
    concern that an alert names is a detail of that.
    """
    found = [_of_alert(document) for document in alerts]
    for concern in concerns:
        place = next((n for n, cause in enumerate(found) if _is_of(concern, cause)), None)
        if place is None:
            found.append(_of_concern(concern))
        else:
            more = (*found[place].details, concern.sentence)
            found[place] = replace(found[place], details=more)
    return sorted(found, key=lambda one: (one.severity != "critical", not one.fires))


def headline(found: Sequence[Cause]) -> str:
    """The gravest of some causes, and how many more there are."""
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0].sentence}{more}"


def sentence(found: Sequence[Cause]) -> str:
    """Some causes, each by its name."""
    rest = "; ".join(one.sentence for one in found[1:])
    return f"{headline(found)}{f': {rest}' if rest else ''}"


def _is_of(concern: Concern, cause: Cause) -> bool:
    return cause.alert in concern.alerts and concern.labels.items() <= cause.labels.items()


def _of_alert(document: Mapping[str, Any]) -> Cause:
    return Cause(
        document["summary"].rstrip("."),
        document["severity"],
        document["alert"],
        document["labels"],
        document["fires"],
        datetime.fromisoformat(document["since"]),
        document["action"],
    )


def _of_concern(concern: Concern) -> Cause:
    said = concern.sentence[:1].upper() + concern.sentence[1:]
    if not concern.alerts:
        return Cause(said, labels=concern.labels)
    alert = BY_NAME[concern.alerts[0]]
    cause = Cause(said, alert.severity, alert.name, concern.labels, action=alert.action)
    if alert.name != _NATS_AWAY:
        return cause
    return replace(cause, sentence=alert.summary.rstrip("."), details=(concern.sentence,))
