"""Which alerts begin and which end, as time goes on. Pure: what is known is given and returned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from receiver.observability.alerts.alert import Alert
from receiver.observability.alerts.conditions import AtLeast, all_series
from receiver.observability.alerts.history import History, Series
from receiver.observability.alerts.holding import holds
from receiver.observability.alerts.table import ALERTS

_PARTLY: Final = "YizhanNatsAway"
_COLLECTED: Final = AtLeast(Series("yizhan_collected", how="min"), 1)


class Case(NamedTuple):
    """An alert, and the values of its labels."""

    alert: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Holding:
    """Since when the condition of a case holds; `fired` is when it had for long enough."""

    since: datetime
    fired: datetime | None = None


Holdings = Mapping[Case, Holding]


@dataclass(frozen=True, slots=True)
class Change:
    """What began or ended; `value` shows the condition, and is not known of what ended."""

    case: Case
    holding: Holding
    value: float | None = None

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.value is None


def new_history(alerts: Iterable[Alert] = ALERTS) -> History:
    """An empty one, which keeps what these alerts read."""
    read = [series.metric for alert in alerts for series in all_series(alert.condition)]
    reach = max((alert.window for alert in alerts), default=timedelta(0))
    return History([*read, "yizhan_collected"], reach)


def evaluate(
    history: History, before: Holdings, now: datetime, alerts: Iterable[Alert] = ALERTS
) -> tuple[dict[Case, Holding], list[Change]]:
    """What holds now, and what that changes.

    What has fired does not end while it is not known whether it did: where the page is not whole,
    or where this process does not look back as far as the alert does. Prometheus, which keeps its
    samples, knows the second, and takes what is missing for over.
    """
    after: dict[Case, Holding] = {}
    changes: list[Change] = []
    whole = bool(holds(_COLLECTED, history))
    for alert in alerts:
        values = {
            Case(alert.name, labels): value
            for labels, value in holds(alert.condition, history).items()
        }
        for case, value in values.items():
            holding = before.get(case) or Holding(now)
            if holding.fired is None and now - holding.since >= alert.lasting:
                holding = Holding(holding.since, now)
                changes.append(Change(case, holding, value))
            after[case] = holding
        known = history.covers(alert.window) and (whole or alert.name == _PARTLY)
        for case, holding in before.items():
            if case.alert != alert.name or case in values or holding.fired is None:
                continue
            if known:
                changes.append(Change(case, holding))
            else:
                after[case] = holding
    return after, changes
